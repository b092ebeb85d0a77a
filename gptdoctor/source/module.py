"""One source file: its text, its tree and how places in it are named."""

from __future__ import annotations

import ast
import io
import os
import tokenize
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from gptdoctor.core.cells import CellLine
from gptdoctor.core.diagnosis import SourceError
from gptdoctor.core.findings import Location
from gptdoctor.source.names import Names, collect_names, import_statements
from gptdoctor.source.notebooks import SUFFIX, Cell, NotANotebookError, Notebook, read_notebook

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, eq=False)
class SourceModule:
    """A parsed file. Compared by identity: the same text at two places is two modules."""

    path: str  # relative to the project's root, with "/"
    file: Path  # absolute
    dotted: str  # the name it is imported by: "package.module", or "module" for a script
    text: str
    tree: ast.Module = field(repr=False)
    notebook: Notebook | None = field(default=None, repr=False)  # that `text` is made of

    @property
    def errors(self) -> tuple[SourceError, ...]:
        """The cells that are no Python; the others were read."""
        cells = () if self.notebook is None else self.notebook.cells
        return tuple(_cell_error(self.path, cell) for cell in cells if cell.error is not None)

    def in_cell(self, line: int) -> CellLine | None:
        """The cell that a line is in, where this is a notebook."""
        return None if self.notebook is None else self.notebook.place(line)

    @property
    def package(self) -> str:
        """The dotted package that relative imports of this module start from, "" for a script."""
        if self.file.name == "__init__.py":
            return self.dotted
        return self.dotted.rpartition(".")[0]

    @cached_property
    def lines(self) -> list[str]:
        """The text by lines; a form feed, unlike in `splitlines`, ends none."""
        return self.text.split("\n")

    @cached_property
    def imports(self) -> tuple[ast.Import | ast.ImportFrom, ...]:
        """All import statements, at any depth, in the order of the text."""
        return tuple(import_statements(self.tree, self.text))

    @cached_property
    def names(self) -> Names:
        """What the imports and plain aliases of this module call things."""
        return collect_names(self.tree, self.package, self.imports)

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions at the top level, by name."""
        return {node.name: node for node in _definitions(self.tree.body)}

    def location(self, node: ast.AST) -> Location:
        """Where `node` stands, with columns in characters (ast counts UTF-8 bytes)."""
        line = getattr(node, "lineno", 1)
        end_line = getattr(node, "end_lineno", None) or line
        return Location(
            path=self.path,
            line=line,
            column=self._character(line, getattr(node, "col_offset", 0)) + 1,
            end_line=end_line,
            end_column=self._character(end_line, getattr(node, "end_col_offset", 0) or 0) + 1,
        )

    def segment(self, first: int, last: int) -> str:
        """The text of some lines, 1-based and inclusive, without the end of the last."""
        start, end = self.bounds(first, last)
        return self.text[start:end]

    def lines_of(self, node: ast.stmt) -> str:
        """The lines of a statement, without its decorators."""
        begins = self._begins  # as in `bounds`: it is asked of nearly every function
        last = min(node.end_lineno or node.lineno, len(begins) - 1)
        return self.text[begins[node.lineno - 1] : begins[last] - 1]

    def bounds(self, first: int, last: int) -> tuple[int, int]:
        """Where the text of some lines starts, and where the end of the last line stands."""
        begins = self._begins
        return begins[first - 1], begins[min(last, len(begins) - 1)] - 1

    @cached_property
    def _begins(self) -> list[int]:
        """Where each line begins in the text, and one more for what would follow the last."""
        return [0, *accumulate(map((1).__add__, map(len, self.lines)))]

    def excerpt(self, line: int) -> str:
        """The text of one line, stripped; "" past the end."""
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""

    def _character(self, line: int, offset: int) -> int:
        """The character column of a byte offset, 0-based."""
        if line > len(self.lines) or self.lines[line - 1].isascii():
            return offset
        return len(self.lines[line - 1].encode()[:offset].decode(errors="ignore"))


def _definitions(body: list[ast.stmt]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in body if isinstance(node, _FUNCTIONS)]


def read_module(
    file: Path,
    root: Path,
    *,
    text: str | None = None,
    data: bytes | None = None,
    dotted: str | None = None,
) -> SourceModule | SourceError:
    """Parse `file`, or `text` in its place; a file that cannot be read is an error value.

    `data` is what is in the file, and `dotted` the name it is imported by, where that is known.
    """
    path = file.relative_to(root).as_posix()
    notebook = None
    try:
        if text is None:
            text = decode(file.read_bytes() if data is None else data)
        if file.suffix == SUFFIX:
            notebook = read_notebook(text)
            text = notebook.text
        tree = _parse(text, path)
    except NotANotebookError as error:
        return SourceError(path=path, line=error.line, kind="read-error", message=str(error))
    except OSError as error:
        return SourceError(path=path, line=1, kind="read-error", message=_sentence(error))
    except (UnicodeDecodeError, LookupError) as error:
        message = f"not readable as UTF-8 or as the encoding it declares ({error})"
        return SourceError(path=path, line=1, kind="encoding-error", message=message)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        message = getattr(error, "msg", None) or _sentence(error)
        # tokenize reports an unknown coding cookie, or bytes that break it, as a SyntaxError.
        if "codec" in message or "encoding" in message:
            message = f"not readable as UTF-8 or as the encoding it declares ({message})"
            return SourceError(path=path, line=line, kind="encoding-error", message=message)
        return SourceError(path=path, line=line, kind="syntax-error", message=message)
    dotted = dotted or dotted_name(file)
    return SourceModule(
        path=path, file=file, dotted=dotted, text=text, tree=tree, notebook=notebook
    )


def _cell_error(path: str, cell: Cell) -> SourceError:
    error = cell.error or SyntaxError()
    line = min(error.lineno or 1, cell.text.count("\n") + 1)
    return SourceError(
        path=path,
        line=cell.first + line - 1,
        kind="syntax-error",
        message=error.msg or "no Python",
        in_cell=CellLine(cell=cell.number, line=line),
    )


def decode(data: bytes) -> str:
    """Source bytes as text with plain line ends, by their coding cookie or as UTF-8."""
    encoding = "utf-8"
    if any(b"coding" in line or not line.isascii() for line in data.split(b"\n", 2)[:2]):
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return io.IncrementalNewlineDecoder(None, translate=True).decode(
        data.decode(encoding), final=True
    )


def readable(file: Path) -> str | None:
    """The text of a file as `decode` gives it; None where it cannot be read."""
    try:
        return decode(file.read_bytes())
    except (OSError, SyntaxError, ValueError, LookupError):
        return None


def dotted_name(file: Path) -> str:
    """The name `file` is imported by: its packages are the folders above with `__init__.py`."""
    parts = [] if file.name == "__init__.py" else [file.stem]
    folder = str(file.parent)  # as texts, for this is asked of thousands of files
    while os.path.isfile(f"{folder}{os.sep}__init__.py"):  # noqa: PTH113
        folder, _, name = folder.rpartition(os.sep)
        parts.insert(0, name)
    return ".".join(parts) or file.parent.name


def _parse(text: str, path: str) -> ast.Module:
    with warnings.catch_warnings():
        # The user's own invalid escapes are for linters to report.
        warnings.simplefilter("ignore")
        return ast.parse(text, filename=path)


def _sentence(error: BaseException) -> str:
    return str(error) or type(error).__name__

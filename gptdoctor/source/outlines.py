"""What the lines of a file say of its classes and imports, read without a parse.

Whether a class is a network is asked of thousands of files, and mostly hangs on the bases that two
or three others name. What lines do not say for sure raises `UnsureError`: then a parse tells.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from gptdoctor.source.module import decode, dotted_name
from gptdoctor.source.names import collect_names

_HEAD = re.compile(
    r"^([ \t]*)(?:class[ \t]+(\w+)[ \t]*(?:(\([^()]*\))?[ \t]*(:))?"
    r"|(?:async[ \t]+)?def[ \t]+(\w+))",
    re.MULTILINE,
)
_IMPORT = re.compile(r"^[ \t]*((?:import|from)\b[^\n(]*(?:\([^)]*\))?)", re.MULTILINE)
# An import behind a colon or a semicolon begins no line.
_BEHIND = re.compile(r"[:;][ \t]*(?:import|from)[ \t]+[\w.]")
_COMMENT = re.compile(r"[ \t]*#")
_BASE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
# `a = b.c`; more may follow on further lines where none of these ends it.
_RENAMED = re.compile(r"(?:$|[\w.\s]*(?:\\|#.*)?$|\()")
_KEYWORD = re.compile(r"\w+\s*=\s*[\w.]+")


class UnsureError(Exception):
    """Lines do not say it: a string may hold such a line, or a name may be bound in two ways."""


@dataclass(eq=False)
class Sketch:
    """The head of a class in a file that is not parsed."""

    home: Outline
    name: str
    written: tuple[str, ...] | None  # its bases as they stand in the text; None: not plain
    begins: int  # where in the text its head begins
    ends: int  # where the next definition at the margin begins

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """The qualified names of the bases."""
        if self.written is None:
            raise UnsureError
        return tuple(map(self.home.qualified, self.written))

    @property
    def text(self) -> str:
        """At least the text of the class."""
        return self.home.text[self.begins : self.ends]


@dataclass(eq=False)
class Outline:
    """A file that is not parsed."""

    file: Path
    dotted: str
    overlaid: str | None = None  # the text that stands for the file on disk
    classes: dict[str, Sketch | None] = field(default_factory=dict)  # None: not told by lines
    functions: frozenset[str] = frozenset()
    aliases: dict[str, str | None] = field(default_factory=dict)
    variables: dict[str, bool] = field(default_factory=dict)  # those asked for

    @property
    def text(self) -> str:
        """The text of the file, which is read again: hundreds of files would fill the memory."""
        return _text(self.file) if self.overlaid is None else self.overlaid

    def qualified(self, written: str) -> str:
        """The qualified name of what is written so."""
        root, dot, rest = written.partition(".")
        if root not in self.aliases and root not in self.classes and not hasattr(builtins, root):
            raise UnsureError
        known = self.aliases.get(root, root)
        if known is None:
            raise UnsureError
        return f"{known}{dot}{rest}"

    def sketch(self, name: str) -> Sketch:
        """The class of this name, which is one of `classes`."""
        found = self.classes[name]
        if found is None:
            raise UnsureError
        return found

    def alias(self, name: str) -> str | None:
        """What an import calls so; None for what is defined here and no class."""
        if name in self.aliases:
            if self.aliases[name] is None:
                raise UnsureError
            return self.aliases[name]
        if name not in self.functions and not self._is_variable(name):
            raise UnsureError
        return None

    def _is_variable(self, name: str) -> bool:
        """Whether a name is assigned once, at the margin, and no other name's value."""
        if name not in self.variables:
            pattern = rf"^([ \t]*){name}[ \t]*(?::[^=\n]*)?=(?!=)[ \t]*(.*)"
            found = re.findall(pattern, self.text, re.MULTILINE)
            margin, value = found[0] if len(found) == 1 else (" ", "")
            self.variables[name] = not margin and not _RENAMED.match(value)
        return self.variables[name]


class Outlines:
    """The outlines of one project's files, made when asked for."""

    def __init__(self) -> None:
        self._found: dict[Path, Outline | None] = {}

    def of(self, file: Path, text: str | None) -> Outline | None:
        """The outline of a file, or of `text` in its place; None where lines are not enough."""
        if file not in self._found:
            self._found[file] = outline_of(file, text)
        return self._found[file]


def outline_of(file: Path, text: str | None = None) -> Outline | None:
    """The same, each time anew."""
    outline = Outline(file=file, dotted=dotted_name(file), overlaid=text)
    package = outline.dotted
    if file.name != "__init__.py":
        package = outline.dotted.rpartition(".")[0]
    try:
        text = outline.text
        for bound, qualified in _imports(text, package):
            same = outline.aliases.get(bound, qualified) == qualified
            outline.aliases[bound] = qualified if same else None
    except (UnsureError, OSError, SyntaxError, ValueError, LookupError):
        return None
    _fill(outline, text)
    return outline


@lru_cache(maxsize=8)
def _text(file: Path) -> str:
    return decode(file.read_bytes())


def _imports(text: str, package: str) -> Iterator[tuple[str, str]]:
    for found in _BEHIND.finditer(text):
        if not _COMMENT.match(text, text.rfind("\n", 0, found.start()) + 1):
            raise UnsureError
    statements = [found.group(1) for found in _IMPORT.finditer(text)]
    try:
        yield from list(_aliases("\n".join(statements), package))
    except (SyntaxError, ValueError):
        for statement in statements:
            yield from _aliases_if_any(statement, package)


def _aliases(text: str, package: str) -> Iterator[tuple[str, str]]:
    """The names that imports bind, each as often as they do."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from collect_names(ast.Module([], []), package, [node]).aliases.items()


def _aliases_if_any(statement: str, package: str) -> Iterator[tuple[str, str]]:
    try:
        yield from list(_aliases(statement, package))
    except (SyntaxError, ValueError):
        # Words of a sentence begin a line, too; they are no statement that a bracket or a
        # backslash leads on.
        if "(" in statement or statement.endswith("\\"):
            raise UnsureError from None


def _fill(outline: Outline, text: str) -> None:
    functions = set()
    heads = list(_HEAD.finditer(text))
    ends = len(text)
    for found in reversed(heads):
        margin, name, bases, colon, function = found.groups()
        begins = found.start()
        if function:
            functions.add(function)
        elif margin or not colon or name in outline.classes:
            outline.classes[name] = None
        else:
            written = _written(bases or "()")
            outline.classes[name] = Sketch(outline, name, written, begins, ends)
        ends = ends if margin else begins
    outline.functions = frozenset(functions)


def _written(bases: str) -> tuple[str, ...] | None:
    parts = [one.strip() for one in bases[1:-1].split(",")]
    plain = [one for one in parts if one and not _KEYWORD.fullmatch(one)]
    return tuple(plain) if all(map(_BASE.fullmatch, plain)) else None

"""How the user's files are loaded: from given text, or from the disk, and run in parts.

Text that stands for a file is how a repair is proven before the file is touched.
"""

from __future__ import annotations

import io
import linecache
import sys
import tokenize
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from gptdoctor.source.notebooks import SUFFIX as NOTEBOOK
from gptdoctor.source.notebooks import python_of
from gptdoctor.specimen.module_run import ModuleRunner


class UserLoader(SourceFileLoader):
    """Loads a module of the user's under the file's own path, and lets `runner` run it."""

    def __init__(self, fullname: str, path: str, runner: ModuleRunner) -> None:
        super().__init__(fullname, path)
        self._runner = runner

    def exec_module(self, module: ModuleType) -> None:
        """Run the module in parts where that is called for, else as it is."""
        text = None
        with suppress(ImportError, OSError, SyntaxError, UnicodeDecodeError):
            text = self.get_source(module.__name__)
        if text is None or not self._runner.run(module, self.path, text):
            super().exec_module(module)


class OverlayLoader(UserLoader):
    """Loads a module from given text, without the bytecode of what is on the disk."""

    def __init__(self, fullname: str, path: str, runner: ModuleRunner, text: str) -> None:
        super().__init__(fullname, path, runner)
        self._text = text

    def get_data(self, path: str) -> bytes:
        """The text as the file would hold it, encoded as its first lines declare."""
        if path != self.path:
            return super().get_data(path)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(self._text.encode()).readline)
        return self._text.encode(encoding)

    def get_code(self, fullname: str) -> CodeType:
        """The text, compiled: the bytecode beside the file belongs to what is on the disk."""
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


class Overlay:
    """Finds modules where the other finders do, and loads the user's own in another way."""

    def __init__(self, root: Path, overlay: Mapping[str, str], runner: ModuleRunner) -> None:
        self._texts = {str(root / path): text for path, text in overlay.items()}
        self._runner = runner

    def install(self) -> None:
        """Answer all imports from now on, and the tracebacks that quote the text."""
        for path, text in self._texts.items():
            _quote(path, text)
        sys.meta_path.insert(0, self)

    def loader(self, fullname: str, path: str) -> SourceFileLoader:
        """The loader of a source file, overlaid or not."""
        text = self._texts.get(path)
        if path.endswith(NOTEBOOK):
            text = self.read(Path(path))
            _quote(path, text)
        if text is not None:
            return OverlayLoader(fullname, path, self._runner, text)
        if self._runner.applies(path):
            return UserLoader(fullname, path, self._runner)
        return SourceFileLoader(fullname, path)

    def is_file(self, path: Path) -> bool:
        """Whether there is such a file, or a text that stands for it."""
        return str(path) in self._texts or path.is_file()

    def read(self, path: Path) -> str:
        """The Python text of a source file, overlaid or not; "" where it cannot be read."""
        text = self._texts.get(str(path))
        if text is not None:
            return python_of(path.name, text)
        try:
            with tokenize.open(path) as stream:
                return python_of(path.name, stream.read())
        except (OSError, SyntaxError, UnicodeDecodeError):
            return ""  # importing it will say what is wrong

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that another finder gives, with our loader where its text is overlaid."""
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None:
                if type(spec.loader) is SourceFileLoader and spec.origin is not None:
                    spec.loader = self.loader(fullname, spec.origin)
                return spec
        return None


def _quote(path: str, text: str) -> None:
    """Let tracebacks quote this text for the file.

    Without a time of change linecache never looks at the disk for it.
    """
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)

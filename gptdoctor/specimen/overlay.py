"""Text that stands for files of the user's: how a repair is proven before a file is touched."""

from __future__ import annotations

import io
import linecache
import sys
import tokenize
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from gptdoctor.source.notebooks import SUFFIX as NOTEBOOK
from gptdoctor.source.notebooks import python_of


class OverlayLoader(SourceFileLoader):
    """Loads a module from given text, under the file's own path and without its bytecode."""

    def __init__(self, fullname: str, path: str, text: str) -> None:
        super().__init__(fullname, path)
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
    """Finds modules where the other finders do, and exchanges the text of those overlaid."""

    def __init__(self, root: Path, overlay: Mapping[str, str]) -> None:
        self._texts = {str(root / path): text for path, text in overlay.items()}

    def install(self) -> None:
        """Answer all imports from now on, and the tracebacks that quote the text."""
        for path, text in self._texts.items():
            _quote(path, text)
        if self._texts:
            sys.meta_path.insert(0, self)

    def loader(self, fullname: str, path: str) -> SourceFileLoader:
        """The loader of a source file, overlaid or not."""
        text = self._texts.get(path)
        if path.endswith(NOTEBOOK):
            text = self.read(Path(path))
            _quote(path, text)
        if text is None:
            return SourceFileLoader(fullname, path)
        return OverlayLoader(fullname, path, text)

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
                if spec.origin in self._texts:
                    spec.loader = self.loader(fullname, spec.origin)
                return spec
        return None


def _quote(path: str, text: str) -> None:
    """Let tracebacks quote this text for the file.

    Without a time of change linecache never looks at the disk for it.
    """
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)

"""Source files as their bytes say they are: encoding, mark and line ends are kept."""

from __future__ import annotations

import io
import tokenize
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.core.errors import RepairError


@dataclass(frozen=True, kw_only=True)
class SourceText:
    """The text of one file, and how it goes back to the very bytes it came from."""

    text: str  # with the line ends of the file; without its byte order mark
    encoding: str  # "utf-8-sig" where the file begins with a byte order mark

    def encoded(self, text: str) -> bytes:
        """The bytes of a new text for this file; raises RepairError where they do not exist."""
        try:
            return text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise RepairError(f"the new text cannot be written as {self.encoding}") from error


def decoded(data: bytes, path: str) -> SourceText:
    """The text of a file by its coding cookie or as UTF-8; raises RepairError where it is not."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return SourceText(text=data.decode(encoding), encoding=encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise RepairError(f"{path} cannot be read as text: {error}") from error


def read_text(file: Path, path: str) -> SourceText:
    """The text of a file on disk; raises RepairError where it cannot be read."""
    try:
        return decoded(file.read_bytes(), path)
    except OSError as error:
        raise RepairError(f"{path} cannot be read: {error.strerror or error}") from error


def with_plain_ends(text: str) -> str:
    """The text with line feeds at the ends of its lines, as the scan and the worker take it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")

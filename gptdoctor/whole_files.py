"""Files that are wholly old or wholly new at any moment, whatever interrupts the writing."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from gptdoctor.core.errors import DoctorError, UsageError


def usable_file(file: Path) -> Path:
    """The file, once it is known that it can be written: a check may take minutes.

    Raises UsageError.
    """
    folder = file.parent
    if not folder.is_dir():
        raise UsageError(f"{file} cannot be written: there is no folder {str(folder)!r}")
    if file.is_dir():
        raise UsageError(f"{file} cannot be written: it is a folder")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise UsageError(f"{file} cannot be written: that is not permitted")
    return file


def write_file(file: Path, text: str) -> None:
    """Write a file of ours; raises DoctorError where that fails, and the old one is still there."""
    try:
        replace_file(file, text.encode("utf-8", errors="replace"))
    except OSError as error:
        raise DoctorError(f"{file} cannot be written: {error.strerror or error}") from error


def replace_file(file: Path, data: bytes) -> None:
    """Write a copy beside the file, down to the disk, and put it in its place in one step.

    A link stays one, and what is no plain file, a pipe or a device, is written to.  Raises OSError.
    """
    target = Path(os.path.realpath(file))
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    copy = target.with_name(f".{target.name}.gptdoctor-{os.getpid()}.new")
    try:
        with copy.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, copy)
        copy.replace(target)
    finally:
        with suppress(OSError):
            copy.unlink(missing_ok=True)

"""Writing patches: every file is wholly old or wholly new at any moment, or nothing is written.

Copies of what shall be and of what was are written beside each file first; then each file is
replaced by its copy in one step. An error on the way puts back what was; after a kill the journal
lets the next run finish.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from gptdoctor.core.errors import RepairError
from gptdoctor.core.repairs import Patch
from gptdoctor.repair.journal import NAME, Entry, Journal, Plan, digest, sync_folder
from gptdoctor.repair.texts import decoded


def apply(root: Path, patches: Sequence[Patch]) -> None:
    """Write all patches, or raise RepairError and leave every file as it was."""
    if not patches:
        return
    journal = Journal(root)
    if journal.read() is not None:
        _recover(journal)
        journal = Journal(root)
    try:
        contents = [_contents(root, patch) for patch in patches]
        entries = [_entry(file, old, new) for file, old, new in contents]
        _check_apart(entries)
    except BaseException:
        journal.remove()
        raise
    _write(journal, entries, contents)


def recover(root: Path) -> str | None:
    """Finish or undo what a run that was killed left behind; a sentence that says which.

    Call it before files are read: a finished apply changes them.
    """
    if not (root / NAME).exists():
        return None
    return _recover(Journal(root))


def _contents(root: Path, patch: Patch) -> tuple[Path, bytes, bytes]:
    """The file behind a patch, what it holds and what it shall hold."""
    file = Path(os.path.realpath(root / patch.path))  # a link stays one: its target is replaced
    try:
        data = file.read_bytes()
        writable = _writable(file) and _writable(file.parent)
    except OSError as error:
        raise RepairError(f"{patch.path} cannot be read: {error.strerror or error}") from error
    if not writable:
        raise RepairError(f"{patch.path} may not be written; nothing was changed")
    source = decoded(data, patch.path)
    if source.text != patch.before:
        raise RepairError(
            f"{patch.path} has changed since it was examined; nothing was written",
            hint="run gptdoctor fix again",
        )
    return file, data, source.encoded(patch.after)


def _writable(place: Path) -> bool:
    return os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _entry(file: Path, old: bytes, new: bytes) -> Entry:
    mark = f"gptdoctor-{os.getpid()}"
    return Entry(
        file=str(file),
        new=str(file.with_name(f".{file.name}.{mark}.new")),
        old=str(file.with_name(f".{file.name}.{mark}.old")),
        before=digest(old),
        after=digest(new),
    )


def _check_apart(entries: Sequence[Entry]) -> None:
    files = [entry.file for entry in entries]
    for file in files:
        if files.count(file) > 1:
            raise RepairError(f"two of the patched paths lead to {file}; nothing was written")


def _write(
    journal: Journal, entries: Sequence[Entry], contents: Sequence[tuple[Path, bytes, bytes]]
) -> None:
    try:
        journal.begin(entries)
        for entry, (file, old, new) in zip(entries, contents, strict=True):
            _write_copy(Path(entry.new), new, file)
            _write_copy(Path(entry.old), old, file)
        _sync(entries)
        journal.writing()
        for entry in entries:
            Path(entry.new).replace(entry.file)
        _sync(entries)
    except BaseException as error:
        _take_back(journal, entries)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise RepairError(f"writing failed, and nothing was changed: {reason}") from error
        raise
    _finish(journal, entries)


def _take_back(journal: Journal, entries: Sequence[Entry]) -> None:
    """Put everything back, or leave the journal and the copies to the next run."""
    if _undo(entries):
        _finish(journal, entries)
        return
    journal.close()
    raise RepairError(
        "writing failed, and some files could not be put back",
        hint=f"run gptdoctor fix again: {journal.path} and the copies beside the files are kept",
    )


def _write_copy(copy: Path, data: bytes, file: Path) -> None:
    """Write a copy beside a file, with the file's permissions and owner, down to the disk."""
    with copy.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    shutil.copystat(file, copy)
    # The time must be new: bytecode is kept by the time and size of its source.
    os.utime(copy)
    owner = file.stat()
    if (owner.st_uid, owner.st_gid) != (copy.stat().st_uid, copy.stat().st_gid):
        with suppress(PermissionError):  # only root may give files away
            os.chown(copy, owner.st_uid, owner.st_gid)
            copy.chmod(stat.S_IMODE(owner.st_mode))


def _sync(entries: Sequence[Entry]) -> None:
    for folder in {Path(entry.file).parent for entry in entries}:
        sync_folder(folder)


def _undo(entries: Sequence[Entry]) -> bool:
    """Put back what was, where a file holds what should be; whether that went well."""
    done = True
    for entry in entries:
        try:
            if _holds(entry.file) == entry.after and entry.before != entry.after:
                Path(entry.old).replace(entry.file)
        except OSError:
            done = False
    return done


def _finish(journal: Journal, entries: Sequence[Entry]) -> None:
    """Take copies and journal away."""
    for copy in _copies(entries):
        with suppress(OSError):
            Path(copy).unlink(missing_ok=True)
    journal.remove()


def _copies(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        yield entry.new
        yield entry.old


def _recover(journal: Journal) -> str | None:
    plan = journal.read()
    if plan is None:
        journal.remove()
        return None
    if plan.writing and _can_finish(plan):
        for entry in plan.entries:
            if _holds(entry.file) != entry.after:
                Path(entry.new).replace(entry.file)
        _sync(plan.entries)
        _finish(journal, plan.entries)
        return "a repair that was cut short was finished"
    _take_back(journal, plan.entries)
    return "a repair that was cut short was undone"


def _can_finish(plan: Plan) -> bool:
    """Whether every file is as it was or as it shall be, with its copy at hand."""
    return all(
        _holds(entry.file) == entry.after
        or (_holds(entry.file) == entry.before and _holds(entry.new) == entry.after)
        for entry in plan.entries
    )


def _holds(file: str) -> str | None:
    """The digest of what a file holds, or None where it cannot be read."""
    try:
        return digest(Path(file).read_bytes())
    except OSError:
        return None

"""The scans of earlier runs, for the files on whose account nothing has changed.

A file's scan is believed while the file, all files that its questions led to, and the entries of
the folders that were looked into, are what they were.  Sizes and times are the witness where they
are the same; where they are not, the contents decide: what was only touched, or checked out and
back again, is known.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from gptdoctor.cache import fingerprint
from gptdoctor.cache.scan_record import MOST_FILES, ScanRecord, Stamp
from gptdoctor.cache.store import Store
from gptdoctor.cache.surroundings import Surroundings
from gptdoctor.cache.tree import tree_state
from gptdoctor.cache.witness import STEP_NS
from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.scans import FileScan, digest_of
from gptdoctor.source.footprints import Footprints
from gptdoctor.worker.codec import from_plain, to_plain

# Entries that no import finds: bytecode, and what editors and versioning leave beside a file.
_FOREIGN = ("__pycache__", ".")
_NO_TIMES = -1


class ScanCache:
    """What is kept of the scans of one project."""

    def __init__(self, store: Store, around: Surroundings, root: Path) -> None:
        self._store = store
        self._folders = (root, *around.folders)
        self._key = fingerprint.of_value(["scans", around.fingerprint, str(root)])
        self._since_ns = time.time_ns()
        self._record = self._read()
        self._moved = False  # whether some times have to be written anew
        self._changed: set[str] | None = None

    def known(self, files: Iterable[Path], named: Collection[Path]) -> dict[Path, FileScan]:
        """The scans of those files that would come out the same."""
        stale = self._stale()
        found = {}
        for file in files:
            scan = self._record.scans.get(_key(file, named)) if str(file) not in stale else None
            if scan is not None:
                found[file] = self._scan_of(str(file), scan)
        return {file: scan for file, scan in found.items() if scan is not None}

    def keep(
        self, scans: Mapping[Path, FileScan], named: Collection[Path], footprints: Footprints
    ) -> None:
        """Keep what was found since the cache was opened."""
        record = self._record
        record.drop(file for file in self._stale() if file in record.stamps)
        for file, scan in scans.items():
            stamp = self._stamp(str(file), scan.digest)
            if stamp is not None and not scan.failed:
                record.stamps[str(file)] = stamp
                record.scans[_key(file, named)] = _plain(scan)
        self._note(footprints)
        if len(record.stamps) <= MOST_FILES:
            self._store.put(self._key, record.to_plain())

    def keep_times(self) -> None:
        """Keep the times of files that were touched and are what they were."""
        if self._moved:
            self._store.put(self._key, self._record.to_plain())

    def _note(self, footprints: Footprints) -> None:
        """Add what the scans rested on."""
        record = self._record
        for asking, files in footprints.files.items():
            record.links.setdefault(str(asking), set()).update(map(str, files))
        for asking, folders in footprints.folders.items():
            record.looked.setdefault(str(asking), set()).update(map(str, folders))
        record.wide |= set(map(str, footprints.wide))
        for file in {str(one) for files in footprints.files.values() for one in files}:
            stamp = None if file in record.stamps else self._stamp(file, None)
            if stamp is not None:
                record.stamps[file] = stamp
        for folder in {str(one) for folders in footprints.folders.values() for one in folders}:
            record.folders[folder] = _entries(folder)
        record.tree = self._tree() if record.wide else None

    def _read(self) -> ScanRecord:
        plain = self._store.get(self._key)
        try:
            return ScanRecord() if plain is None else ScanRecord.from_plain(plain)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return ScanRecord()

    def _stale(self) -> set[str]:
        """The files whose scans may come out differently now."""
        if self._changed is None:
            record = self._record
            changed = {file for file, stamp in record.stamps.items() if self._differs(file, stamp)}
            folders = {one for one, text in record.folders.items() if _entries(one) != text}
            if folders:
                changed |= {file for file, looked in record.looked.items() if looked & folders}
            if record.wide and (record.tree is None or record.tree != self._tree()):
                changed |= record.wide
            self._changed = record.resting_on(changed) if changed else set()
        return self._changed

    def _differs(self, file: str, stamp: Stamp) -> bool:
        """Whether a file is no longer what it was; times that have moved are taken over."""
        now = _times(file)
        if now == stamp[:3]:
            return False
        try:
            same = now is not None and digest_of(Path(file).read_bytes()) == stamp[3]
        except OSError:
            return True
        if same and now is not None:
            self._moved = True
            self._record.stamps[file] = (*self._settled(now), stamp[3])
        return not same

    def _stamp(self, file: str, digest: str | None) -> Stamp | None:
        """The stamp of a file that was read since the cache was opened."""
        now = _times(file)
        if now is None:
            return None
        settled = self._settled(now)
        if digest is None:
            if settled[0] == _NO_TIMES:
                return (*settled, "")  # nobody knows which text was read
            try:
                digest = digest_of(Path(file).read_bytes())
            except OSError:
                return None
        return (*settled, digest)

    def _settled(self, times: tuple[int, int, int]) -> tuple[int, int, int]:
        """The times, unless they are so new that the file may still change within their step."""
        return times if times[2] < self._since_ns - STEP_NS else (_NO_TIMES, 0, 0)

    def _tree(self) -> str | None:
        state = tree_state(self._folders)
        return None if state is None else state.fingerprint

    def _scan_of(self, file: str, plain: object) -> FileScan | None:
        digest = self._record.stamps[file][3] if file in self._record.stamps else ""
        if plain == 0:
            return FileScan(digest=digest)
        try:
            return from_plain(plain, FileScan)  # type: ignore[no-any-return]
        except ProtocolError:
            return None


def _key(file: Path, named: Collection[Path]) -> str:
    """A file that the user names is parsed whatever is in it."""
    return f"{file}*" if file in named else str(file)


def _plain(scan: FileScan) -> object:
    told = scan.findings or scan.errors or scan.skipped or scan.comments
    return to_plain(scan, FileScan) if told else 0


def _times(file: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116  thousands of them
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _entries(folder: str) -> str:
    """What stands for the entries of a folder that an import may find."""
    try:
        names = os.listdir(folder)  # noqa: PTH208  hundreds of them
    except OSError:
        return fingerprint.ABSENT
    own = (name for name in names if not name.startswith(_FOREIGN) and not name.endswith("~"))
    return fingerprint.of_value(sorted(own))

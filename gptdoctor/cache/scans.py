"""The scans of earlier runs, for the files on whose account nothing has changed.

A file's scan is believed while the file is what it was, the files that its questions led to answer
as they did, and the folders that were looked into have the entries that they had.  Sizes and times
are the witness where they are the same; where they are not, the contents decide: what was only
touched, or checked out and back again, is known.  Where a file has changed, it is read for which
of its names have (`gptdoctor.source.told`), and those who asked for others keep what is known.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path

from gptdoctor.cache import fingerprint
from gptdoctor.cache.scan_grounds import ScanGrounds
from gptdoctor.cache.scan_record import MOST_FILES, ScanRecord, Stamp, named_key
from gptdoctor.cache.store import Store
from gptdoctor.cache.surroundings import Surroundings
from gptdoctor.cache.tree import TreeState, tree_state
from gptdoctor.cache.tree_signs import outline, signs_in
from gptdoctor.cache.witness import STEP_NS
from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.scans import FileScan, digest_of
from gptdoctor.source.footprints import Footprints
from gptdoctor.source.told import Texts, digests_of, packed, texts_in
from gptdoctor.worker.codec import from_plain, to_plain

# Entries that no import finds: bytecode, and what editors and versioning leave beside a file.
_FOREIGN = ("__pycache__", ".")
_NO_TIMES = -1
# What reading a broken or foreign value may raise.
_BROKEN = (KeyError, IndexError, TypeError, ValueError, AttributeError)


class ScanCache:
    """What is kept of the scans of one project."""

    def __init__(self, store: Store, around: Surroundings, root: Path) -> None:
        self._store = store
        self._folders = (root, *around.folders)
        self._key = fingerprint.of_value(["scans", around.fingerprint, str(root)])
        self._since_ns = time.time_ns()
        self._record = self._read_record()
        self._known_grounds: ScanGrounds | None = None
        self._moved = False  # whether something has to be written anew though no scan is
        self._stale_files: set[str] | None = None
        self._edited: dict[str, str | None] = {}  # digests of files that are not what they were
        self._texts: dict[str, Texts | None] = {}

    def known(self, files: Iterable[Path], named: Collection[Path]) -> dict[Path, FileScan]:
        """The scans of those files that would come out the same."""
        stale = self._stale()
        found = {}
        for file in files:
            scan = self._record.scans.get(_key(file, named)) if str(file) not in stale else None
            if scan is not None:
                found[file] = self._scan_of(str(file), scan)
        return {file: scan for file, scan in found.items() if scan is not None}

    def told(self) -> frozenset[str]:
        """The files of which is known what they tell others, as they are now."""
        known = self._grounds().told
        return frozenset(file for file in known if file not in self._edited)

    def keep(
        self,
        scans: Mapping[Path, FileScan],
        named: Collection[Path],
        footprints: Footprints,
        told: Mapping[Path, dict[str, str]],
    ) -> None:
        """Keep what was found since the cache was opened."""
        grounds, record = self._grounds(), self._record
        self._let_go()
        grounds.add(footprints, told)
        for file, scan in scans.items():
            stamp = self._stamp(str(file), scan.digest)
            if stamp is not None and not scan.failed:
                record.stamps[str(file)] = stamp
                record.scans[_key(file, named)] = plain = _plain(scan)
                grounds.note_lines(str(file), plain)
        for path in {str(one) for found in footprints.files.values() for one in found}:
            stamp = None if path in record.stamps else self._stamp(path, None)
            if stamp is not None:
                record.stamps[path] = stamp
        for folder in {str(one) for folders in footprints.folders.values() for one in folders}:
            record.folders[folder] = _entries(folder)
        if len(record.stamps) <= MOST_FILES:
            self._write()

    def keep_times(self) -> None:
        """Where nothing was scanned: keep the times of files that were touched, or edited."""
        if self._stale():
            self._let_go()
        if self._moved or self._edited:
            self._write()

    def _let_go(self) -> None:
        """Forget the scans that are stale; what others rest on is stamped as it is now."""
        grounds, record = self._grounds(), self._record
        for file in self._stale():
            record.drop(file)
        for file, digest in self._edited.items():
            texts = self._texts.get(file)
            if texts is None:
                grounds.told.pop(file, None)
            else:
                grounds.told[file] = packed(digests_of(texts))
            stamp = None if digest is None else self._stamp(file, digest)
            if stamp is not None:
                record.stamps[file] = stamp

    def _write(self) -> None:
        grounds, record = self._grounds(), self._record
        record.tree, grounds.outline = self._outlined(grounds) if grounds.wide else (None, "")
        record.grounds = grounds.token = secrets.token_hex(8)
        self._store.put(f"{self._key} grounds", grounds.to_plain())
        self._store.put(self._key, record.to_plain())

    def _outlined(self, grounds: ScanGrounds) -> tuple[str, str]:
        """What stands for the whole project, and for what is asked of it; "" for nothing does."""
        state = self._tree
        if state is None or state.newest_ns >= self._since_ns - STEP_NS:
            return "", ""  # something may have changed while files were scanned
        grounds.signs = signs_in(state, grounds.signs)
        return state.fingerprint, outline(state, grounds.signs)

    def _read_record(self) -> ScanRecord:
        plain = self._store.get(self._key)
        try:
            return ScanRecord() if plain is None else ScanRecord.from_plain(plain)
        except _BROKEN:
            return ScanRecord()

    def _grounds(self) -> ScanGrounds:
        """What the kept scans rest on; where that is lost, they are let go, too."""
        if self._known_grounds is None:
            plain = self._store.get(f"{self._key} grounds")
            try:
                self._known_grounds = ScanGrounds.from_plain(plain)
            except _BROKEN:
                self._known_grounds = ScanGrounds()
            if self._known_grounds.token != self._record.grounds:  # another process wrote one
                self._record, self._known_grounds = ScanRecord(), ScanGrounds()
        return self._known_grounds

    def _stale(self) -> set[str]:
        """The files whose scans may come out differently now."""
        if self._stale_files is None:
            self._stale_files = self._found_stale()
        return self._stale_files

    def _found_stale(self) -> set[str]:
        record = self._record
        edited = {file for file, stamp in list(record.stamps.items()) if self._differs(file, stamp)}
        folders = {one for one, text in record.folders.items() if _entries(one) != text}
        state = None if record.tree is None else self._tree
        elsewhere = record.tree is not None and (state is None or state.fingerprint != record.tree)
        if not (edited or folders or elsewhere):
            return set()
        grounds = self._grounds()
        moved = {file for file, looked in grounds.looked.items() if looked & folders}
        if elsewhere:
            self._moved = True
            if state is None or outline(state, signs_in(state, grounds.signs)) != grounds.outline:
                moved |= grounds.wide
        return grounds.stale(edited, moved, self._texts_of)

    def _texts_of(self, file: str) -> Texts | None:
        """The texts of a file as it is now."""
        if file not in self._texts:
            try:
                data = Path(file).read_bytes()
            except OSError:
                return None
            if file in self._edited:
                self._edited[file] = digest_of(data)
            self._texts[file] = texts_in(data)
        return self._texts[file]

    def _differs(self, file: str, stamp: Stamp) -> bool:
        """Whether a file is no longer what it was; times that have moved are taken over."""
        now = _times(file)
        if now == stamp[:3]:
            return False
        try:
            digest = None if now is None else digest_of(Path(file).read_bytes())
        except OSError:
            digest = None
        if digest != stamp[3] or now is None:
            self._edited[file] = digest
            return True
        self._moved = True
        self._record.stamps[file] = (*self._settled(now), stamp[3])
        return False

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

    @cached_property
    def _tree(self) -> TreeState | None:
        """The project when it was first looked at: what changes later is seen next time."""
        return tree_state(self._folders)

    def _scan_of(self, file: str, plain: object) -> FileScan | None:
        digest = self._record.stamps[file][3] if file in self._record.stamps else ""
        if plain == 0:
            return FileScan(digest=digest)
        try:
            return from_plain(plain, FileScan)  # type: ignore[no-any-return]
        except ProtocolError:
            return None


def _key(file: Path, named: Collection[Path]) -> str:
    return named_key(str(file)) if file in named else str(file)


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

"""Many files scanned: in this process where they are few, else in one for each processor."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from weakref import WeakKeyDictionary

from gptdoctor.core.scans import FileScan
from gptdoctor.dispatch import all_rules
from gptdoctor.scan_file import failed, scan_file
from gptdoctor.source.footprints import Footprints
from gptdoctor.source.heads import bytes_of
from gptdoctor.source.project import Project
from gptdoctor.source.told import digests_of, texts_in, texts_of

# A processor scans 4 MB a second; below half a second's work, starting others takes as long.
LEAST_BYTES = 2_000_000
# So many pieces for each process that none has long to wait for the last one; each piece reads
# again what its files share, so that more would cost.
PIECES = 6
# The text whose trees may be there at once, in all processes: a tree takes forty times the room of
# its text, so this is 0.7 GB.  What is let go of has to be freed, and some of it read again; fresh
# memory costs as much (a tenth of the scan on a virtual machine where each may have 24 MB).
MOST_KEPT = 16_000_000
# Files that so many others of a piece ask for will be asked for again.
SHARED = 10

# The files of which a project has told already what they tell others.
_TOLD: WeakKeyDictionary[Project, set[Path]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """Files to scan together: they lie in one folder, or in folders side by side."""

    root: Path
    search_paths: tuple[Path, ...]
    files: tuple[Path, ...]
    named: frozenset[Path]
    # For a cache that wants to know what files tell others: those of which it knows.
    told: frozenset[str] | None = None
    room: int = MOST_KEPT


@dataclass(eq=False)
class Results:
    """What was found, by file, and what it rests on."""

    files: dict[Path, FileScan] = field(default_factory=dict)
    footprints: Footprints = field(default_factory=Footprints)
    # For a cache: digests of what each file that was read tells those that ask it, by name.
    told: dict[Path, dict[str, str]] = field(default_factory=dict)

    def take(self, other: Results) -> None:
        """Add what a part of the work gave."""
        self.files.update(other.files)
        self.footprints.take(other.footprints)
        self.told.update(other.told)


def scan_files(
    root: Path,
    search_paths: tuple[Path, ...],
    files: Sequence[Path],
    named: frozenset[Path],
    processes: int | None = None,
    *,
    told: frozenset[str] | None = None,
) -> Results:
    """Scan files, in whatever order; what happens to one of them ends no other."""
    sizes = {file: _size(file) for file in files}
    count = processes or len(_processors())
    whole = Task(root=root, search_paths=search_paths, files=tuple(files), named=named, told=told)
    if count == 1 or sum(sizes.values()) < LEAST_BYTES:
        return run(whole)
    all_rules()  # loaded once, before the processes part
    shared = replace(whole, room=MOST_KEPT // count)
    return _in_processes(list(_pieces(shared, sizes, count * PIECES)), count)


@lru_cache(maxsize=1)
def _project(root: Path, search_paths: tuple[Path, ...]) -> Project:
    return Project(root=root, search_paths=search_paths)


def run_next(task: Task) -> Results:
    """One of several tasks in a process that does nothing else: what files share is read once."""
    project = _project(task.root, task.search_paths)
    project.footprints = Footprints()
    return run(task, project)


def run(task: Task, project: Project | None = None) -> Results:
    """Scan the files of a task, one after the other."""
    project = project or Project(root=task.root, search_paths=task.search_paths)
    results = Results(footprints=project.footprints)
    with _without_collector():
        for file in task.files:
            results.files[file] = scan_file(project, file, named=file in task.named)
            if project.trees.read_lately > task.room:
                _tell(project, task, results)
                _let_go(project)
        _tell(project, task, results)
        _tell_of_unread(project, task, results)
    return results


def _tell(project: Project, task: Task, results: Results) -> None:
    """What the files that are read now tell others."""
    if task.told is None:
        return
    known = _TOLD.setdefault(project, set())
    for module in project.trees.modules():
        if module.file not in known and str(module.file) not in task.told:
            known.add(module.file)
            results.told[module.file] = digests_of(texts_of(module.tree, module.text))


def _tell_of_unread(project: Project, task: Task, results: Results) -> None:
    """The same of files of the project of which no more than lines had to be read so far."""
    if task.told is None:
        return
    known = _TOLD.setdefault(project, set())
    links = project.footprints.files.values()
    asked = {file for found in links for file, names in found.items() if names} - known
    for file in asked:
        fresh = str(file) not in task.told and file.is_relative_to(project.root)
        texts = texts_in(bytes_of(file)) if fresh else None
        if texts is not None:
            results.told[file] = digests_of(texts)
    known |= asked


def _let_go(project: Project) -> None:
    """Drop the trees of all files but those that many others ask for, or that were missed."""
    asked = Counter(one for found in project.footprints.files.values() for one in found)
    shared = {file for file, count in asked.items() if count >= SHARED} | project.trees.missed
    project.forget(project.trees.files - shared)


def _in_processes(tasks: list[Task], count: int) -> Results:
    """The work of several processes; what makes one of them die is done by itself."""
    results = Results()
    pool = ProcessPoolExecutor(count, mp_context=_context(), initializer=_leave_signals)
    try:
        work = {pool.submit(run_next, task): task for task in tasks}
        broken: dict[Task, str] = {}
        for done in as_completed(work):
            try:
                results.take(done.result())
            except (BrokenProcessPool, MemoryError) as error:
                broken[work[done]] = str(error)
    except BaseException:  # Ctrl-C: nobody waits for what has begun
        _end(pool)
        raise
    pool.shutdown()
    for task, why in broken.items():
        results.take(_carefully(task, why))
    return results


def _carefully(task: Task, why: str) -> Results:
    """The files of a task by themselves, to find the one that ends its process."""
    results = Results()
    for file in task.files:
        alone = replace(task, files=(file,))
        with ProcessPoolExecutor(1, mp_context=_context(), initializer=_leave_signals) as pool:
            try:
                results.take(pool.submit(run, alone).result())
            except (BrokenProcessPool, MemoryError):
                path = Project(root=task.root).path_of(file)
                results.files[file] = failed(path, f"its process ended: {why}")
    return results


def _end(pool: ProcessPoolExecutor) -> None:
    running: Mapping[int, multiprocessing.Process] = getattr(pool, "_processes", None) or {}
    for process in list(running.values()):
        process.terminate()
    pool.shutdown(wait=False, cancel_futures=True)


def _pieces(whole: Task, sizes: Mapping[Path, int], count: int) -> Iterator[Task]:
    """Files of about the same size in all, largest first; those of a folder stay together."""
    most = sum(sizes.values()) / count
    found: list[tuple[int, list[Path]]] = []
    for _, group in groupby(whole.files, key=lambda file: file.parent):
        for part in _parts(list(group), sizes, most):
            size = sum(sizes[file] for file in part)
            if found and found[-1][0] + size <= most:
                found[-1] = (found[-1][0] + size, [*found[-1][1], *part])
            else:
                found.append((size, part))
    for _, files in sorted(found, key=lambda one: -one[0]):
        yield replace(whole, files=tuple(files))


def _parts(files: list[Path], sizes: Mapping[Path, int], most: float) -> Iterator[list[Path]]:
    """The files of one folder in parts that are not much larger than `most`."""
    part: list[Path] = []
    room = most
    for file in files:
        if part and sizes[file] > room:
            yield part
            part, room = [], most
        part.append(file)
        room -= sizes[file]
    if part:
        yield part


def _context() -> multiprocessing.context.BaseContext:
    """How processes are made: copies of this one, where no thread of it is in the middle of work.

    A copy has all rules loaded; a fresh interpreter loads them again, in a third of a second.
    """
    safe = "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
    return multiprocessing.get_context("fork" if safe else "spawn")


def _leave_signals() -> None:
    """In a process of the pool: Ctrl-C is the parent's to hear, and it ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _without_collector() -> Iterator[None]:
    """No search for cycles meanwhile: trees have none, and each search looks at all of them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            # Objects that are frozen and thawed count as old: else the next search, which the next
            # object would set off, went through all that was made meanwhile.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def _processors() -> Sequence[int]:
    asked = getattr(os, "sched_getaffinity", None)
    return tuple(asked(0)) if asked is not None else range(os.cpu_count() or 1)


def _size(file: Path) -> int:
    try:
        return os.stat(file).st_size  # noqa: PTH116  thousands of them
    except OSError:
        return 0

"""Where in the user's project running code is, and where it failed."""

from __future__ import annotations

import inspect
import linecache
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from operator import is_
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.crash import Crash

# Longer messages are mostly dumps of tensors or of configurations.
MESSAGE_CHARACTERS = 500
# A statement that raises, also behind an `if` in the same line; an `assert` is none.
_RAISE = re.compile(r"(?:^|[:;]\s*)raise\b")
# Folders below the project's root that hold other people's code all the same.
FOREIGN_FOLDERS = frozenset({"site-packages", "dist-packages", ".venv", "venv", "node_modules"})
# What no project among installed packages is: the code that all models run on.
MACHINERY = frozenset({"functorch", "numpy", "torch"})
# gptdoctor itself, which may lie in the project that it examines (our own repository does).
OURS = f"{Path(__file__).resolve().parents[1]}{os.sep}"
# The standard library and what is installed for it.  Asked before the user's code runs, which may
# leave no search path to find the answer by.
STANDARD = tuple(
    folder + os.sep for name, folder in sysconfig.get_paths().items() if name.endswith("lib")
)


# Paths of files by the names that running code has for them, where no rule tells one from other.
_KNOWN_AS: dict[str, str] = {}


@contextmanager
def known_as(paths: Mapping[str, str]) -> Iterator[None]:
    """Take code that was compiled under one of these names for code of that path of the project.

    Cells of a notebook have such names, and scripts that were started by a relative path.
    """
    _KNOWN_AS.update(paths)
    project_path.cache_clear()
    _INSTALLED.clear()
    _LAST.clear()
    try:
        yield
    finally:
        _KNOWN_AS.clear()
        project_path.cache_clear()


# By root: in a folder of installed packages the project is one of them, and its neighbours are
# not its own.
_PACKAGES: dict[str, str] = {}


def innermost(error: BaseException) -> FrameType | None:
    """The frame that raised an error; None where it was not raised."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1] if frames else None


def settle_package(root: str, path: str) -> None:
    """Hold nothing in a folder of installed packages for the user's but what `path` lies in."""
    if Path(root).name in FOREIGN_FOLDERS:
        _PACKAGES[root] = path.partition("/")[0]
        project_path.cache_clear()


# Loaded modules, by name, that are known to lie in no project that is not installed itself.
_INSTALLED: dict[str, ModuleType] = {}


# By root: what was loaded when it was last asked for, and which of it may be of the project.
_LAST: dict[str, tuple[list[ModuleType], list[ModuleType]]] = {}


def loaded_modules(root: str) -> Iterator[ModuleType]:
    """The loaded modules that may be of the project at `root`.

    Of thousands a handful is, and it is asked which a dozen times for each model, and at every step
    of one whose call is given: where the same are loaded as before, none is looked at again.
    """
    loaded = list(sys.modules.values())
    if FOREIGN_FOLDERS.intersection(Path(root).parts):
        yield from loaded
        return
    before, found = _LAST.get(root, ([], []))
    # by identity: some that lie there are no modules, and may have an equality of their own
    if len(before) != len(loaded) or not all(map(is_, before, loaded)):
        found = [one for name, one in list(sys.modules.items()) if not _is_elsewhere(name, one)]
        _LAST.clear()  # one answer at a time: it keeps alive what was loaded
        _LAST[root] = loaded, found
    yield from found


def _is_elsewhere(name: str, module: ModuleType) -> bool:
    """Whether a loaded module is installed; what was found to be is not looked at again."""
    if _INSTALLED.get(name) is module:
        return True
    file = getattr(module, "__dict__", {}).get("__file__")
    if isinstance(file, str) and file not in _KNOWN_AS and _is_installed(file):
        _INSTALLED[name] = module
        return True
    return False


@cache  # asked again for each module of the standard library, which lies in no such folder
def _is_installed(file: str) -> bool:
    """Whether it is of no project: torch has modules that say that they lie in a mere `_ops.py`."""
    path = Path(file)
    foreign = file.startswith((*STANDARD, OURS)) or FOREIGN_FOLDERS.intersection(path.parts)
    return bool(foreign) or not path.is_absolute()


@cache  # asked for every frame of a watched run
def project_path(filename: str, root: str) -> str | None:
    """The path of `filename` relative to `root` with "/", or None where it is not the user's."""
    if filename in _KNOWN_AS:
        return _KNOWN_AS[filename]
    if not filename.startswith(root + os.sep) or filename.startswith(OURS):
        return None
    relative = filename[len(root) + 1 :]
    parts = Path(relative).parts
    if parts[0] != _PACKAGES.get(root, parts[0]):
        return None
    if parts[0] in MACHINERY and Path(root).name in FOREIGN_FOLDERS:
        return None
    return None if FOREIGN_FOLDERS.intersection(parts) else "/".join(parts)


def symbol_of(code: CodeType) -> str:
    """The qualified name of a function as the scan writes it: no `<locals>`, "" at module level."""
    name = code.co_qualname.replace(".<locals>", "")
    parts = [part for part in name.split(".") if not part.startswith("<")]
    return ".".join(parts)


def user_place(frame: FrameType | None, root: str) -> Place | None:
    """The innermost place of the user's project on the stack that ends in `frame`."""
    while frame is not None:
        path = project_path(frame.f_code.co_filename, root)
        if path is not None:
            return Place(path=path, symbol=symbol_of(frame.f_code), line=frame.f_lineno)
        frame = frame.f_back
    return None


def crash_of(error: BaseException, root: str, stage: str) -> Crash:
    """The crash that `error` tells of, at the innermost frame of the user's project."""
    found = _innermost(error.__traceback__, root)
    message = _text(error)[:MESSAGE_CHARACTERS]
    if found is None:
        return Crash(stage=stage, kind=type(error).__name__, message=message)
    path, line, frame, innermost = found
    statement = linecache.getline(frame.f_code.co_filename, line).strip()
    return Crash(
        stage=stage,
        kind=type(error).__name__,
        message=message,
        path=path,
        symbol=symbol_of(frame.f_code),
        line=line,
        statement=statement[:MESSAGE_CHARACTERS],
        raised_there=innermost and _RAISE.search(statement) is not None,
        shapes=_shapes(frame),
    )


def place_in(error: BaseException, function: Callable[..., object], root: str) -> Place | None:
    """The line of the user's `function` at which what it called failed; None: it is not there."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code is code:
            path = project_path(code.co_filename, root)
            return None if path is None else Place(path=path, symbol=symbol_of(code), line=line)
    return None


def told(error: BaseException, root: str) -> str:
    """An error in one line: what, and where in the user's code, or else in ours."""
    crash = crash_of(error, root, "")
    path, line = crash.path, crash.line
    if path is None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        path, line = "/".join(Path(last.filename).parts[-2:]), last.lineno
    return f"{crash.kind}: {crash.message} at {path}:{line}"


def _text(error: BaseException) -> str:
    """The error's own text; the user's class may fail at telling it."""
    try:
        text = str(error)
    except Exception as worse:
        return f"(its text cannot be told: {type(worse).__name__})"
    # What follows is advice on the settings of a debugger, the same for all of them.
    return text.partition("\n")[0] if text.startswith("CUDA error:") else text


def _innermost(trace: TracebackType | None, root: str) -> tuple[str, int, FrameType, bool] | None:
    """Path, line and frame of the last user frame, and whether nothing was called from there."""
    found = None
    while trace is not None:
        path = project_path(trace.tb_frame.f_code.co_filename, root)
        if path is not None:
            found = (path, trace.tb_lineno, trace.tb_frame, trace.tb_next is None)
        trace = trace.tb_next
    return found


def _shapes(frame: FrameType) -> tuple[str, ...]:
    """The shapes of the tensors that are local to `frame`: "x [3, 7, 64]"."""
    shapes = (
        (name, _shape(value)) for name, value in frame.f_locals.items() if name.isidentifier()
    )
    return tuple(f"{name} {list(shape)}" for name, shape in shapes if shape is not None)


def _shape(value: object) -> tuple[int, ...] | None:
    """The shape of a tensor; None: it is something else.

    Modules have shapes of their own, and one that is half built may fail at telling its dtype.
    """
    try:
        shape = getattr(value, "shape", None) if hasattr(value, "dtype") else None
    except Exception:
        return None
    return shape if isinstance(shape, tuple) else None

"""The import statements of the user's own files as they run: which fail, and what then."""

from __future__ import annotations

import builtins
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType, ModuleType, TracebackType
from typing import Any, NoReturn

from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.stand_in import Grafted, Refusal, RefusedError, StandIn

_Key = tuple[str, str, str | None]  # file, module, name in it
_PLAIN = builtins.__import__  # nothing of the user's has run yet


@contextmanager
def unwatched() -> Iterator[None]:
    """Where no code of the user's runs, and torch's own imports so often that it counts."""
    watching, builtins.__import__ = builtins.__import__, _PLAIN
    try:
        yield
    finally:
        builtins.__import__ = watching


@dataclass(kw_only=True)
class Failure:
    """An import statement that did not resolve; what becomes of it is learned later."""

    path: str
    line: int
    module: str
    name: str | None
    error: str
    asked: tuple[str, ...]  # the names that the statement wanted from the module
    star: bool  # `from module import *`: no stand-in can know what it would have brought
    escaped: bool = False  # no handler of the user's stopped the error
    used: bool = False  # the stand-in was asked for what it cannot give
    dropped: bool = False  # decorators or mixins that it would have brought were done without

    @property
    def key(self) -> _Key:
        """What makes two failures the same, whichever line each is on."""
        return self.path, self.module, self.name


class MissingError(RefusedError, ImportError):
    """An import that did not resolve is needed after all.

    An ImportError, as the user's own handlers around the place where it is needed may expect.
    """

    origin: Failure

    def withdraw(self) -> None:
        """What needed the import could be done without."""
        self.origin.used = False


class ProjectImports:
    """Watches the imports of the files below `root`, and answers some of them with stand-ins."""

    def __init__(self, root: str) -> None:
        self.failures: dict[_Key, Failure] = {}
        self.root = root
        self._paths: dict[str, str | None] = {}
        self._refusals: dict[_Key, Refusal] = {}  # of the stand-ins, by what they stand for
        # The errors of the present attempt, to be found again in the one that ends it.
        # None: the file is loaded, and a handler that runs in every forward must cost nothing.
        self._raised: list[tuple[Exception, Failure]] | None = []
        self._import = builtins.__import__

    def install(self) -> None:
        """Watch from now on, for as long as the process lives: functions import late."""
        paths, original, watch = self._paths, self._import, self._watch

        def watched(
            name: str,
            globals: Mapping[str, Any] | None = None,  # noqa: A002  the names of the original
            locals: Mapping[str, Any] | None = None,  # noqa: A002
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> Any:
            """Most calls are those of torch's functions that import late: tens of thousands."""
            try:
                frame = sys._getframe(1)
            except ValueError:  # compiled code imports in a thread of its own: torch's, going back
                return original(name, globals, locals, fromlist or (), level)
            filename = frame.f_code.co_filename
            if filename in paths and paths[filename] is None:
                return original(name, globals, locals, fromlist or (), level)
            return watch(name, globals, locals, fromlist or (), level, frame)

        builtins.__import__ = watched

    def settle(self) -> None:
        """The file is loaded; what is caught from now on need not be kept."""
        self._raised = None

    @property
    def has_stand_ins(self) -> bool:
        """Whether some import is answered with a stand-in, which other files may import in turn."""
        return bool(self._refusals)

    def stand_in_for(self, error: BaseException) -> bool:
        """Provide stand-ins for the failures behind `error`; False where there is none to give."""
        links = {id(link) for link in _chain(error)}
        escaped = [failure for raised, failure in self._raised or () if id(raised) in links]
        self._raised = []
        fresh = False
        for failure in escaped:
            failure.escaped = True
            if failure.star:
                failure.used = True
            elif failure.key not in self._refusals:
                self._refusals[failure.key] = _refusal(failure)
                fresh = True
        return fresh

    def _watch(
        self,
        name: str,
        globals: Mapping[str, Any] | None,  # noqa: A002  the names of the original
        locals: Mapping[str, Any] | None,  # noqa: A002
        fromlist: Sequence[str],
        level: int,
        frame: FrameType,
    ) -> Any:
        path = self._path(frame.f_code.co_filename)
        if path is None:
            return self._import(name, globals, locals, fromlist, level)
        module = _absolute(name, globals, level)
        refuse = self._refusals.get((path, module, None))
        if refuse is not None:
            return StandIn(module, refuse) if fromlist else _grafted(module, refuse)
        try:
            found = self._import(name, globals, locals, fromlist, level)
        except (RefusedError, MemoryError):
            raise
        except Exception as error:  # a package may fail as it likes where its device is missing
            if not self._from_below(error):
                self._note(path, frame.f_lineno, module, None, error, fromlist)
            raise
        lacking = [each for each in fromlist if each != "*" and _lacks(found, each)]
        return self._complete(found, lacking, path, frame.f_lineno, module) if lacking else found

    def _complete(
        self, found: ModuleType, lacking: Sequence[str], path: str, line: int, module: str
    ) -> ModuleType:
        """The module with stand-ins for the names that it lacks, or the error of the first."""
        grafts, errors = {}, []
        for name in lacking:
            refuse = self._refusals.get((path, module, name))
            if refuse is not None:
                grafts[name] = StandIn(f"{module}.{name}", refuse)
                continue
            # Raised here, in the interpreter's words, so that it is known when it comes back.
            origin = getattr(found, "__file__", None) or "unknown location"
            text = f"cannot import name {name!r} from {module!r} ({origin})"
            errors.append(ImportError(text, name=module, path=origin))
            self._note(path, line, module, name, errors[-1], [name])
        if errors:
            raise errors[0]
        return Grafted(found, grafts)

    def _note(
        self,
        path: str,
        line: int,
        module: str,
        name: str | None,
        error: Exception,
        asked: Sequence[str],
    ) -> None:
        failure = Failure(
            path=path,
            line=line,
            module=module,
            name=name,
            error=f"{type(error).__name__}: {error}",
            asked=tuple(asked),
            star="*" in asked,
        )
        failure = self.failures.setdefault(failure.key, failure)
        if self._raised is not None:
            self._raised.append((error, failure))

    def _path(self, filename: str) -> str | None:
        try:
            return self._paths[filename]
        except KeyError:
            return self._paths.setdefault(filename, project_path(filename, self.root))

    def _from_below(self, error: Exception) -> bool:
        """Whether a module of the user's raised the error, or is it: then it is told there."""
        if isinstance(error, SyntaxError) and self._path(error.filename or "") is not None:
            return True
        trace: TracebackType | None = error.__traceback__
        while trace is not None:
            filename = trace.tb_frame.f_code.co_filename
            if filename != __file__ and self._path(filename) is not None:
                return True
            trace = trace.tb_next
        return False


def _refusal(failure: Failure) -> Refusal:
    """What the stand-in for a failed import does when it is needed."""

    def refuse(needed: str) -> NoReturn:
        failure.used = True
        raise MissingError(
            f"{needed} is needed here, and the import in line {failure.line} of {failure.path} "
            f"failed with {failure.error}",
            refuse,
            failure,
        )

    return refuse


def _absolute(name: str, scope: Mapping[str, Any] | None, level: int) -> str:
    """The module that an import statement means; dots stay where there is no package."""
    package = (scope or {}).get("__package__") or ""
    if not level:
        return name
    try:
        return importlib.util.resolve_name("." * level + name, package)
    except ImportError:
        return "." * level + name


def _lacks(module: ModuleType, name: str) -> bool:
    """Whether `from module import name` is about to fail, other than in a circle of imports."""
    try:
        if hasattr(module, name) or f"{module.__name__}.{name}" in sys.modules:
            return False
    except ImportError:
        return True  # a lazy module, such as those of transformers, that could not load the name
    return not getattr(getattr(module, "__spec__", None), "_initializing", False)


def _grafted(module: str, refuse: Refusal) -> object:
    """What `import a.b.c` binds as `a` when a.b.c is missing: the real `a`, if there is one."""
    parts = module.split(".")
    with suppress(ImportError):
        importlib.import_module(".".join(parts[:-1]) or module)
    bound: object = StandIn(module, refuse)
    for depth in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:depth])
        real = sys.modules.get(name)
        bound = StandIn(name, refuse) if real is None else Grafted(real, {parts[depth]: bound})
    return bound


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised from, and what was being handled when it was raised."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            yield link
            waiting += [link.__cause__, link.__context__]

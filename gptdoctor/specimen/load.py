"""Imports the file that is to be examined, as its own project would, and says what failed.

The first attempt lets every error rise, so that the user's own fallbacks work.  Where an import
that did not resolve ends it, the user's modules are dropped and loaded again with a stand-in for
exactly that import, in that file alone: the model may do without it.  Their top level therefore
runs, and prints, once for each such import.  Work at the top level is left out (`module_run`).
Whether a stand-in was needed is learned later, when the model is built: `Loaded.dependencies` is
to be asked before and after.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from types import ModuleType

from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.import_dependencies import ImportDependencies, ImportFailure
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.specimen.loaded_files import loaded_files
from gptdoctor.specimen.module_run import ModuleRunner
from gptdoctor.specimen.overlay import Overlay
from gptdoctor.specimen.places import crash_of, project_path, settle_package
from gptdoctor.specimen.project_imports import Failure, ProjectImports
from gptdoctor.specimen.small_names import give
from gptdoctor.specimen.stand_in import RefusedError, StandIn
from gptdoctor.specimen.surroundings import lacking
from gptdoctor.specimen.target_file import TargetFile


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The imported file, or why it could not be imported."""

    path: str  # of the file, relative to the root
    module: ModuleType | None
    crash: Crash | None  # None: imported
    lack: str  # what this machine lacks to import it, "" where that is not why it failed
    seconds: float
    imports: ProjectImports
    runner: ModuleRunner

    def dependencies(self, construction: Construction | None = None) -> ImportDependencies:
        """The measurement, as far as it is known before or after the model was built."""
        failures = self.imports.failures.values()
        return ImportDependencies(
            imported=self.module is not None,
            failures=tuple(_import_failure(each, construction) for each in failures),
            seconds=self.seconds,
            skipped=tuple(one for file in self.runner.skipped.values() for one in file),
            files=self.files(),
        )

    def files(self) -> tuple[str, ...]:
        """The source files at work that are loaded now, the model's own first."""
        return tuple(dict.fromkeys((self.path, *loaded_files(self.imports.root))))


def _import_failure(failure: Failure, construction: Construction | None) -> ImportFailure:
    """A failed import, judged by what building the model came to."""
    crash = construction.crash if construction is not None else None
    # An import inside a function, unguarded: the crash is at that very statement.
    fatal = crash is not None and (crash.path, crash.line) == (failure.path, failure.line)
    built = construction is not None and construction.outcome == "built"
    # Without a decorator or mixin, what fails afterwards may fail for want of it.
    blamed = failure.dropped and crash is not None
    return ImportFailure(
        path=failure.path,
        line=failure.line,
        module=failure.module,
        name=failure.name,
        asked=failure.asked,
        guarded=not (failure.escaped or fatal),
        needed=(failure.used or fatal or blamed) and not built,
        error=failure.error,
    )


def load_module(request: ExamineRequest) -> Loaded:
    """Import the file of `request`.  It changes this process for good, which is a job's child."""
    started = perf_counter()
    settle_package(request.root, request.target.path)
    root = Path(request.root)
    file = root / request.target.path
    imports = ProjectImports(request.root)
    runner = ModuleRunner(root=request.root, target=file, wanted=_wanted(request), imports=imports)
    overlay = Overlay(root, request.overlay, runner)
    target = TargetFile(file, root, overlay)
    target.prepare_process()
    overlay.install()
    imports.install()
    module, error = _attempt(target.load)
    while error is not None and imports.stand_in_for(error):
        target.forget()
        runner.forget()
        module, error = _attempt(target.load)
    imports.settle()
    if module is not None:
        give(module, runner.given)
        error = _cause_of_lack(module, request.target.name, runner)
    crash = None if error is None else _import_crash(error, request.root)
    return Loaded(
        path=request.target.path,
        module=module if error is None else None,
        crash=crash,
        lack="" if error is None or crash is None else lacking(error, crash),
        seconds=perf_counter() - started,
        imports=imports,
        runner=runner,
    )


def _wanted(request: ExamineRequest) -> frozenset[str]:
    """The names that the request itself asks of the file."""
    texts = (request.target.name, request.build or "", request.call or "")
    return frozenset(re.findall(r"[^\W\d]\w*", " ".join(texts)))


def _cause_of_lack(module: ModuleType, name: str, runner: ModuleRunner) -> BaseException | None:
    """Why the model's own class could not be defined, where something stands for it."""
    name = name.partition(".")[0]
    made = vars(module).get(name)
    if not isinstance(made, StandIn):
        return None
    try:
        made.refuse()  # it is needed, and the import behind it is to know
    except RefusedError as refused:
        return runner.causes.get((module.__name__, name), refused)


def _attempt(load: Callable[[], ModuleType]) -> tuple[ModuleType | None, BaseException | None]:
    """The module or the error; a `sys.exit()` at the top level of a script is one as well."""
    try:
        return load(), None
    except BaseException as error:
        return None, error


def _import_crash(error: BaseException, root: str) -> Crash:
    """The crash of an import; a syntax error lies where the text is, not where it was imported."""
    crash = crash_of(error, root, "import")
    if not isinstance(error, SyntaxError):
        return crash
    path = project_path(error.filename or "", root)
    if path is None:
        return crash
    return replace(crash, path=path, symbol="", line=error.lineno, raised_there=False, shapes=())

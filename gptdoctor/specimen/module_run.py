"""Runs the user's modules statement by statement, where they do work or something is missing.

What does work is left out, as the text tells it.  A statement that fails for want of a file, a
device or an import is set aside: the names that it would have bound get small values where their
names tell one and the model reads them, else stand-ins, which say what is missing when the model
needs them after all.
"""

from __future__ import annotations
import __future__

import ast
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from gptdoctor.core.accelerators import KERNEL_MAKERS
from gptdoctor.core.measurements.import_dependencies import SkippedStatement
from gptdoctor.source.folders import INSTALLED_FOLDERS
from gptdoctor.source.top_level import Definition, bound
from gptdoctor.source.work import LeftOut, Plan, plan_of
from gptdoctor.specimen.places import MESSAGE_CHARACTERS, project_path
from gptdoctor.specimen.project_imports import Failure, ProjectImports
from gptdoctor.specimen.small_names import Given, value_by_name
from gptdoctor.specimen.stand_in import NotRunError, Refusal, RefusedError, StandIn
from gptdoctor.specimen.surroundings import comes_from_outside
from gptdoctor.specimen.without_stand_ins import without_stand_ins


@dataclass(frozen=True, kw_only=True)
class _Running:
    """One module while it runs."""

    module: ModuleType
    path: str
    text: str
    tree: ast.Module
    plan: Plan
    flags: int  # of the `from __future__` imports, which each part must be compiled with

    def run(self, node: ast.stmt) -> None:
        """Run one statement."""
        part = ast.Module(body=[node], type_ignores=[])
        code = compile(part, self.path, "exec", flags=self.flags, dont_inherit=True)
        exec(code, vars(self.module))  # noqa: S102 - the user's own module


@dataclass
class ModuleRunner:
    """Runs modules below `root`; `wanted` are the names that are asked of the file `target`."""

    root: str
    target: Path
    wanted: frozenset[str]
    imports: ProjectImports
    skipped: dict[str, list[SkippedStatement]] = field(default_factory=dict)  # by path
    given: dict[str, Given] = field(default_factory=dict)  # values that we made up, by name
    # Why a name has a stand-in, by module and name.
    causes: dict[tuple[str, str], BaseException] = field(default_factory=dict)
    _plans: dict[tuple[str, str], tuple[ast.Module, Plan]] = field(default_factory=dict)

    def applies(self, path: str) -> bool:
        """Whether a file is the user's own: the target, or one that no package manager wrote."""
        if path == str(self.target):
            return True
        own = Path(self.root).name not in INSTALLED_FOLDERS
        return own and path.endswith(".py") and project_path(path, self.root) is not None

    def forget(self) -> None:
        """The user's modules are about to run anew."""
        self.skipped.clear()
        self.given.clear()
        self.causes.clear()

    def run(self, module: ModuleType, path: str, text: str) -> bool:
        """Run a module in parts; False where it is to be run as a whole, and nothing was done."""
        try:
            tree, plan = self._planned(path, text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False  # running it will say what is wrong
        if plan.plain and not (self.imports.has_stand_ins or self.skipped):
            return False
        running = _Running(
            module=module, path=path, text=text, tree=tree, plan=plan, flags=_future(tree)
        )
        for step in plan.steps:
            if isinstance(step, LeftOut):
                self._leave_out(running, step.node, step.kind)
            else:
                self._execute(running, step)
        return True

    def _planned(self, path: str, text: str) -> tuple[ast.Module, Plan]:
        """The statements of a file and what becomes of them: the same whenever it runs anew."""
        if (path, text) not in self._plans:
            tree = ast.parse(text, path)
            wanted = self.wanted if path == str(self.target) else None
            self._plans[path, text] = tree, plan_of(tree, wanted)
        return self._plans[path, text]

    def _execute(self, running: _Running, node: ast.stmt) -> None:
        try:
            running.run(node)
            return
        except BaseException as error:
            if not comes_from_outside(error, node):
                raise
            cause = error
        if isinstance(node, Definition) and isinstance(cause, RefusedError):
            slim, dropped = without_stand_ins(node, vars(running.module))
            if dropped and not _is_kernel(cause):
                _borrow(cause, dropped)
                self._execute(running, slim)
                return
        kind = "dependent" if isinstance(cause, RefusedError) else "failed"
        self._leave_out(running, node, kind, cause)

    def _leave_out(
        self, running: _Running, node: ast.stmt, kind: str, error: BaseException | None = None
    ) -> None:
        """Note that a statement did not run, and put something in the place of its names."""
        skipped = SkippedStatement(
            path=project_path(running.path, self.root) or running.path,
            line=node.lineno,
            end_line=node.end_lineno or node.lineno,
            kind=kind,
            text=running.text.split("\n")[node.lineno - 1].strip()[:MESSAGE_CHARACTERS],
            error="" if error is None else f"{type(error).__name__}: {error}"[:MESSAGE_CHARACTERS],
        )
        if kind != "print":
            self.skipped.setdefault(running.path, []).append(skipped)
        if isinstance(error, RefusedError):
            error.withdraw()
        refuse = error.refuse if isinstance(error, RefusedError) else _refusal(skipped)
        scope = vars(running.module)
        name = running.module.__name__
        for lacking in sorted(bound(node) - scope.keys()):
            scope[lacking] = StandIn(lacking, refuse)
            if lacking in running.plan.needed and not isinstance(node, Definition):
                given = value_by_name(lacking, running.tree)
                if given is not None:
                    scope[lacking] = given.value
                    self.given[lacking] = given
            if error is not None:
                self.causes[name, lacking] = error


def _is_kernel(cause: RefusedError) -> bool:
    """Whether what is missing makes kernels, which no function can stand for."""
    origin = cause.origin
    return isinstance(origin, Failure) and origin.module.partition(".")[0] in KERNEL_MAKERS


def _borrow(cause: RefusedError, dropped: list[StandIn]) -> None:
    """Note with each import that what it would have brought is done without."""
    cause.withdraw()
    for stand_in in dropped:
        try:
            stand_in.refuse()
        except RefusedError as refused:
            refused.withdraw()
            if isinstance(refused.origin, Failure):
                refused.origin.dropped = True


def _refusal(skipped: SkippedStatement) -> Refusal:
    """What stands for a name says when the model needs it."""
    reason = skipped.error or skipped.kind

    def refuse(needed: str) -> NoReturn:
        raise NotRunError(
            f"{needed} is needed here, and line {skipped.line} of {skipped.path}, which makes it, "
            f"was not run ({reason})",
            refuse,
            skipped,
        )

    return refuse


def _future(tree: ast.Module) -> int:
    """The compiler's flags for the `from __future__` imports of a module."""
    names = (
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    )
    features: list[Any] = [getattr(__future__, name, None) for name in names]
    flags = 0
    for feature in features:
        flags |= feature.compiler_flag if feature is not None else 0
    return flags

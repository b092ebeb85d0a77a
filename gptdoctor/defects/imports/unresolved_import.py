"""GD501: an import that finds nothing where the model runs."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.import_dependencies import ImportDependencies, ImportFailure
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import Applicability, FixPromise
from gptdoctor.defect import Defect, Proof, Visit
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.dependencies import declared_distribution
from gptdoctor.source.exports import exports
from gptdoctor.source.imports import Guard, ImportSite, bound_names, guarding, import_sites
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node
from gptdoctor.source.optional_names import needed_at
from gptdoctor.source.project import Project
from gptdoctor.source.project_files import (
    files_defining,
    project_files,
    runs_networks,
    serves_networks,
)
from gptdoctor.source.requirements import lacks_packages
from gptdoctor.source.unresolved import Lack, Unresolved, unresolved

CODE = "GD501"
PROBE = "import-dependencies"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for site in import_sites(visit.module):
        if _is_optional(site):
            continue
        lack = unresolved(visit.project, visit.module, site.node)
        if lack is None or not _matters(visit, site):
            continue
        # Where the name is defined, and what is declared, is asked of the whole project.
        visit.project.footprints.wide.add(visit.module.file)
        if _is_note(visit, lack):
            continue  # who imports this file, and what for, is dearer to tell
        # A package that a script wants and that is not there is for its user to install.
        runs = lack.lack is not Lack.PACKAGE and runs_networks(visit.module)
        if runs or serves_networks(visit.project, visit.module):
            yield _suspicion(visit, site, lack)


def _is_optional(site: ImportSite) -> bool:
    """Whether what is around an import already says that a model goes without it."""
    if len(site.parents) == 1:  # the module alone
        return False
    if site.lazy and not any(isinstance(one, ast.ClassDef) for one in site.parents):
        return True
    guard = guarding(site).kind
    return guard is not Guard.NONE and (guard is not Guard.SILENCED or site.lazy)


def _is_note(visit: Visit, lack: Unresolved) -> bool:
    """A declared package that is merely not installed is no fault of the code.

    Nor is one that may come along with a declared one that is not installed either.
    """
    if lack.lack is not Lack.PACKAGE:
        return False
    found = declared_distribution(visit.project, visit.module, lack.module)
    return found is not None or lacks_packages(visit.project, visit.module)


def _matters(visit: Visit, site: ImportSite) -> bool:
    """Whether the model fails when this import does."""
    if site.lazy and not _runs_with_model(visit, site):
        return False
    if not all(_fails(visit, statement) for statement in site.stands_in_for):
        return False
    guard = guarding(site)
    if guard.kind is Guard.SILENCED and guard.statement is not None and not site.lazy:
        names = bound_names(site.node)
        return any(needed_at(visit.module, name, guard.statement) for name in names)
    return guard.kind is Guard.NONE


def _fails(visit: Visit, statement: ast.Try) -> bool:
    """Whether an import in the body of a try statement fails, so that its handler runs."""
    return any(
        unresolved(visit.project, visit.module, node) is not None
        for node in statement.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    )


def _runs_with_model(visit: Visit, site: ImportSite) -> bool:
    """Whether a lazy import stands in what a network does to be built and to be run.

    Other methods, such as one that loads another project's weights, may want what most users
    never install.
    """
    around = Visit(project=visit.project, module=visit.module, parents=site.parents)
    owner = around.owner
    if owner is None or not visit.project.is_network(owner) or around.function is None:
        return False
    return around.function.name in _reached(owner)


def _reached(info: ClassInfo) -> set[str]:
    """Methods that the constructor and the forward pass call, directly or through others."""
    queue = [name for name in info.methods if name in ("__init__", "__call__") or "forward" in name]
    found: set[str] = set()
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            named = {getattr(node, "attr", "") for node in every_node(info.methods[name])}
            queue.extend(named & set(info.methods))
    return found


def _suspicion(visit: Visit, site: ImportSite, lack: Unresolved) -> Suspicion:
    node, module = site.node, visit.module
    around = Visit(project=visit.project, module=module, parents=site.parents)
    details: dict[str, Value] = {
        "module": lack.module,
        "name": lack.names[0] if lack.names else None,
        "names": lack.names,
        "lack": lack.lack.value,
    }
    home = _defined_in(visit.project, module, lack)
    if home is not None:
        details["defined_in"] = home
    return Suspicion(
        rule=CODE,
        location=module.location(node),
        symbol=around.symbol,
        message=_message(lack, home),
        details=details,
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _message(lack: Unresolved, home: str | None) -> str:
    names = ", ".join(f"`{name}`" for name in lack.names)
    what = {
        Lack.NAME: f"the module `{lack.module}` does not define {names}",
        Lack.MODULE: f"there is no module `{lack.module}`",
        Lack.PACKAGE: f"`{lack.module}` is neither in the project nor installed nor declared",
        Lack.PARENT: f"`{lack.module}` climbs out of the package that holds this file",
    }[lack.lack]
    hint = f" ({home} defines it)" if home else ""
    return f"{what}{hint}: the model that needs it cannot be imported"


def _defined_in(project: Project, importer: SourceModule, lack: Unresolved) -> str | None:
    """The file of another module of the project that defines all the missing names itself."""
    if not lack.names:
        return None
    names = frozenset(lack.names)
    for file in _speaking_of(project, importer, lack.names[0]):
        home = None if file == importer.file else project.read(file)
        if isinstance(home, SourceModule) and exports(home).defined.issuperset(names):
            return home.path
    return None


def _speaking_of(project: Project, importer: SourceModule, name: str) -> Iterator[Path]:
    """The files with a line that begins by binding a name, the nearest first.

    One beside the importer is mostly the first, and then no others are looked at.
    """
    here = importer.file.parent
    below = f"{here}{os.sep}"  # a look at texts: to ask thousands for their folder is dear
    inner = [file for file in project_files(project) if str(file).startswith(below)]
    beside = sorted(file for file in inner if file.parent == here)
    yield from (file for file in beside if name in project.heads(file))
    further = (file for file in files_defining(project, name) if file.parent != here)
    yield from sorted(further, key=Path.as_posix)


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, ImportDependencies):
        return
    crash = _construction_crash(record)
    for failure in measurement.failures:
        harmful = not failure.guarded or failure.explains(crash)
        yield _conviction(failure, Status.CONFIRMED if harmful else Status.REFUTED)
    if measurement.imported and not measurement.failures:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message="every import that ran found what it asked for",
            values={"imported": True, "seconds": measurement.seconds},
        )


def _construction_crash(record: ModelRecord) -> Crash | None:
    return next((one.crash for one in record.told(Construction)), None)


def _conviction(failure: ImportFailure, status: Status) -> Conviction:
    wanted = f"`{failure.name}` from `{failure.module}`" if failure.name else f"`{failure.module}`"
    told = "is missing, and the code goes on without it"
    if status is Status.CONFIRMED:
        told = f"could not be imported: {failure.error}"
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=Place(path=failure.path, symbol="", line=failure.line),
        message=f"{wanted} {told}",
        values={
            "module": failure.module,
            "name": failure.name,
            "needed": failure.needed,
            "guarded": failure.guarded,
            "error": failure.error,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The file of the model has to be importable."""
    return "importlib.import_module(MODULE)\n"


SICK = """\
import torch.nn as nn

from .blocks_of_last_year import VeinProjector  # there is no such module


class Model(nn.Module):
    def __init__(self, dim, rank):
        super().__init__()
        self.vein = VeinProjector(dim, rank)
"""

HEALED = """\
import torch.nn as nn

try:
    from .blocks_of_last_year import VeinProjector
except ImportError:

    class VeinProjector(nn.Module):
        def __init__(self, dim, rank):
            super().__init__()
            self.down = nn.Linear(dim, rank, bias=False)
            self.up = nn.Linear(rank, dim, bias=False)


class Model(nn.Module):
    def __init__(self, dim, rank):
        super().__init__()
        self.vein = VeinProjector(dim, rank)
"""

DEFECT = Defect(
    code=CODE,
    name="unresolved-import",
    severity=Severity.HIGH,
    summary="An import finds neither a module nor a name where the model runs.",
    explanation=(
        "The module or the name is missing from the project, from an installed package, or comes "
        "from a package that is neither installed nor declared. An import that is guarded by "
        "try/except counts when the code then uses the name without looking. Not meant: imports "
        "for type checkers, imports behind a test, and declared packages that are merely not "
        "installed. Besides models, scripts are looked at that build or train one."
    ),
    harm=("The file cannot be imported, so that no model in it can be built, trained or loaded."),
    confirmed_by=(
        "The probe import-dependencies imports the file in a process of its own and records every "
        "import statement that fails. An unguarded failure confirms; a failure that the code "
        "deals with, or a file that imports without any, refutes."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={ast.Module: _suspect},
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
    fix=FixPromise(
        applicability=Applicability.SAFE,
        title="Import the name from the module that defines it",
        safety=(
            "Safe where the import was shown to fail and one module of the project defines the "
            "name: the file could not be imported before. Where none does, the import is guarded "
            "and building the model raises a clear error: that is a guess, and never safe."
        ),
        order=0,
        needs="defined_in",
        guess="Guard the import, and say what is missing when a model is built that needs it",
    ),
)

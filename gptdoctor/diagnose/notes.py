"""What is worth knowing of a model and is no defect."""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor.core.diagnosis import SourceError
from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.gradient_flow import GradientFlow
from gptdoctor.core.measurements.import_dependencies import ImportDependencies, SkippedStatement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.diagnose.full_sizes import full_size_notes
from gptdoctor.diagnose.sane_sizes import requirements
from gptdoctor.diagnose.words import some
from gptdoctor.source.dependencies import declared_distribution
from gptdoctor.source.module import SourceModule
from gptdoctor.source.places import Origin
from gptdoctor.source.project import Project

# A script of a few dozen steps is told by its first ones.
MOST_TOLD = 6
_KINDS = {"arguments": "command line", "data": "files"}


def set_aside_declared(
    project: Project, convictions: tuple[Conviction, ...]
) -> tuple[Conviction, ...]:
    """Without the failed imports of packages that the project declares.

    Such a package is merely not installed where the models run: a note, not a defect.
    """
    return tuple(
        one for one in convictions if not (one.rule == "GD501" and _is_declared(project, one))
    )


def notes_of(project: Project, record: ModelRecord) -> tuple[str, ...]:
    """The notes of one model."""
    return (
        *dict.fromkeys(_packages_to_install(project, record)),
        *_not_run(project, record),
        *_not_exercised(record),
        *_dead_ends(record),
        *requirements(record),
        *full_size_notes(record),
        *_nature(record),
    )


def _nature(record: ModelRecord) -> Iterator[str]:
    """What the user says of the model, where that changes what is held against it."""
    if record.target.causal is False:
        yield "not causal, as pyproject.toml says: a position may see later ones by design"


def _is_declared(project: Project, conviction: Conviction) -> bool:
    module = conviction.values.get("module")
    return (
        conviction.status is Status.CONFIRMED
        and isinstance(module, str)
        and _distribution(project, module, conviction.place.path if conviction.place else "")
        is not None
    )


def _distribution(project: Project, module: str, importer: str) -> str | None:
    """The declared package that would bring `module`; None where the project itself should."""
    read = project.read(project.root / importer) if importer else None
    if not isinstance(read, SourceModule):
        return None
    found = project.resolve(module.partition(".")[0], read)
    if found.origin is Origin.PROJECT:
        return None
    return declared_distribution(project, read, module)


def _packages_to_install(project: Project, record: ModelRecord) -> Iterator[str]:
    """What a guard lets pass is optional, and no news."""
    for measured in record.measured:
        if not isinstance(measured.measurement, ImportDependencies):
            continue
        for failure in measured.measurement.failures:
            name = _distribution(project, failure.module, failure.path)
            if name is not None and not failure.guarded:
                yield (
                    f"{name}, which the project declares, is not installed where the model runs: "
                    f"install it, or choose another interpreter with --python"
                )


def _not_run(project: Project, record: ModelRecord) -> Iterator[str]:
    """What of the files' top level was left out, by file."""
    for measured in record.measured:
        if not isinstance(measured.measurement, ImportDependencies):
            continue
        by_path: dict[str, list[SkippedStatement]] = {}
        told = []
        for one in measured.measurement.skipped:
            by_path.setdefault(one.path, []).append(one)
        for path, skipped in by_path.items():
            if all(one.kind == "dependent" for one in skipped):
                continue  # of the failed import behind them a finding or another note tells
            told.append(_list(path, skipped, project.read(project.root / path)))
        if told:
            yield f"not run, as the model is defined without it: {'; '.join(told)}"


def _list(path: str, skipped: list[SkippedStatement], home: SourceModule | SourceError) -> str:
    """The statements of one file: "gpt.py:30 (files), 40-48 (training) and 3 more"."""
    roots = [one for one in skipped if one.kind != "dependent"]
    told = [f"{_lines(one, home)} ({_why(one)})" for one in roots[:MOST_TOLD]]
    more = len(skipped) - len(told)
    return f"{path}:{', '.join(told)}" + (f" and {more} more" if more else "")


def _why(one: SkippedStatement) -> str:
    """What kind of work it is, or what it failed with."""
    return _KINDS.get(one.kind, one.kind) if not one.error else one.error.partition(":")[0]


def _lines(one: SkippedStatement, home: SourceModule | SourceError) -> str:
    """The lines of a statement, "40-48"; in a notebook those of its cell, "cell 3:2-10"."""
    place = home.in_cell(one.line) if isinstance(home, SourceModule) else None
    first = one.line if place is None else place.line
    last = first + one.end_line - one.line
    lines = str(first) if first == last else f"{first}-{last}"
    return lines if place is None else f"cell {place.cell}:{lines}"


def _not_exercised(record: ModelRecord) -> Iterator[str]:
    """Parameters of modules that this call does not run: an idle tower is no defect."""
    for measured in record.measured:
        if not isinstance(measured.measurement, GradientFlow) or measured.measurement.crash:
            continue  # what a crash kept from running is not idle
        told = {
            name
            for part in measured.measurement.unused
            if part.is_forgotten
            for name in part.parameters
        }
        idle = [
            one.name
            for one in measured.measurement.parameters
            if one.state == "none" and not one.ran and one.name not in told
        ]
        if idle:
            yield (f"not exercised by this input: {some(idle)}; their gradients were not measured")


def _dead_ends(record: ModelRecord) -> Iterator[str]:
    """Parameters that act on nothing but a log: used, without a gradient, and no defect."""
    for measured in record.measured:
        if isinstance(measured.measurement, GradientFlow):
            for lost in measured.measurement.lost:
                if lost.acts is False and lost.path:
                    yield (
                        f"used for no result: {some(lost.parameters)}; what comes of them ends at "
                        f"{lost.path}:{lost.line}"
                    )

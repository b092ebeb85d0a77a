"""What a user can write where guessing ends: a build and a call with places to fill in."""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor.core.diagnosis import ToWrite
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.diagnose.reasons import construction_of, missing_import
from gptdoctor.source.classes import ClassInfo, FunctionNode
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

HOLE = "..."  # stands for what the user has to fill in


def to_write(project: Project, record: ModelRecord) -> ToWrite | None:
    """The expressions that are missing; None where no expression would help: the model was run,
    its code failed, or this machine lacks what it needs.

    What could be built is told with the build that was found: only its call is missing then.
    """
    construction = construction_of(record)
    if construction is None or construction.outcome != "not-built":
        return None
    if construction.lack or missing_import(record):
        return None
    target = record.target
    method = next(_methods(project, target, construction.entry or target.entry), None)
    called = "model" if target.entry == "forward" else f"model.{target.entry}"
    inputs = _required(method)
    given = ["ids", *(f"{name}={HOLE}" for name in inputs[1:])]
    return ToWrite(
        build=construction.build if construction.parameters else _build(project, target),
        call=f"{called}({', '.join(given)})",
        built=construction.parameters > 0,
    )


def _build(project: Project, target: ModelTarget) -> str:
    constructor = next(_methods(project, target, "__init__"), None)
    names = _required(constructor)
    given = ", ".join(f"{name}={HOLE}" for name in names)
    return f"{target.name}({given or HOLE})"


def _methods(project: Project, target: ModelTarget, name: str) -> Iterator[FunctionNode]:
    """The definitions of a method, of the class itself before those of its bases."""
    info = _class_of(project, target)
    for link in [] if info is None else [info, *project.bases(info)]:
        if name in link.methods:
            yield link.methods[name]


def _class_of(project: Project, target: ModelTarget) -> ClassInfo | None:
    module = project.read(project.root / target.path)
    if not isinstance(module, SourceModule):
        return None
    return project.classes(module).get(target.name)


def _required(function: FunctionNode | None) -> list[str]:
    """The parameters without a default, `self` left out."""
    if function is None:
        return []
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    without = positional[: len(positional) - len(arguments.defaults)]
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [
        argument.arg
        for argument in [*without[1:], *(each for each, default in named if default is None)]
    ]

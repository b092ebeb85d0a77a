"""Where a temperature scales what tokens are drawn from, and what it meets there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.draws import Draw, mapped_from, power_of, scaling_of, steps_of
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.helper_ways import Path, paths_of
from gptdoctor.source.project import Project
from gptdoctor.source.temperature import Frame
from gptdoctor.source.temperature_numbers import direction


@dataclass(frozen=True, eq=False, kw_only=True)
class Scaled:
    """One scaling by a temperature."""

    node: ast.AST
    temperature: str  # its name
    divides: bool  # by the temperature itself, or multiplies by its reciprocal
    probabilities: bool  # what it meets has been through softmax, and no logarithm since
    function: Function  # where it stands: that of the draw, or a helper's

    @property
    def line(self) -> int:
        """The line it stands on."""
        return getattr(self.node, "lineno", 1)


def scalings_of(draw: Draw, project: Project, function: Function) -> list[Scaled]:
    """The scalings by a temperature before a draw, in a helper as each of its callers gives it."""
    frame = Frame(project, function)
    found = list(scalings_before(draw, frame))
    paths = paths_of(frame, draw.given, mapped_from, scaled=True)
    if found or not any(path[-1][0].argument for path in paths if path[-1][1] == function):
        return found
    for site in callers(project, function):
        caller = Frame(project, site.function)
        inner = Frame(project, function, site.node, caller)
        told = (one for one in scalings_before(draw, inner) if one.function == site.function)
        found.extend(one for one in told if all(one.node is not other.node for other in found))
    return found


def scalings_before(draw: Draw, frame: Frame) -> Iterator[Scaled]:
    """The scalings by a temperature on all ways to a draw; those of one way alone are left out."""
    paths = paths_of(frame, draw.given, mapped_from, scaled=True)
    found = [list(_scalings(one, draw)) for one in paths]
    for scaled in found[0] if found else ():
        if all(any(one.node is scaled.node for one in other) for other in found):
            yield scaled


def _scalings(path: Path, draw: Draw) -> Iterator[Scaled]:
    """Those of one way.  Scaled once, a temperature has a meaning; twice, it may be undone."""
    steps = [(*step, one) for way, one in path for step in steps_of(way, one)]
    scales = [(at, step) for at, step in enumerate(steps) if step[0] in ("scale", "power")]
    drawn = [name for name, *_ in steps]
    if not draw.logits and not {"softmax", "exp", "sigmoid"} & set(drawn):
        return  # drawn from as it is: another rule's
    for at, (name, step, function) in scales:
        scaling = scaling_of(step, function) or power_of(step, function)
        number = direction(scaling.number, function) if scaling is not None else None
        if scaling is None or number is None:
            return
        inner = [one for one in drawn[at + 1 :] if one not in ("scale", "power")]
        mapped = inner[:1] == ["softmax"]
        if name == "power" and not mapped:
            return  # of logits: nobody knows what is meant
        yield Scaled(
            node=step,
            temperature=number[0],
            divides=scaling.divides is (number[1] == 1),
            probabilities=mapped and name == "scale",
            function=function,
        )

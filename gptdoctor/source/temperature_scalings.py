"""Where a temperature scales what tokens are drawn from, and what it meets there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.draws import Draw, direction, mapped_from, scaling_of, steps_of
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.value_ways import Way, ways_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Scaled:
    """One scaling by a temperature."""

    node: ast.AST
    temperature: str  # its name
    divides: bool  # by the temperature itself, or multiplies by its reciprocal
    probabilities: bool  # what it meets has been through softmax, and no logarithm since

    @property
    def line(self) -> int:
        """The line it stands on."""
        return getattr(self.node, "lineno", 1)


def scalings_before(draw: Draw, function: Function) -> Iterator[Scaled]:
    """The scalings by a temperature on all ways to a draw; those of one way alone are left out."""
    ways = ways_of(draw.given, function, mapped_from, scaled=True)
    found = [list(_scalings(one, draw, function)) for one in ways]
    for scaled in found[0] if found else ():
        if all(any(one.node is scaled.node for one in other) for other in found):
            yield scaled


def _scalings(way: Way, draw: Draw, function: Function) -> Iterator[Scaled]:
    """Those of one way.  Scaled once, a temperature has a meaning; twice, it may be undone."""
    steps = list(steps_of(way, function))
    scales = [(at, step) for at, (name, step) in enumerate(steps) if name == "scale"]
    drawn = [name for name, _ in steps]
    if not draw.logits and not {"softmax", "exp", "sigmoid"} & set(drawn):
        return  # drawn from as it is: another rule's
    for at, step in scales:
        scaling = scaling_of(step, function)
        number = direction(scaling.number, function) if scaling is not None else None
        if scaling is None or number is None:
            return
        inner = [name for name in drawn[at + 1 :] if name != "scale"]
        yield Scaled(
            node=step,
            temperature=number[0],
            divides=scaling.divides is (number[1] == 1),
            probabilities=inner[:1] == ["softmax"],
        )

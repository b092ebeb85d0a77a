"""Learnt scales that become numbers of Python's, which the gradient knows nothing of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from gptdoctor.core.measurements.gradient_flow import LearntNumber
from gptdoctor.probes.instruments.attribute_text import commented_line
from gptdoctor.probes.instruments.effects import Effect
from gptdoctor.probes.instruments.gradient_trace import place_of
from gptdoctor.probes.instruments.stack import Line
from gptdoctor.specimen.specimen import Specimen

# What makes one number of a tensor; a number may go wherever a tensor goes.
SINGLE = frozenset({"item", "__float__"})
# A scale is a parameter under a function or two: `self.temperature.exp().clamp(max=100).item()`.
_MOST_STEPS = 8
_STATISTICS = ("Mean", "Sum", "Max", "Min", "Norm", "Std", "Var", "Prod", "Trace", "LinalgVector")


def learnt_scale(value: Tensor) -> Tensor | None:
    """The one parameter that a number is made of, by nothing but functions of single numbers.

    None: data or several parameters take part, or it is a statistic of a weight.
    """
    node = value.grad_fn
    if node is None:
        return value if value.requires_grad and value.numel() == 1 else None
    for _ in range(_MOST_STEPS):
        name = node.name()
        if any(one in name for one in _STATISTICS) and not name.startswith("Clamp"):
            return None
        variable = getattr(node, "variable", None)  # of the last one alone
        if isinstance(variable, Tensor):
            return variable
        before = [one for one, _ in node.next_functions if one is not None]
        if len(before) != 1:
            return None
        node = before[0]
    return None


def learnt_numbers(
    specimen: Specimen, found: Mapping[tuple[Line, str], str]
) -> Iterator[LearntNumber]:
    """Those of these numbers, each with the name of its parameter, that the loss hears of."""
    effect = Effect(specimen)
    for (line, operation), parameter in found.items():
        place = place_of(line, specimen.root)
        slope = effect.slope(operation, line, specimen.seed)
        if place is not None and slope:
            yield LearntNumber(
                path=place.path,
                symbol=place.symbol,
                line=place.line or 0,
                operation=operation,
                code=commented_line(line[0].co_filename, line[1]),
                parameter=parameter,
                slope=slope,
            )

"""What a value is used for that was made without gradients: some uses are why no_grad exists."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from gptdoctor.core.measurements.gradient_flow import GradientCut
from gptdoctor.probes.instruments.attribute_text import commented_line
from gptdoctor.probes.instruments.detach_uses import LOSS, SAME, Uses, origin
from gptdoctor.probes.instruments.effects import loss_of, moved_model
from gptdoctor.probes.instruments.gradient_regions import SWITCHES
from gptdoctor.probes.instruments.gradient_trace import NO_GRAD, GradientTrace, Step
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

_PRODUCTS = frozenset({"mul", "mul_", "__mul__", "__rmul__", "div", "__truediv__"})
# What a loss for each token or row goes through before it is weighed.
_ON_THE_WAY = SAME | {"neg", "__neg__", "gather", "sum", "mean", "masked_fill", "where"}
_LOG_SHARES = re.compile(r"^log_softmax$|^logsigmoid$|^log$|^log_prob$|^logsumexp$")


def with_no_grad_uses(specimen: Specimen, cuts: tuple[GradientCut, ...]) -> tuple[GradientCut, ...]:
    """The cuts, those by a switch that change gradients and take none away with their use.

    "weight": each value that leaves such a place weighs a loss, which the same parameters learn
    by; "target": something is compared with it.  What goes on otherwise is left as it was.
    """
    asked = [cut for cut in cuts if _changes_alone(cut)]
    use = _use(specimen) if asked else ""
    return tuple(
        replace(cut, use=use, code=commented_line(Path(specimen.root) / cut.path, cut.line))
        if cut in asked
        else cut
        for cut in cuts
    )


def _changes_alone(cut: GradientCut) -> bool:
    changes = cut.parameters_changed and not cut.parameters_gained
    return bool(cut.operation in SWITCHES and changes and not cut.repeated)


def _use(specimen: Specimen) -> str:
    """The use of all that was made without gradients; "": some of it goes on as data."""
    model = moved_model(specimen)
    try:
        with warnings.catch_warnings(), GradientTrace(model, specimen.root) as trace:
            warnings.simplefilter("ignore")
            loss_of(specimen, model, specimen.seed)
    except FAILURES:
        return ""
    finally:
        torch._C._set_grad_enabled(True)
    uses = Uses(trace)
    found = {_use_in(step, made, uses) for step in trace.steps for made in _unheard(step)}
    return "" if not found or "" in found else sorted(found)[-1]


def _unheard(step: Step) -> Iterator[Step]:
    """What a step on the graph is given that comes from under a switch."""
    for parent in step.parents if step.live else ():
        if parent.off_graph and parent.derives and _is_switched_off(parent):
            yield parent


def _is_switched_off(step: Step) -> bool:
    waiting, seen = [step], {id(step)}
    while waiting:
        one = waiting.pop()
        if one.operation == NO_GRAD:
            return True
        further = [each for each in one.parents if each.off_graph and id(each) not in seen]
        seen |= {id(each) for each in further}
        waiting += further
    return False


def _use_in(user: Step, made: Step, uses: Uses) -> str:
    """What one operation takes such a value for."""
    if uses.is_distance(user):
        return "target"
    others = [parent for parent in user.parents if parent is not made and parent.live]
    weighs = user.operation in _PRODUCTS and bool(others) and all(map(_is_loss, others))
    return "weight" if weighs else ""


def _is_loss(step: Step) -> bool:
    """Whether a value is a loss, or the logarithm of a share, for each token or row."""
    here = origin(step)
    while here.operation in _ON_THE_WAY and here.parents:
        here = origin(here.parents[0])
    return bool(LOSS.search(here.operation) or _LOG_SHARES.search(here.operation))

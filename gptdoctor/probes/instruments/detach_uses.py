"""What a detached value is used for: some uses are why detach exists."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from gptdoctor.core.measurements.gradient_flow import GradientCut
from gptdoctor.probes.instruments.attribute_text import commented_line
from gptdoctor.probes.instruments.effects import loss_of, moved_model
from gptdoctor.probes.instruments.gradient_trace import GradientTrace, Step, place_of
from gptdoctor.probes.instruments.round_trips import LEAVING
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

DETACHING = frozenset({"detach", "detach_", "data"})
_FOLLOWED = frozenset({"detach", "tolist"})
_SUMS = frozenset({"add", "add_", "sub", "sub_", "rsub", "__rsub__", "__radd__"})
_DIFFERENCES = frozenset({"sub", "sub_", "rsub", "__rsub__"})
# What changes the form of a tensor, or its kind, and not what it says.
SAME = frozenset(
    {
        *("view", "reshape", "flatten", "unflatten", "expand", "expand_as", "unsqueeze", "squeeze"),
        *("transpose", "permute", "contiguous", "clone", "to", "float", "type_as", "view_as"),
        *("__getitem__", "chunk", "split", "narrow", "T", "mT", "t", "pad", "unfold", "roll"),
    }
)
_STATISTICS = frozenset(
    {
        *("mean", "sum", "amax", "amin", "max", "min", "norm", "vector_norm", "std", "var"),
        *("logsumexp", "abs", "numel", "cumsum"),
    }
)
_DIVISIONS = frozenset({"div", "div_", "__rtruediv__", "true_divide", "reciprocal", "rsqrt"})
_DISTANCES = frozenset({"pow", "square", "abs", "norm", "__pow__", "mul"})
LOSS = re.compile(r"loss|kl_div|entropy|cosine_similarity|cdist|distance")
_ONLOOKERS = re.compile(
    r"(^|[._])(router|gate|gating|score|scorer|aux\w*|mtp|value|critic|probe|confidence|halt\w*|"
    r"exit|predictor|classifier|reward)([._]|$)",
    re.I,
)


def with_uses(specimen: Specimen, cuts: tuple[GradientCut, ...]) -> tuple[GradientCut, ...]:
    """The cuts, each detach that changes gradients and takes none away with what it is for."""
    asked = {
        (cut.path, cut.line)
        for cut in cuts
        if cut.operation in _FOLLOWED and cut.parameters_changed and not cut.parameters_gained
    }
    if not asked:
        return cuts
    uses = uses_of(specimen, asked)
    # What comes back from a list as it left goes on as data.
    uses |= {(c.path, c.line): "" for c in cuts if c.operation == "tolist"}
    return tuple(
        replace(cut, use=use, code=commented_line(Path(specimen.root) / cut.path, cut.line))
        if cut.operation in _FOLLOWED and (use := uses.get((cut.path, cut.line))) is not None
        else cut
        for cut in cuts
    )


def uses_of(specimen: Specimen, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """What the values are used for that are detached at these lines, by path and line.

    "straight-through": another value stands in for it going forward; "target": something is
    compared with it; "statistic": it scales or shifts; "side": it serves a router or an output
    beside the logits; "kept": nothing uses it in this pass; "": it goes on as data.
    """
    wanted = set(places)
    model = moved_model(specimen)
    try:
        with warnings.catch_warnings(), GradientTrace(model, specimen.root) as trace:
            warnings.simplefilter("ignore")
            loss_of(specimen, model, specimen.seed)
            main = _behind_logits(specimen, model, trace)
    except FAILURES:
        return {}
    finally:
        torch._C._set_grad_enabled(True)
    uses, found = Uses(trace), dict[tuple[str, int], list[Step]]()
    for step in trace.steps:
        place = place_of(step.line, specimen.root) if step.operation in DETACHING else None
        key = ("", 0) if place is None else (place.path, place.line or 0)
        if key in wanted and step.parents:
            found.setdefault(key, []).append(step)
    return {key: uses.of_all(steps, main) for key, steps in found.items()}


def _behind_logits(
    specimen: Specimen, model: torch.nn.Module, trace: GradientTrace
) -> set[int] | None:
    """The ids of all steps behind the logits; None where there are none."""
    construction = specimen.construction
    inputs = specimen.make_inputs(construction.batch, construction.length, specimen.seed)
    specimen.reseed()
    logits = specimen.call(model, inputs).logits
    end = None if logits is None else trace.step_of(logits)
    if end is None:
        return None
    waiting, seen = [end], {id(end)}
    while waiting:
        for parent in waiting.pop().parents:
            if id(parent) not in seen:
                seen.add(id(parent))
                waiting.append(parent)
    return seen


def origin(step: Step) -> Step:
    """The step that made a value, before its form was changed."""
    while step.operation in SAME and step.parents:
        step = step.parents[0]
    return step


class Uses:
    """The operations of one pass, each with those that take its result."""

    def __init__(self, trace: GradientTrace) -> None:
        self._trace = trace
        self._following: dict[int, list[Step]] = {}
        # what becomes a list or an array, which no one reduced before
        self._left = {id(one.step) for one in trace.escapes if one.operation in LEAVING}
        for step in trace.steps:
            for parent in step.parents:
                self._following.setdefault(id(parent), []).append(step)

    def of_all(self, steps: Sequence[Step], main: set[int] | None) -> str:
        """The use that all values of one line have; one that goes on as data decides."""
        uses = [self._of(step) for step in steps]
        if "" not in uses:
            return uses[0]
        if any(self._leaves(step) for step in steps):
            return ""
        return "side" if main is not None and not any(id(each) in main for each in steps) else ""

    def _of(self, step: Step) -> str:
        source, users = origin(step.parents[0]), list(self._users(step))
        if not users:
            return "" if self._leaves(step) else "kept"
        if source.operation in _DIFFERENCES or any(self._meets(one, source) for one in users):
            return "straight-through"
        if any(self.is_distance(one) for one in users):
            return "target"
        if source.operation in _STATISTICS or all(_scales(one, step) for one in users):
            return "statistic"
        return "side" if all(self._is_aside(one) for one in users) else ""

    def _users(self, step: Step) -> Iterator[Step]:
        """The operations that take a value, changes of form looked through."""
        for one in self._following.get(id(step), ()):
            if one.operation in SAME:
                yield from self._users(one)
            else:
                yield one

    def _leaves(self, step: Step) -> bool:
        """Whether nothing but a list or an array is made of a value.

        A detach without which gradients change goes on as data there, where no one can follow.
        """
        following = self._following.get(id(step), ())
        here = id(step) in self._left and not following
        return here or any(one.operation in SAME and self._leaves(one) for one in following)

    def _meets(self, user: Step, source: Step) -> bool:
        """Whether what was detached is summed up with the very value that it comes from."""
        if user.operation not in _SUMS:
            return False
        sums = [user, *(one for one in self._users(user) if one.operation in _SUMS)]
        operands = (parent for one in sums for parent in one.parents if parent.live)
        return any(origin(parent) is source for parent in operands)

    def is_distance(self, user: Step) -> bool:
        """Whether an operation compares what it is given."""
        if LOSS.search(user.operation):
            return True
        after = self._users(user)
        return user.operation in _DIFFERENCES and any(one.operation in _DISTANCES for one in after)

    def _is_aside(self, user: Step) -> bool:
        """Whether the layer that takes a value is a router's, or another's that looks on."""
        layers = [one for one in user.parents if one.operation == "parameter"]
        names = {name for one in layers for name in self._trace.named(one.derives)}
        return bool(names) and all(_ONLOOKERS.search(name) for name in names)


def _scales(user: Step, step: Step) -> bool:
    """Whether a value is reduced to a statistic, or something is divided by it."""
    if user.operation in _STATISTICS:
        return True
    first = user.parents[0] if user.parents else step
    return user.operation in _DIVISIONS and origin(first) is not step

"""What became of the gradient of parameters that a forward pass uses, and that have none."""

from __future__ import annotations

import linecache
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from gptdoctor.core.measurements.gradient_flow import LostGradient
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.attribute_text import commented_line
from gptdoctor.probes.instruments.effects import Effect, loss_of, moved_model
from gptdoctor.probes.instruments.gradient_trace import (
    Disturbance,
    Escape,
    GradientTrace,
    Step,
    deaths,
    place_of,
    way_to,
)
from gptdoctor.probes.instruments.stack import Line
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import OwnLoss, Specimen

BATCHES = 3  # experts that the first batch leaves idle
# What models hand on beside their result, for looking at or for the next call: nobody makes a loss
# of it by its having been returned.
HANDED_ON = re.compile(
    r"((last|encoder|decoder|all)_)?hidden(_?states?)?|(cross_|self_)?attentions?|attn_weights|"
    r"past(_key_values?)?|(new_|kv_)?caches?|present(s|_key_values?)?"
)


@dataclass(eq=False, kw_only=True)
class Lost:
    """One way in which parameters are lost: the step or the escape, by place and operation."""

    operation: str
    line: Line | None
    names: list[str] = field(default_factory=list)
    way: list[Step] = field(default_factory=list)  # from the nearest parameter
    nearest: str = ""
    escape: Escape | None = None
    acts: bool | None = None
    share: float = 1.0  # of the parameters


def lost_gradients(
    specimen: Specimen, lacking: Sequence[str]
) -> tuple[tuple[LostGradient, ...], frozenset[str]]:
    """Where the gradients of the parameters named `lacking` end, and whether these act at all.

    The second result: those that no operation is given.  Those that another output of the model
    would give a gradient are left out of both.
    """
    effect = Effect(specimen)
    found: list[LostGradient] = []
    wanted, untouched = set(lacking), set(lacking)
    for seed in range(specimen.seed, specimen.seed + BATCHES):
        traced = traced_pass(specimen, seed)
        if traced is None:
            return tuple(found), frozenset()
        wanted -= traced.served
        untouched -= traced.served | traced.used()
        new = list(lost_in(traced, wanted))
        wanted -= {name for one in new for name in one.names}
        for one in new:
            one.acts = effect.of(one.names, seed)
        found += [told(one, specimen, traced) for one in _chosen(new, effect, seed)]
        if not wanted:
            break
    return tuple(found), frozenset(untouched)


@dataclass(kw_only=True)
class TracedPass:
    """One watched forward pass."""

    trace: GradientTrace
    end: Step | None
    served: set[str]  # parameters that some output, or what is kept of it, has a path to
    written: set[str]  # parameters that the pass itself changed

    def used(self) -> set[str]:
        """The parameters that some operation was given."""
        return self.trace.named(self.trace.used)


def traced_pass(
    specimen: Specimen, seed: int, watch: Callable[[nn.Module, str], GradientTrace] = GradientTrace
) -> TracedPass | None:
    """A forward pass with moved weights, seen by `watch`; None where it crashes."""
    model = moved_model(specimen)
    before = {name: (each, each._version) for name, each in model.named_parameters()}
    values = {name: each.detach().clone() for name, each in model.named_parameters()}
    trace, outputs = watch(model, specimen.root), _Outputs()
    hook = register_module_forward_hook(outputs)
    try:
        with warnings.catch_warnings(), trace:
            warnings.simplefilter("ignore")
            loss = loss_of(specimen, model, seed)
            end = trace.step_of(loss)
    except FAILURES:
        return None
    finally:
        hook.remove()
        torch._C._set_grad_enabled(True)
    served = 0
    for each in outputs.of(model):
        step = trace.step_of(each)
        served |= 0 if step is None else step.live
    for own in specimen.own_losses[1:]:
        served |= _served_by(own, specimen, seed)
    return TracedPass(
        trace=trace,
        end=end,
        served=trace.named(served),
        written={
            name
            for name, (each, version) in before.items()
            if each._version != version or not torch.equal(each.detach(), values[name])
        },
    )


def _served_by(own: OwnLoss, specimen: Specimen, seed: int) -> int:
    """The parameters that another loss of the model's has a path to, as bits."""
    construction = specimen.construction
    model = moved_model(specimen)
    try:
        inputs = specimen.make_inputs(construction.batch, construction.length, seed)
        specimen.reseed()
        with warnings.catch_warnings(), GradientTrace(model, specimen.root) as trace:
            warnings.simplefilter("ignore")
            step = trace.step_of(own.run(model, inputs))
    except FAILURES:
        return 0
    finally:
        torch._C._set_grad_enabled(True)
    return 0 if step is None else step.live


class _Outputs:
    """A hook that keeps what each call of a module returned last."""

    def __init__(self) -> None:
        self._returned: dict[int, Any] = {}

    def __call__(self, module: nn.Module, args: object, output: Any) -> None:
        self._returned[id(module)] = output

    def of(self, model: nn.Module) -> Iterator[Tensor]:
        """The tensors that the model returned, and those that its modules keep."""
        returned = self._returned.get(id(model))
        if not isinstance(returned, Tensor) and hasattr(returned, "__dict__"):
            returned = dict(vars(returned))  # a dataclass, or an object of the user's
        if isinstance(returned, Mapping):
            returned = {k: v for k, v in returned.items() if not HANDED_ON.fullmatch(str(k))}
        yield from (each for each in tensors(returned) if each.grad_fn is not None)
        for module in model.modules():
            yield from (each for each in tensors(dict(vars(module))) if each.grad_fn is not None)


def lost_in(traced: TracedPass, wanted: set[str]) -> Iterator[Lost]:
    """The places at which the wanted parameters lose their paths, each once."""
    found: dict[tuple[str, Line | None], Lost] = {}
    for number, name in enumerate(traced.trace.names):
        bit = 1 << number
        if name not in wanted or not traced.trace.used & bit:
            continue
        for operation, step, escape in _ends(traced, bit):
            line = escape.line if escape is not None and step is escape.step else step.line
            one = found.setdefault((operation, line), Lost(operation=operation, line=line))
            one.escape = one.escape or escape
            if name not in one.names:  # two ends on one line are one loss
                one.names.append(name)
            way = way_to(_before(step, bit), bit)
            if not one.way or len(way) < len(one.way):
                one.way, one.nearest = way, name
    yield from found.values()


def _ends(traced: TracedPass, bit: int) -> Iterator[tuple[str, Step, Escape | None]]:
    """Where a parameter's gradient ends: on the way to the loss, else where it left torch."""
    if traced.end is not None and traced.end.derives & bit:
        for step in dict.fromkeys(deaths(traced.end, bit)):
            yield step.operation, step, None
        return
    for escape in traced.trace.escapes:
        if escape.step.live & bit:
            yield escape.operation, escape.step, escape
        elif escape.step.derives & bit:
            for step in dict.fromkeys(deaths(escape.step, bit)):
                yield step.operation, step, escape


def _before(step: Step, bit: int) -> Step:
    """The last operation that had a path to the parameter."""
    if step.live & bit:
        return step
    return next((parent for parent in step.parents if parent.live & bit), step)


def _chosen(found: list[Lost], effect: Effect, seed: int) -> Iterator[Lost]:
    """Of several places where the same parameters leave torch, those whose value is used.

    A number for a log and a number for the model look alike until it is another number.
    """
    through = [one for one in found if one.escape is not None and one.acts]
    yield from (one for one in found if one not in through)
    if len(through) < 2:
        yield from through
        return
    heard = [
        one
        for one in through
        if one.escape is not None
        and one.escape.line is not None
        and effect.of_value(Disturbance(one.escape.operation, one.escape.line), seed)
    ]
    for one in through:
        if heard and one not in heard:
            one.acts = False
        yield one


def told(lost: Lost, specimen: Specimen, traced: TracedPass) -> LostGradient:
    """What the measurement says of one way in which parameters are lost."""
    place = place_of(lost.line, specimen.root)
    return LostGradient(
        path=place.path if place is not None else "",
        symbol=place.symbol if place is not None else "",
        line=(place.line or 0) if place is not None else 0,
        operation=lost.operation,
        code="" if lost.line is None else commented_line(lost.line[0].co_filename, lost.line[1]),
        parameters=tuple(lost.names),
        acts=lost.acts,
        through_python=lost.escape is not None,
        twin=_twin(specimen.model, lost.names),
        written=tuple(name for name in lost.names if name in traced.written),
        trail_from=lost.nearest,
        trail=tuple(_trail(lost, specimen.root)),
        share=lost.share,
    )


def _trail(lost: Lost, root: str) -> Iterator[str]:
    """The user's lines from the parameter to the place, "gpt.py:12 x = self.f(x)"."""
    lines = dict.fromkeys(step.line for step in lost.way if step.line is not None)
    for line in (*(each for each in lines if each != lost.line), lost.line):
        place = place_of(line, root)
        if line is not None and place is not None:
            text = linecache.getline(line[0].co_filename, line[1]).strip()
            yield f"{place.path}:{place.line} {text}"


def _twin(model: nn.Module, names: Sequence[str]) -> str:
    """A parameter that another one is a copy of, as a teacher's is of its student's; "": none."""
    held = dict(model.named_parameters())
    lost = set(names)
    for name in names:
        mine = held[name]
        if mine.numel() < 2 or float(mine.detach().std()) == 0.0:
            continue  # constants are alike by chance
        for other, theirs in held.items():
            if other not in lost and theirs.shape == mine.shape and torch.equal(theirs, mine):
                return other
    return ""

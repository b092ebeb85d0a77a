"""The ways in which one model can be called: its attention paths, its masks, its mode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.lengths import named_values
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.step_calls import masking_step
from gptdoctor.specimen.duplicate import duplicate
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Outputs, Specimen

_PATH_FLAG = re.compile(
    r"(?:use_|is_|enable_|has_|with_)?_?(?:flash|sdpa|fused)(?:_?attn|_?attention|_attn_2)?"
)
_IMPLEMENTATIONS = ("eager", "sdpa")
_TOKEN_MASK = re.compile(r"attention_mask|(?:input_|token_|src_|tgt_)?(?:key_)?pad(?:ding)?_mask")
_CAPACITY = re.compile(r".*capacity.*")
_WIDER = 64  # times what an expert may take


AS_CALLED = "as called"


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of calling a model."""

    how: str
    steady: Steady
    whole: bool = True  # whether it is worth all lengths
    prepare: Any = field(default=None, repr=False)  # makes the model of it from a copy

    def again(self, seed: int) -> Way:
        """The same with other weights and other inputs."""
        specimen = self.steady.specimen
        model = specimen.copy() if self.prepare is None else self.prepare(specimen.copy())
        steady = self.steady.like(seed, model)
        return Way(how=self.how, steady=steady, prepare=self.prepare)


def ways_of(specimen: Specimen, steady: Steady) -> Iterator[Way]:
    """As it is called, in training, on its other paths, and with a mask that hides nothing.

    Where its own training step makes a mask for it, as that calls it alone: nobody trains it
    without the mask, nor with one of ours.
    """
    step = masking_step(specimen)
    if step is not None:
        name, call = step
        model = specimen.copy().eval()
        yield Way(how=f"as {name} calls it", steady=steady.like(steady.seed, model, call=call))
        return
    yield Way(how=AS_CALLED, steady=steady)
    for how, prepare in _paths(steady.model):
        yield from _prepared(specimen, steady, how, prepare)
    yield from _in_training(specimen, steady)
    yield from _masked(specimen, steady)


def _prepared(specimen: Specimen, steady: Steady, how: str, prepare: Any) -> Iterator[Way]:
    try:
        other = steady.like(steady.seed, prepare(specimen.copy()))
        other.settle()
    except FAILURES:
        return  # a path that this machine, or this model, does not have
    yield Way(how=how, steady=other, prepare=prepare)


def _paths(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """The other attention paths of a model, and what switches to each."""
    config = getattr(model, "config", None)
    current = getattr(config, "_attn_implementation", None)
    if current in _IMPLEMENTATIONS and hasattr(model, "set_attn_implementation"):
        other = _IMPLEMENTATIONS[1 - _IMPLEMENTATIONS.index(current)]
        if other == "eager" or getattr(model, "_supports_sdpa", False):

            def switched(copy: nn.Module) -> nn.Module:
                copy.set_attn_implementation(other)  # type: ignore[operator]
                return copy

            yield f"attention: {other}", switched
    flags = {
        name: value
        for module in model.modules()
        for name, value in vars(module).items()
        if isinstance(value, bool) and _PATH_FLAG.fullmatch(name)
    }
    for name, value in flags.items():
        yield f"{name}={not value}", _switch(name, not value)


def _switch(name: str, value: bool) -> Any:
    def switched(copy: nn.Module) -> nn.Module:
        for module in copy.modules():
            if isinstance(vars(module).get(name), bool):
                setattr(module, name, value)
        return copy

    return switched


def _in_training(specimen: Specimen, steady: Steady) -> Iterator[Way]:
    """In training mode, without what draws random numbers or looks at the whole batch."""

    def training(copy: nn.Module) -> nn.Module:
        copy.train()
        for module in copy.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.p = 0.0
            for name, value in list(vars(module).items()):
                if "drop" in name and isinstance(value, float):
                    setattr(module, name, 0.0)
        return copy

    try:
        other = steady.like(steady.seed, training(specimen.copy()), training=True)
        other.settle()
    except FAILURES:
        return
    if not other.random:
        yield Way(how="in training", steady=other, whole=False, prepare=training)


def _masked(specimen: Specimen, steady: Steady) -> Iterator[Way]:
    """With a mask over the tokens that hides none of them, where the entry takes one."""
    for fact in specimen.construction.optional_inputs:
        given = {each.name for each in specimen.construction.inputs}
        if fact.kind != "mask" or fact.name in given or not _TOKEN_MASK.fullmatch(fact.name):
            continue
        open_value = 0 if "pad" in fact.name and "attention" not in fact.name else 1
        masked = _with_input(specimen, steady, fact.name, open_value)
        try:
            masked.settle()
        except FAILURES:
            continue
        yield Way(how=f"{fact.name} of {'ones' if open_value else 'zeros'}", steady=masked)


def _with_input(specimen: Specimen, steady: Steady, name: str, value: int) -> Steady:
    def call(model: nn.Module, inputs: Any) -> Outputs:
        rows = steady.text.rows(inputs[steady.text.name])
        kind = torch.long if value else torch.bool
        mask = torch.full(tuple(rows.shape[:2]), value, dtype=kind)
        return specimen.call(model, {**inputs, name: mask})

    return steady.like(steady.seed, specimen.copy(), call=call)


def without_capacity(model: nn.Module) -> nn.Module | None:
    """A copy whose experts take all that they are sent; None: nothing limits them.

    Tokens that an expert has no room for are dropped, and who comes first depends on the others.
    """
    if not any(_CAPACITY.fullmatch(name) for name, _ in named_values(model)):
        return None
    copy = duplicate(model)
    shared = {id(value) for module in model.modules() for value in vars(module).values()}
    for module in copy.modules():
        own = (value for value in _holders(module) if id(value) not in shared)
        for holder in (module, *own):
            for name, value in list(vars(holder).items()):
                if _CAPACITY.fullmatch(name) and type(value) in (int, float) and value > 0:
                    try:
                        setattr(holder, name, value * _WIDER)
                    except (AttributeError, TypeError):  # a frozen dataclass
                        object.__setattr__(holder, name, value * _WIDER)
    return copy


def _holders(module: nn.Module) -> Iterator[Any]:
    for value in vars(module).values():
        if hasattr(value, "__dict__") and not isinstance(value, nn.Module | Tensor | type):
            yield value

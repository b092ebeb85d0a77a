"""Parts of a weight that get no gradient, where one weight makes several things at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from gptdoctor.core.measurements.gradient_flow import LostGradient
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.effects import Effect
from gptdoctor.probes.instruments.gradient_trace import NO_GRAD, GradientTrace, Step
from gptdoctor.probes.instruments.lost_gradients import Lost, lost_in, told, traced_pass
from gptdoctor.specimen.specimen import Specimen

SEEDS = 2  # batches in which a part has to be lost: what a choice left out has its turn
# What makes a vector of a weight, and what changes its form alone.
_MAKING = frozenset(
    {
        *("linear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "einsum"),
        *("conv1d", "conv2d", "add", "__add__", "__radd__", "add_", "__iadd__"),
    }
)
_FORMING = frozenset(
    {
        *("view", "reshape", "flatten", "unflatten", "transpose", "permute", "movedim", "swapaxes"),
        *("contiguous", "squeeze", "unsqueeze", "t", "T", "mT", "clone", "float", "to", "type_as"),
    }
)
_CUTTING = frozenset(
    {
        *("split", "chunk", "unbind", "tensor_split", "split_with_sizes", "__getitem__", "narrow"),
        *("select", "hsplit", "dsplit"),
    }
)
# A counterfactual undoes these, and tells by itself what they cost.
_UNDONE = frozenset({"detach", "data", NO_GRAD})
# How far a part of a weight and what is cut from its result may differ in their shares.
_ROUNDING = 1e-6


def dark_rows(model: nn.Module) -> dict[str, Tensor]:
    """Masks, by name, of the slices of weights whose gradient is exactly 0, where others' is not.

    A table of embeddings has such rows for every token that a text does without.
    """
    tables = {id(one.weight) for one in model.modules() if isinstance(one, nn.Embedding)}
    found = {}
    for name, parameter in model.named_parameters():
        gradient = parameter.grad
        if gradient is None or gradient.is_sparse or id(parameter) in tables:
            continue
        if gradient.dim() < 2 or not gradient.numel():
            continue
        zero = gradient == 0
        for axis in range(gradient.dim()):
            others = tuple(one for one in range(gradient.dim()) if one != axis)
            dark = zero.amin(others, keepdim=True)
            if bool(dark.any()) and not bool(dark.all()):
                found[name] = dark.expand(gradient.shape)
                break
    return found


class PartTrace(GradientTrace):
    """A trace to which each part that is cut from what one of `weights` made is a parameter too.

    `parts` says, by the number of such a part, which weight it belongs to and how much it is.
    """

    def __init__(self, model: nn.Module, root: str, weights: frozenset[str]) -> None:
        super().__init__(model, root)
        self.parts: dict[str, tuple[str, float]] = {}
        self._whole = {}  # the steps that are a weight, or what it made, as a whole
        for name, parameter in model.named_parameters():
            step = self.step_of(parameter)
            if name in weights and step is not None:
                self._whole[id(step)] = name

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = super().__torch_function__(func, types, args, kwargs)
        name = getattr(func, "__name__", "")
        name = str(getattr(func.__self__, "__name__", name) if name == "__get__" else name)
        if name in _CUTTING and isinstance(args[0], Tensor):
            self._cut(args[0], list(tensors(result)))
        elif name in _MAKING or name in _FORMING:
            self._go_on(result)
        return result

    def _go_on(self, result: Any) -> None:
        step = self.step_of(result) if isinstance(result, Tensor) else None
        if step is None or id(step) in self._whole:
            return
        wholes = {self._whole.get(id(one)) for one in step.parents} - {None}
        if len(wholes) == 1:
            self._whole[id(step)] = str(wholes.pop())

    def _cut(self, whole: Tensor, parts: list[Tensor]) -> None:
        source = self.step_of(whole)
        weight = None if source is None else self._whole.get(id(source))
        for part in parts if weight is not None else ():
            step = self.step_of(part)
            if step is not None and step is not source and 0 < part.numel() < whole.numel():
                self._mark(step, str(weight), part.numel() / whole.numel())

    def _mark(self, step: Step, weight: str, share: float) -> None:
        bit = 1 << len(self.names)
        self.names.append(f"{weight}[{len(self.parts)}]")
        self.parts[self.names[-1]] = (weight, share)
        step.derives |= bit
        step.live |= bit if step.live else 0


def lost_rows(specimen: Specimen, dark: Mapping[str, Tensor]) -> tuple[LostGradient, ...]:
    """Where the way of parts of weights ends, of those whose gradient is 0 in `dark`."""
    found: dict[tuple[Any, str], LostGradient] = {}
    for seed in range(specimen.seed, specimen.seed + (SEEDS if dark else 0)):
        here = dict(_lost_at(specimen, dark, seed))
        found = here if seed == specimen.seed else {k: v for k, v in found.items() if k in here}
        if not found:
            break
    return tuple(found.values())


def _lost_at(
    specimen: Specimen, dark: Mapping[str, Tensor], seed: int
) -> Iterator[tuple[tuple[Any, str], LostGradient]]:
    weights = frozenset(dark)
    traced = traced_pass(specimen, seed, lambda model, root: PartTrace(model, root, weights))
    if traced is None or traced.end is None or not isinstance(traced.trace, PartTrace):
        return
    parts, effect = traced.trace.parts, Effect(specimen)
    for lost in lost_in(traced, set(parts) - traced.served):
        shares = _shares(lost, parts, dark)
        if lost.operation in _UNDONE or not shares:
            continue
        lost.names, lost.nearest = list(shares), parts[lost.nearest][0]
        lost.share = max(shares.values())
        lost.acts = effect.of(lost.names, seed, within=dark)
        yield (lost.line, lost.operation), told(lost, specimen, traced)


def _shares(
    lost: Lost, parts: Mapping[str, tuple[str, float]], dark: Mapping[str, Tensor]
) -> dict[str, float]:
    """The share of each weight that is lost here, of those that lack a gradient for so much."""
    shares: dict[str, float] = {}
    for name in lost.names:
        weight, share = parts[name]
        shares[weight] = shares.get(weight, 0.0) + share
    return {
        weight: share
        for weight, share in shares.items()
        if share <= float(dark[weight].float().mean()) + _ROUNDING
    }

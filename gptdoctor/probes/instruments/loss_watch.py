"""How a loss is made of logits and labels: which lines slice, which soften, which cut."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.labels import SlicedAt
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.specimen.places import user_place

_ENTROPIES = frozenset({"cross_entropy", "nll_loss"})
_PICKS = frozenset({"gather", "take_along_dim"})
_SLICING = frozenset({"__getitem__", "narrow", "roll"})
_COMPARING = frozenset({"eq", "ne", "__eq__", "__ne__"})
_DIVIDING = frozenset({"mean", "div", "true_divide", "__truediv__"})
_NUMBERS = frozenset({"item", "tolist", "__float__", "numpy"})
# How far the sum of a distribution may be from one: bf16 keeps two digits.
_SUM_ERROR = 1e-2


def are_probabilities(scores: Tensor, dimension: int) -> bool:
    """Whether each vector of `scores` along `dimension` is a distribution."""
    with torch.no_grad():
        sums = scores.sum(dimension)
        return bool((scores >= 0).all()) and bool(((sums - 1).abs() < _SUM_ERROR).all())


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What has been done to a tensor since it was logits, or labels."""

    softmax: Place | None = None
    sliced: SlicedAt | None = None
    cut: tuple[Place, str] | None = None  # what took it off the graph
    averaged: Place | None = None  # what divided one number, or made one of many by their mean
    unmarked: Place | None = None  # what put something else in the place of negative labels


@dataclass(frozen=True, kw_only=True)
class EntropyCall:
    """One cross-entropy over the vocabulary, or one pick of the labels' likelihoods."""

    place: Place
    probabilities: bool  # it was given probabilities in place of logits, or of their logarithms
    ignored: int | None  # the label that it leaves out by the code's own word
    scores: Lineage
    labels: Lineage


class LossWatch(TorchFunctionMode):
    """While active, notes what becomes of logits over one of `widths` tokens, and of labels.

    `roots` holds the logits that can be trained, as they are first made, in the order of their
    making.  Labels are followed from those that `follow` is given.
    """

    def __init__(self, root: str, widths: frozenset[int]) -> None:
        super().__init__()
        self.roots: list[Tensor] = []
        self.entropies: list[EntropyCall] = []
        self.sum: Place | None = None  # the first line that makes one number of the logits
        self.compared: list[int] = []  # what labels are held against, one by one
        self.numbers: dict[float, tuple[Place, str]] = {}  # where they were taken off the graph
        self._root, self._widths = root, widths
        self._weights: dict[int, Tensor] = {}  # what is made of weights alone: a turned table
        self._wide = {torch.Size((width,)) for width in widths}
        self._logits: dict[int, tuple[Tensor, Lineage]] = {}  # alive, so that no id comes twice
        self._labels: dict[int, tuple[Tensor, Lineage]] = {}

    def follow(self, labels: Tensor) -> None:
        """Take `labels`, and what is made of them, for labels."""
        self._labels[id(labels)] = labels, Lineage()

    def lineage(self, logits: Tensor) -> Lineage | None:
        """What has become of logits on the way to this tensor; None: it is not made of them."""
        return self._logits.get(id(logits), (None, None))[1]

    @property
    def first_cut(self) -> tuple[Place, str] | None:
        """The first line that took something made of logits off the graph."""
        cuts = (lineage.cut for _, lineage in self._logits.values())
        return next((cut for cut in cuts if cut is not None), None)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = list(tensors((args, kwargs)))
        logits = [each for each in given if id(each) in self._logits]
        labels = [each for each in given if id(each) in self._labels]
        result = func(*args, **kwargs)
        name = _name(func)
        if logits or labels:
            place = user_place(sys._getframe(1), self._root)
            if place is not None:
                self._note(name, args, kwargs, place)
            if labels and name in _COMPARING:
                self.compared += [each for each in args[1:] if type(each) is int]
            if logits:
                self._follow_logits(name, logits[0], args, result, place)
            elif not any(each.is_floating_point() for each in given):
                self._follow_labels(name, labels[0], args, result, place)
        if given and all(_is_weight(each) or id(each) in self._weights for each in given):
            self._weights.update((id(made), made) for made in tensors(result))
        else:
            self._find_roots(result, [each for each in logits if each.shape[-1:] in self._wide])
        return result

    def _find_roots(self, result: Any, wide: list[Tensor]) -> None:
        """Keep logits that can be trained: results as wide as the vocabulary, made of none.

        A layer inside may be as wide: what is projected again is logits anew.
        """
        for made in () if wide else tensors(result):
            fits = made.dim() in (2, 3) and made.shape[-1:] in self._wide
            if fits and made.is_floating_point() and made.requires_grad and not made.is_leaf:
                self.roots.append(made)
                self._logits[id(made)] = made, Lineage()

    def _follow_logits(
        self, name: str, source: Tensor, args: tuple[Any, ...], result: Any, place: Place | None
    ) -> None:
        lineage = self._logits[id(source)][1]
        if place is not None and name in _NUMBERS and isinstance(result, float):
            self.numbers[result] = lineage.cut or (place, name)
        for made in tensors(result):
            if made is source or not made.is_floating_point():
                continue
            if place is not None:
                if self.sum is None and made.numel() == 1 < source.numel():
                    self.sum = place
                if source.requires_grad and not made.requires_grad:
                    lineage = replace(lineage, cut=(place, _how(name)))
                if name == "softmax":
                    lineage = replace(lineage, softmax=place)
                if name in _DIVIDING and made.numel() == 1:
                    lineage = replace(lineage, averaged=lineage.averaged or place)
                lineage = _sliced(lineage, name, source, args, place, along=-2)
            self._logits[id(made)] = made, lineage

    def _follow_labels(
        self, name: str, source: Tensor, args: tuple[Any, ...], result: Any, place: Place | None
    ) -> None:
        lineage = self._labels[id(source)][1]
        for made in tensors(result):
            whole = not made.is_floating_point() and made.dtype != torch.bool
            if made is source or not whole:
                continue
            if place is not None:
                lineage = _sliced(lineage, name, source, args, place, along=-1)
                if made.numel() == source.numel() and bool((source < 0).any() & (made >= 0).all()):
                    lineage = replace(lineage, unmarked=lineage.unmarked or place)
            self._labels[id(made)] = made, lineage

    def _note(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], place: Place
    ) -> None:
        """Keep a call that compares logits with labels."""
        if name not in _ENTROPIES and name not in _PICKS:
            return
        first, *others = tensors((args, kwargs))
        dimension = -1 if name in _PICKS or first.dim() < 2 else 1
        known = id(first) in self._logits and first.shape[dimension] in self._widths
        if not known or any(each.is_floating_point() for each in others[:1]):
            return  # what is compared with probabilities is no label
        targets = (self._labels[id(each)][1] for each in others if id(each) in self._labels)
        self.entropies.append(
            EntropyCall(
                place=place,
                probabilities=name in _ENTROPIES and are_probabilities(first, dimension),
                ignored=kwargs.get("ignore_index"),
                scores=self._logits[id(first)][1],
                labels=next(targets, Lineage()),
            )
        )


def _is_weight(tensor: Tensor) -> bool:
    return tensor.is_leaf and tensor.requires_grad


def _name(func: Any) -> str:
    """The name of an operation; of a property, the property's."""
    name = getattr(func, "__name__", "")
    return getattr(getattr(func, "__self__", None), "__name__", name) if name == "__get__" else name


def _how(name: str) -> str:
    """What took a result off the graph: the operation itself, or that nothing was recorded."""
    return name if name in {"detach", "data", "tensor"} | _NUMBERS else "no_grad"


def _sliced(
    lineage: Lineage, name: str, source: Tensor, args: tuple[Any, ...], place: Place, along: int
) -> Lineage:
    """The lineage with the first slice that drops what comes first, else the first of all."""
    start = _first_kept(name, args[1:]) if name in _SLICING else None
    if start is None or (lineage.sliced is not None and lineage.sliced.start):
        return lineage
    if lineage.sliced is not None and not start:
        return lineage
    flat = source.dim() < 1 - along
    return replace(lineage, sliced=SlicedAt(place=place, start=start, flat=flat))


def _first_kept(name: str, arguments: tuple[Any, ...]) -> int | None:
    """Where the piece begins that a slice, a narrowing or a roll leaves; None: it is no slice."""
    if not arguments:
        return None
    if name == "narrow":
        return arguments[1] if len(arguments) > 1 and isinstance(arguments[1], int) else None
    if name == "roll":
        return -arguments[0] if isinstance(arguments[0], int) else None
    index = arguments[0] if isinstance(arguments[0], tuple) else (arguments[0],)
    cuts = (part for part in index if isinstance(part, slice) and part != slice(None))
    return next((cut.start or 0 for cut in cuts), None)

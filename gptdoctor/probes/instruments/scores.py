"""Follows queries and keys from their projections to the softmax of an attention."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.operation_log import Operation, OperationLog
from gptdoctor.probes.instruments.vector_sizes import HARMLESS, keeps_size
from gptdoctor.probes.instruments.written_scale import written_factor, written_scale

_PRODUCTS = frozenset({"matmul", "__matmul__", "__rmatmul__", "bmm", "einsum"})
_PROJECTIONS = frozenset({"linear", "matmul", "__matmul__", "addmm", "einsum", "bmm", "conv1d"})
# What a score may go through before its softmax without being scaled.
_MASKS = frozenset({"masked_fill", "masked_fill_", "where", "masked_scatter", "fill_diagonal_"})


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The projection that a tensor comes from, and whether its vectors are as long as it gave."""

    projected: Tensor  # what the projection was given
    weight: int  # id of its matrix
    plain: bool


@dataclass(kw_only=True, eq=False)
class Scores:
    """One product of queries [..., T, d] and keys [..., d, T'], and what became of it."""

    place: Place | None
    product: Tensor  # [..., T, T']
    width: int  # d
    queries: Tensor
    keys: Tensor
    origins: tuple[Origin, Origin]
    plain: bool = True
    normalised: Tensor | None = None  # what the softmax was given
    factor: float | None = None  # where one operation scales and normalises: by what


@dataclass(kw_only=True)
class ScoreWatch(OperationLog):
    """While active, follows projections, products and softmaxes."""

    parameters: frozenset[int]  # ids
    scores: list[Scores] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weights: dict[int, Tensor] = {}  # matrices of all projections, by id
        self._matrices = set(self.parameters)  # and parts and turned forms of them
        self._origins: dict[int, Origin] = {}
        self._followed: dict[int, Scores] = {}

    def after(self, operation: Operation) -> None:
        """Bring the books up to date."""
        name, made = operation.name, operation.made
        if name == "scaled_dot_product_attention":
            self._note_whole(operation)
            return
        if self._is_product(operation):
            return
        followed = [
            self._followed[id(each)] for each in operation.given if id(each) in self._followed
        ]
        for scores in followed:
            self._follow(scores, operation)
        origin = None if followed else self._origin(operation)
        if origin is not None:
            self._origins.update((id(each), origin) for each in made)

    def _is_product(self, operation: Operation) -> bool:
        """Whether an operation multiplies two activations of which both are projections."""
        factors = [each for each in operation.given if each.is_floating_point()]
        if operation.name not in _PRODUCTS or len(factors) != 2 or operation.made[0].dim() < 3:
            return False
        origins = [self._origins.get(id(each)) for each in factors]
        first, second = origins
        if first is None or second is None:
            return False
        width = _summed_over(operation.name, operation.args, factors)
        if width is None:
            return False
        scores = Scores(
            place=operation.place,
            product=operation.made[0],
            width=width,
            queries=factors[0],
            keys=factors[1],
            origins=(first, second),
        )
        self.scores.append(scores)
        self._followed[id(operation.made[0])] = scores
        return True

    def _note_whole(self, operation: Operation) -> None:
        """An attention in one operation, where it was told by what to scale."""
        factor = operation.kwargs.get("scale")
        queries, keys = operation.given[:2]
        origins = self._origins.get(id(queries)), self._origins.get(id(keys))
        if factor is None or origins[0] is None or origins[1] is None:
            return  # it scales by itself, by what it should
        place = operation.place
        if float(factor) == 1.0:
            place = written_scale(place, self.root)
            if place is None:
                return  # whoever configures the model decides
        scores = Scores(
            place=place,
            product=operation.made[0],
            width=queries.shape[-1],
            queries=queries,
            keys=keys,
            origins=(origins[0], origins[1]),
            normalised=operation.made[0],
            factor=float(factor),
        )
        self.scores.append(scores)

    def _follow(self, scores: Scores, operation: Operation) -> None:
        name, made = operation.name, operation.made[0]
        if name in ("softmax", "_softmax") or name == "softmax_":
            last = _dimension(operation.args, operation.kwargs) in (-1, made.dim() - 1)
            scores.normalised = operation.given[0] if last else None
        elif name in HARMLESS or name in _MASKS:
            self._followed.update((id(each), scores) for each in operation.made)
        elif made.is_floating_point() and made.numel() == scores.product.numel():
            written = written_factor(operation, self.root)
            scores.place = written or scores.place
            # Scaled, capped or something else: no matter by how much.
            scores.plain = scores.plain and written is not None
            self._followed.update((id(each), scores) for each in operation.made)

    def _origin(self, operation: Operation) -> Origin | None:
        """The projection that the result comes from, if it comes from one alone."""
        given = operation.given
        matrices = [each for each in given if id(each) in self._matrices and each.dim() > 1]
        inputs = [each for each in given if id(each) not in self._matrices]
        if given and not inputs and operation.name in HARMLESS:
            self._matrices.update(id(each) for each in operation.made)
        if operation.name == "linear" and not inputs:  # of learned queries
            inputs, matrices = [given[0]], [given[1]]
        if operation.name in _PROJECTIONS and matrices and inputs:
            self.weights[id(matrices[0])] = _by_inputs(operation, matrices[0])
            return Origin(projected=inputs[0], weight=id(matrices[0]), plain=True)
        known = [self._origins[id(each)] for each in operation.given if id(each) in self._origins]
        if not known or not operation.made[0].is_floating_point() | operation.made[0].is_complex():
            return None
        plain = all(each.plain for each in known) and keeps_size(operation)
        return replace(known[0], plain=plain)

    def chosen(self) -> list[Scores]:
        """The products that went into a softmax, the first of each line."""
        found: dict[Place | None, Scores] = {}
        for scores in self.scores:
            if scores.normalised is not None:
                found.setdefault(scores.place, scores)
        return list(found.values())


def _by_inputs(operation: Operation, matrix: Tensor) -> Tensor:
    """The matrix of a projection; one that an einsum sums over in several dimensions, as [.., n].

    n: how many numbers are summed up for one.
    """
    summed = _einsum_sum(operation, matrix) if operation.name == "einsum" else 0
    return matrix.reshape(-1, summed) if summed else matrix


def _einsum_sum(operation: Operation, matrix: Tensor) -> int:
    """How many numbers of a matrix an einsum sums up for one of its results; 0: not known."""
    text = operation.args[0]
    if not isinstance(text, str) or "->" not in text or "." in text:
        return 0
    sides, _, result = text.replace(" ", "").partition("->")
    for letters, tensor in zip(sides.split(","), operation.given, strict=False):
        if tensor is matrix:
            sizes = zip(letters, matrix.shape, strict=True)
            return math.prod(size for letter, size in sizes if letter not in result)
    return 0


def _summed_over(name: str, args: tuple[Any, ...], factors: list[Tensor]) -> int | None:
    """The d of a product of [..., T, d] and [..., d, T']; None: it is no such product."""
    first, second = factors
    if name == "einsum":
        return _einsum_width(args, factors)
    if first.dim() < 3 or second.dim() < 3:
        return None
    return first.shape[-1]


def _einsum_width(args: tuple[Any, ...], factors: list[Tensor]) -> int | None:
    """The size of the one dimension that an einsum of two factors sums over."""
    if not isinstance(args[0], str) or "->" not in args[0]:
        return None
    given, _, result = args[0].replace(" ", "").partition("->")
    first, _, second = given.partition(",")
    summed = [letter for letter in first if letter in second and letter not in result]
    if len(summed) != 1 or "." in first:
        return None
    return factors[0].shape[first.index(summed[0])]


def _dimension(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return kwargs.get("dim", args[1] if len(args) > 1 else None)


def score_factor(product: Tensor, normalised: Tensor) -> float | None:
    """By what a product [..., T, T'] was multiplied before its softmax, the masked ones left out.

    None: the softmax was not given what was made of it.
    """
    if not normalised.requires_grad:
        return None
    found: tuple[Tensor | None, ...] = torch.autograd.grad(
        normalised.clamp_min(-1e30).sum(), [product], retain_graph=True, allow_unused=True
    )
    heard = torch.empty(0) if found[0] is None else found[0][found[0] != 0]
    return float(heard.float().median()) if heard.numel() else None


def slope(scores: Scores) -> float | None:
    """By what a score is multiplied between its product and its softmax; None: not known.

    The median over all scores that are not masked.
    """
    if scores.factor is not None:
        return scores.factor
    if scores.normalised is None:
        return None
    return score_factor(scores.product, scores.normalised)

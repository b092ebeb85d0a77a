"""Follows a router's scores through the call of one block, to where they meet the experts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors, writes_in_place
from gptdoctor.probes.instruments.coverage import REPLACING, accumulates
from gptdoctor.probes.instruments.expert_watch import MERGING, PRODUCTS
from gptdoctor.probes.instruments.gradient_regions import region_place
from gptdoctor.probes.instruments.repeated_writes import ROWS_REPEATED, no_rows
from gptdoctor.probes.instruments.router_choices import CHOOSING
from gptdoctor.probes.instruments.routing_trace import RoutedBlock
from gptdoctor.probes.instruments.score_axes import Normalised, normalised
from gptdoctor.probes.instruments.stacked_weights import key_of
from gptdoctor.specimen.places import user_place

# Their gradient is zero everywhere.
_FLAT = frozenset({"round", "floor", "ceil", "trunc", "sign", "heaviside"})

# What makes other whole numbers of whole numbers.
_ALTERING = frozenset(
    {
        *("add", "sub", "mul", "rsub", "radd", "rmul", "iadd", "isub", "imul", "clamp", "clip"),
        *("remainder", "mod", "fmod", "floor_divide", "floordiv", "bitwise_xor", "flip", "roll"),
    }
)
# They take shape, type or device of their last argument, and none of its values.
_MODELLED = frozenset({"to", "type_as", "expand_as", "view_as", "reshape_as"})
_LIKE = frozenset({"zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"})
# Where such a one goes on as the scores, the scores end there.
_CONSTANT = frozenset({"ones_like", "full_like", "new_ones", "new_full"})


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a tensor derives from."""

    scores: bool = False  # the router's scores
    experts: bool = False  # the experts' results
    calls: frozenset[int] = frozenset()  # of which calls of experts
    made: Place | None = None  # where the tensor was made
    cut: tuple[Place, str] | None = None  # where its scores lost their gradient, and by what
    wrong: Normalised | None = None  # where its scores were normalised over other things


class ScoreFlow(TorchFunctionMode):
    """While active, keeps the origin of each tensor.

    `applied` holds what was made of scores alone and met an expert's result; `last` the last
    operation on each call's results; `collided` the rows that a write with equal numbers lost.
    """

    def __init__(self, block: RoutedBlock, root: str, tokens: int) -> None:
        super().__init__()
        self.applied: list[tuple[Origin, Tensor]] = []
        self.last: dict[int, Place] = {}
        self.collided: dict[tuple[Place, str], int] = {}
        self.dispatched: list[Normalised] = []  # went into what the experts were given
        self.chosen_by: list[Normalised] = []  # went into a choice
        self.merged: Place | None = None  # where results of experts are first added up
        self.altered: Place | None = None  # where chosen numbers first became other numbers
        self.numbered: Place | None = None  # where chosen numbers were taken for experts' numbers
        self.rows: Tensor | None = None  # [N, D] that the router was given
        self._block, self._root, self._tokens = block, root, tokens
        self._routers = {key_of(each.data) for each in block.routers}
        self._stacks = {key_of(each.data) for each in block.group.stacks}
        self._origins: dict[int, Origin] = {}
        self._alive: list[Any] = []  # a tensor that is freed would lend its identity to another
        self._calls = 0
        self._hooks: list[Any] = []

    def __enter__(self) -> ScoreFlow:
        modules = self._block.group.modules
        for member in modules.members if modules is not None else ():
            self._hooks.append(member.register_forward_pre_hook(self._given, with_kwargs=True))
            self._hooks.append(member.register_forward_hook(self._returned))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def _given(self, member: nn.Module, args: Any, kwargs: Any) -> None:
        for origin in self._known(tensors((args, kwargs))):
            if origin.wrong is not None:
                self.dispatched.append(origin.wrong)

    def _returned(self, member: nn.Module, args: Any, output: Any) -> None:
        found = next((t for t in tensors(output) if t.is_floating_point() and t.dim()), None)
        if found is not None:  # the very outputs that ExpertWatch counts
            self._note(found, Origin(experts=True, calls=frozenset({self._calls})))
            self._calls += 1

    def _known(self, given: Iterable[Tensor]) -> list[Origin]:
        return [self._origins[id(each)] for each in given if id(each) in self._origins]

    def _note(self, tensor: Tensor, origin: Origin) -> None:
        self._origins[id(tensor)] = origin
        self._alive.append(tensor)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        given = list(tensors((args[:1], {}) if name in _MODELLED else (args, kwargs)))
        if name in _LIKE or name.startswith("new_"):
            given = []
        scored = any(key_of(each) in self._routers for each in given)
        stacked = any(key_of(each) in self._stacks for each in given)
        known = self._known(given)
        live = any(self._is_live(each) for each in given)
        result = func(*args, **kwargs)
        if scored and self.rows is None:
            self.rows = self._rows_of(given)
        if name in _CONSTANT and self._is_score(args[0]) and args[0].is_floating_point():
            self._note_constant(name, result, user_place(sys._getframe(1), self._root))
        if known or scored or stacked:
            place = user_place(sys._getframe(1), self._root)
            self._follow(name, args, kwargs, given, result, place, live)
        return result

    def _note_constant(self, name: str, result: Tensor, place: Place | None) -> None:
        if place is not None:
            self._note(result, Origin(scores=True, made=place, cut=(place, name)))

    def _scores_of(self, given: list[Tensor]) -> list[Origin]:
        """The origins of the scores that go into a result, beside the router's own weights.

        Their values do, or else whole numbers that were made of them where no other values are:
        `x[chosen == 2]` is made of x, and `scores[chosen]` of scores.
        """
        scores = [each for each in given if self._is_score(each)]
        values = [each for each in scores if each.is_floating_point()]
        if not values and any(each.is_floating_point() for each in given):
            return []
        start = Origin(scores=True)
        return [self._origins.get(id(each), start) for each in values or scores]

    def _rows_of(self, given: list[Tensor]) -> Tensor | None:
        """What the router is given beside its weights, as [N, D]."""
        for each in given:
            width = each.shape[-1] if each.dim() else 0
            plain = key_of(each) not in self._routers and each.is_floating_point()
            if plain and width and each.numel() == self._tokens * width:
                return each.detach().reshape(self._tokens, width)
        return None

    def _is_live(self, tensor: Tensor) -> bool:
        """Whether a gradient would go from `tensor` to the router."""
        origin = self._origins.get(id(tensor))
        known = origin is not None and origin.scores and origin.cut is None
        return tensor.requires_grad and (known or key_of(tensor) in self._routers)

    def _is_score(self, tensor: Tensor) -> bool:
        origin = self._origins.get(id(tensor))
        return key_of(tensor) in self._routers or (origin is not None and origin.scores)

    def _follow(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        given: list[Tensor],
        result: Any,
        place: Place | None,
        live: bool,
    ) -> None:
        origin = _joined(self._scores_of(given))
        known = [one for one in self._known(given) if one.experts]
        origin = replace(
            origin,
            experts=bool(known) or any(key_of(each) in self._stacks for each in given),
            calls=frozenset().union(*(one.calls for one in known)),
            made=place,
        )
        for call in origin.calls:
            if place is not None:
                self.last[call] = place
        # Sums over both in turn are Sinkhorn's way of choosing: a balance, by division.
        if name in CHOOSING and origin.wrong is not None and "softmax" in origin.wrong.operation:
            self.chosen_by.append(origin.wrong)
        if origin.scores and not origin.experts:
            self._note_numbers(name, args, kwargs, given, place)
        elif origin.experts:
            self.merged = self.merged or (place if name in MERGING else None)
            self._meet(name, given)
            self._note_collisions(name, args, kwargs, place)
        target = args[:1] if writes_in_place(name) else ()
        for each in tensors((result, target)):
            self._note(each, self._made(name, args, kwargs, each, origin, place, live))

    def _made(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        made: Tensor,
        origin: Origin,
        place: Place | None,
        live: bool,
    ) -> Origin:
        """The origin of one tensor that an operation made."""
        if origin.experts or not origin.scores or place is None:
            return origin
        if live:  # else it stays as it was
            stops = not made.requires_grad or name.strip("_") in _FLAT
            origin = replace(origin, cut=self._cut(place, name) if stops else None)
        found = normalised(name, args, kwargs, made, self._block, self._tokens)
        if found is not None and found.over:
            origin = replace(origin, wrong=replace(found, place=place))
        return origin

    def _cut(self, place: Place, name: str) -> tuple[Place, str]:
        """The place that is to blame for scores without a gradient, and what it does."""
        if torch.is_grad_enabled():
            return place, name.strip("_")
        region = region_place(sys._getframe(4), self._root)
        return (place, name.strip("_")) if region is None else (region, "no_grad")

    def _meet(self, name: str, given: list[Tensor]) -> None:
        """Scores meet experts' results; whole numbers count where they are multiplied."""
        if not any(
            key_of(each) in self._stacks or any(one.experts for one in self._known([each]))
            for each in given
        ):
            return
        for each in given:
            for origin in self._known([each]):
                weighs = each.is_floating_point() or name in PRODUCTS
                if origin.scores and not origin.experts and weighs:
                    self.applied.append((origin, each.detach()))

    def _note_numbers(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        given: list[Tensor],
        place: Place | None,
    ) -> None:
        """Whether whole numbers that were chosen are compared with the numbers of experts."""
        if not given or given[0].is_floating_point() or given[0].dtype is torch.bool:
            return
        if name.strip("_") in _ALTERING:
            self.altered = self.altered or place
        experts = self._block.group.count
        if name in ("__eq__", "eq") and len(args) > 1:
            other = args[1]
            plain = isinstance(other, int) or (isinstance(other, Tensor) and other.dim() == 0)
            if plain and 0 <= int(other) < experts:
                self.numbered = place
        elif name == "one_hot" and experts in (*args[1:], *kwargs.values()):
            self.numbered = place

    def _note_collisions(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], place: Place | None
    ) -> None:
        """Rows that a write by numbers puts in the same place as others of the same write."""
        if name not in REPLACING or place is None or accumulates(name, args[1:], kwargs):
            return
        if not any(one.experts for one in self._known(tensors((args[1:], dict(kwargs))))):
            return
        lost = ROWS_REPEATED.get(name, no_rows)(args, kwargs)
        if lost:
            key = (place, name.strip("_"))
            self.collided[key] = self.collided.get(key, 0) + lost


def _joined(known: list[Origin]) -> Origin:
    """The origin of scores that are made of tensors of these origins."""
    return Origin(
        scores=bool(known),
        cut=next((one.cut for one in known if one.cut), None),
        wrong=next((one.wrong for one in known if one.wrong), None),
    )

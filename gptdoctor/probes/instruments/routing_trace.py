"""Watches a forward pass for routers that choose, and for the experts that work after them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.expert_groups import ExpertGroup
from gptdoctor.probes.instruments.router_choices import (
    CHOOSING,
    Call,
    Choice,
    choice_of,
    keeps_weights,
)
from gptdoctor.probes.instruments.stacked_weights import (
    Key,
    LayerWeight,
    Weight,
    key_of,
    parameter_of,
)
from gptdoctor.specimen.places import project_path, user_place

_LARGEST_CHOICE = 2_000_000  # elements of scores that are kept: those of tiny models are fewer


@dataclass(frozen=True, kw_only=True, eq=False)
class Use:
    """One call of an expert, or one operation that takes the stacked weights."""

    group: ExpertGroup
    path: tuple[Call, ...]
    place: Place | None
    moment: int


@dataclass(frozen=True, kw_only=True, eq=False)
class RoutedBlock:
    """The smallest module in whose call both the choice and the work of its experts fall."""

    group: ExpertGroup
    scope: nn.Module
    choices: tuple[Choice, ...]  # all among these experts, in their order
    routers: tuple[Weight, ...]  # that the scores were made with
    fixed: tuple[Choice, ...]  # all among as many in the call, those of other layers as well
    place: Place | None  # where the experts are called, or their weights are taken

    @property
    def choice(self) -> Choice:
        """The one that was made last before the experts work."""
        return self.choices[-1]


@dataclass(kw_only=True)
class RoutingTrace(TorchFunctionMode):
    """While active, notes the choices, the uses of `groups`, and what takes parameters."""

    model: nn.Module
    groups: tuple[ExpertGroup, ...]
    root: str
    choices: list[Choice] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._moment = 0
        self._path: tuple[Call, ...] = ()
        self._hooks: list[Any] = []
        self._stacks: dict[Key | None, list[ExpertGroup]] = {}
        self._earlier: dict[Key | None, list[ExpertGroup]] = {}  # by stacks of layers before
        self._passed: dict[int, list[int]] = {}  # moments at which a group's were used
        self._members: dict[int, list[ExpertGroup]] = {}
        for group in self.groups:
            for member in group.modules.members if group.modules is not None else ():
                self._members.setdefault(id(member), []).append(group)
        self._parameters: dict[Key | None, Weight] = {}
        for each in self.model.parameters():
            self._parameters[key_of(each)] = each
        for group in self.groups:
            self._know(group)
        # (moment, path, weights, shape of the result)
        self._taken: list[tuple[int, tuple[Call, ...], list[Weight], tuple[int, ...]]] = []

    def _know(self, group: ExpertGroup) -> None:
        """By what the weights of a group are known, and the last layer's part of all others."""
        for stack in group.stacks:
            self._stacks.setdefault(key_of(stack.data), []).append(group)
            for layer in range(group.layers - 1):
                key = key_of(parameter_of(stack).data[layer])
                self._earlier.setdefault(key, []).append(group)
        for each in self.model.parameters() if group.layers else ():
            if each.dim() > 1 and each.shape[0] == group.layers:
                self._parameters.pop(key_of(each), None)
                part = LayerWeight(parameter=each, layer=group.layers - 1)
                self._parameters[key_of(part.data)] = part

    def __enter__(self) -> RoutingTrace:
        for module in self.model.modules():
            self._hooks.append(module.register_forward_pre_hook(self._begins))
            self._hooks.append(module.register_forward_hook(self._ends, always_call=True))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def _begins(self, module: nn.Module, args: Any) -> None:
        self._moment += 1
        for group in self._members.get(id(module), ()):
            place = user_place(sys._getframe(1), self.root)
            use = Use(group=group, path=self._path, place=place, moment=self._moment)
            self.uses.append(use)
        self._path = (*self._path, (self._moment, module))

    def _ends(self, module: nn.Module, args: Any, output: Any) -> None:
        while self._path and self._path[-1][1] is not module:
            self._path = self._path[:-1]
        self._path = self._path[:-1]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        self._moment += 1
        result = func(*args, **kwargs)
        if name in CHOOSING:
            self._note_choice(name, args, kwargs, result)
        keys = [key for each in tensors((args, kwargs)) if (key := key_of(each)) is not None]
        for group in (one for key in keys for one in self._earlier.get(key, ())):
            self._passed.setdefault(id(group), []).append(self._moment)
        known = [key for key in keys if key in self._parameters or key in self._stacks]
        if known and isinstance(result, Tensor):
            self._note_parameters(known, result)
        return result

    def _note_choice(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        found = choice_of(name, args, kwargs, result)
        if found is None or found[0].numel() > _LARGEST_CHOICE:
            return
        scores, dimension, indices = found
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and project_path(frame.f_code.co_filename, self.root) is None:
            frame = frame.f_back
        self.choices.append(
            Choice(
                operation=name,
                scores=scores.detach().clone(),
                dimension=dimension,
                indices=indices.detach().clone(),
                place=user_place(frame, self.root),
                path=self._path,
                moment=self._moment,
                weights_kept=keeps_weights(name, frame),
            )
        )

    def _note_parameters(self, keys: list[Key], result: Tensor) -> None:
        stacks = [group for key in keys for group in self._stacks.get(key, ())]
        given = [self._parameters[key] for key in keys if key in self._parameters]
        if stacks:
            place = user_place(sys._getframe(2), self.root)
            for group in dict.fromkeys(stacks):
                use = Use(group=group, path=self._path, place=place, moment=self._moment)
                self.uses.append(use)
        self._taken.append((self._moment, self._path, given, tuple(result.shape)))

    def blocks(self) -> Iterator[RoutedBlock]:
        """One for each group of experts among which a choice was made before they worked."""
        for group in self.groups:
            uses = [use for use in self.uses if use.group is group]
            block = self._block(group, uses) if uses else None
            if block is not None:
                yield block

    def _block(self, group: ExpertGroup, uses: list[Use]) -> RoutedBlock | None:
        members = () if group.modules is None else group.modules.members
        inside = {id(each) for each in members}
        before_all = [m for m in self._passed.get(id(group), ()) if m < uses[0].moment]
        first = max(before_all, default=0)  # what was chosen earlier was for another layer
        fitting = [
            choice
            for choice in self.choices
            if choice.axis_of(group.count) is not None
            and not any(id(module) in inside for _, module in choice.path)
        ]
        before = [choice for choice in fitting if first < choice.moment < uses[0].moment]
        common = _common(before[-1].path, uses[0].path) if before else ()
        if not common:
            return None
        call = common[-1]
        last = max(use.moment for use in uses if call in use.path)
        size = before[-1].scores.numel()
        fixed = [
            choice
            for choice in fitting
            if call in choice.path and choice.moment < last and choice.scores.numel() == size
        ]
        choices = [choice for choice in fixed if choice.moment > first]
        experts = {key_of(each.data) for each in group.parameters()}
        routers = {
            key_of(each.data): each
            for moment, path, given, shape in self._taken
            if call in path and first < moment < choices[-1].moment and group.count in shape
            for each in given
            if key_of(each.data) not in experts
        }
        return RoutedBlock(
            group=group,
            scope=call[1],
            choices=tuple(choices),
            fixed=tuple(fixed),
            routers=tuple(routers.values()),
            place=uses[0].place,
        )


def _common(first: tuple[Call, ...], second: tuple[Call, ...]) -> tuple[Call, ...]:
    """The calls that both paths begin with."""
    shared: list[Call] = []
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        shared.append(one)
    return tuple(shared)

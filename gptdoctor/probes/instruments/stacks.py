"""Lists of like blocks in a row, and the gradients that pass through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from gptdoctor.probes.instruments.arguments import tensors

# A list that is called in a row has its blocks called once each.
_LISTS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)


@dataclass(kw_only=True, eq=False)
class Stream:
    """One tensor that a block was given, as it was when the block was called."""

    edge: GradientEdge  # leads to it, also when it is changed in place later
    copy: Tensor  # that derives from it
    shape: tuple[int, ...]
    norm: float
    closed: bool = False  # no gradient passes, while this is set


@dataclass(kw_only=True, eq=False)
class Blocks:
    """The members of one list, with the streams that each was given, first to last."""

    name: str
    owner: nn.Module
    members: tuple[nn.Module, ...]
    given: dict[int, tuple[Stream, ...]] = field(default_factory=dict)  # by member
    called: list[int] = field(default_factory=list)  # members, in order
    moments: list[int] = field(default_factory=list)  # of these calls, among those of all lists
    # Whether the parts of other lists take turns with these: a round of the loop is the block.
    in_rounds: bool = False

    @property
    def in_a_row(self) -> bool:
        """Whether those that were called were so once, in order, with streams on the graph."""
        ordered = self.called == list(range(len(self.called)))
        return ordered and len(self.called) > 1 and all(map(self.given.get, self.called))


def block_lists(model: nn.Module) -> Iterator[Blocks]:
    """The lists of at least two modules of one class, but for those inside a member of another."""
    found: list[str] = []
    for name, module in model.named_modules():
        if not isinstance(module, _LISTS) or any(name.startswith(f"{one}.") for one in found):
            continue
        members = tuple(module.values() if isinstance(module, nn.ModuleDict) else module)
        kinds = {type(member) for member in members}
        if len(members) > 1 and len(kinds) == 1 and None not in members:
            found.append(name)
            owner = model.get_submodule(name.rpartition(".")[0])
            yield Blocks(name=name, owner=owner, members=members)


def lengthened(model: nn.Module, blocks: int, *, chains: bool = False) -> nn.Module:
    """Fill up the lists of `model` with copies of their members, in place, and give it back.

    With `chains` those that call their members themselves as well, as `nn.Sequential` does.
    """
    for each in list(block_lists(model)):
        modules = model.get_submodule(each.name)
        if isinstance(modules, nn.ModuleList) or (chains and isinstance(modules, nn.Sequential)):
            for number in range(blocks - len(each.members)):
                modules.append(deepcopy(each.members[number % len(each.members)]))
    return model


def in_turns(lists: list[Blocks]) -> list[Blocks]:
    """The lists without those whose parts take turns with the parts of an earlier one.

    `for norm, mix in zip(self.norms, self.mixes)` goes through two lists and one stream: what is
    true of it is told once, of the list that comes first in each round.
    """
    kept: list[Blocks] = []
    for blocks in sorted(lists, key=lambda one: one.moments[0]):
        leader = next((one for one in kept if _take_turns(one, blocks)), None)
        if leader is None:
            kept.append(blocks)
        else:
            leader.in_rounds = True
    return [one for one in lists if one in kept]


def _take_turns(first: Blocks, second: Blocks) -> bool:
    if first.owner is not second.owner or len(first.moments) != len(second.moments):
        return False
    ends = [*first.moments[1:], float("inf")]
    rounds = zip(first.moments, second.moments, ends, strict=True)
    return all(begin < middle < end for begin, middle, end in rounds)


class BlockWatch:
    """While active, notes what the members of `lists` are given."""

    def __init__(self, lists: tuple[Blocks, ...]) -> None:
        self.lists = lists
        self.without_graph = False  # whether a graph ends where a block ran
        self._hooks: list[Any] = []

    def __enter__(self) -> BlockWatch:
        for blocks in self.lists:
            for index, member in enumerate(blocks.members):
                # a list inside a list is never called itself: its first part is what is called
                parts = member.modules() if isinstance(member, _LISTS) else (member,)
                for part in parts:
                    note = self._noting(blocks, index)
                    self._hooks.append(part.register_forward_pre_hook(note, with_kwargs=True))
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _noting(self, blocks: Blocks, index: int) -> Callable[..., None]:
        def note(module: nn.Module, args: Any, kwargs: Any) -> None:
            nested = isinstance(blocks.members[index], _LISTS)
            if nested and blocks.called[-1:] == [index]:
                return
            blocks.called.append(index)
            blocks.moments.append(sum(len(one.called) for one in self.lists))
            streams = _streams((args, kwargs))
            self.without_graph |= bool(streams) and not torch.is_grad_enabled()
            blocks.given[index] = tuple(_stream(each) for each in streams)

        return note


def _streams(given: Any) -> list[Tensor]:
    """The floating tensors on the graph that have the form of the first of them."""
    found = [
        each
        for each in tensors(given)
        if each.is_floating_point() and each.requires_grad and each.dim() > 1
    ]
    return [each for each in found if each.shape == found[0].shape]


def _stream(tensor: Tensor) -> Stream:
    stream = Stream(
        edge=get_gradient_edge(tensor),
        copy=tensor.clone(),
        shape=tuple(tensor.shape),
        norm=tensor.detach().float().norm().item(),
    )

    def pass_on(gradient: Tensor) -> Tensor | None:
        return torch.zeros_like(gradient) if stream.closed else None

    tensor.register_hook(pass_on)  # type: ignore[no-untyped-call]
    return stream


def _gradients(of: Tensor, at: list[GradientEdge] | list[Tensor]) -> list[Tensor | None]:
    """The gradient of a scalar at some tensors; None where there is none.

    Never of a tensor with weights: for those torch imports sympy, half a second for each model.
    """
    return list(torch.autograd.grad(of, at, retain_graph=True, allow_unused=True))


def gradient_norms(objective: Tensor, streams: list[Stream]) -> tuple[float, ...]:
    """The norm of the gradient of a scalar at each stream [..., D], 0 where there is none.

    That of the median vector: one position whose vector is zero, as that of padding is, may have
    through a norm a gradient that is larger than all others together.
    """
    found = _gradients(objective, [stream.edge for stream in streams])
    return tuple(0.0 if each is None else _median_norm(each) for each in found)


def _median_norm(gradient: Tensor) -> float:
    norms = gradient.float().norm(dim=-1).flatten()
    heard = norms[norms > 0]
    return float(heard.median()) if heard.numel() else 0.0


def identity_share(before: Stream, after: Stream, draws: int) -> float:
    """The cosine of random directions at `after` with what the gradient makes of them at `before`.

    1 where `after` is `before`, 1 / sqrt(2) where as much was added as there was, and 0, to
    within 1 / sqrt(numbers x draws), where `before` went through something else.  The mean over
    all vectors, so that none counts for more than another.
    """
    generator = torch.Generator().manual_seed(0)
    total = 0.0
    for _ in range(draws):
        direction = torch.randn(after.shape, generator=generator).to(after.copy)
        (back,) = _gradients((after.copy * direction).sum(), [before.edge])
        if back is None or not bool(back.any()):
            return 0.0
        total += torch.cosine_similarity(back, direction, dim=-1).mean().item()
    return total / draws


def depends(after: Stream, before: Stream) -> bool:
    """Whether any gradient comes from `after` to `before`."""
    return _gradients(after.copy.sum(), [before.edge])[0] is not None


def goes_around(after: Stream, closed: tuple[Stream, ...], weights: list[Tensor]) -> bool:
    """Whether `after` hears of `weights` with all the `closed` streams shut."""
    for stream in closed:
        stream.closed = True
    try:
        found = _gradients(after.copy.square().sum(), weights)
    finally:
        for stream in closed:
            stream.closed = False
    return any(each is not None and bool(each.any()) for each in found)

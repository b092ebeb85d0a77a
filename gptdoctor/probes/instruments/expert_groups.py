"""The experts of a model: lists of like modules, and weights that are stacked expert by expert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.expert_watch import LikeModules
from gptdoctor.probes.instruments.stacked_weights import LayerWeight, Weight


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpertGroup:
    """What a router may choose among; the number of an expert is its place in list or stack."""

    name: str
    count: int
    modules: LikeModules | None = None
    stacks: tuple[Weight, ...] = ()  # [E, ...] each
    layers: int = 0  # of parameters [L, E, ...], of which `stacks` are the last layer's; 0: others
    # How many have all weights: those behind them may be meant to pass on what they are given.
    whole: int = 0

    def weights_of(self, expert: int) -> list[Tensor]:
        """The weights that are this expert's alone, as views: experts may share some by design."""
        if self.modules is None:
            return [stack.data[expert] for stack in self.stacks]
        others = {
            id(parameter)
            for index, member in enumerate(self.modules.members)
            if index != expert
            for parameter in member.parameters()
        }
        own = self.modules.members[expert].parameters()
        return [each.data for each in own if id(each) not in others and each.is_floating_point()]

    def parameters(self) -> Iterator[Weight]:
        """All weights of all experts."""
        yield from self.stacks
        for member in self.modules.members if self.modules is not None else ():
            yield from member.parameters()


def like_modules(model: nn.Module) -> Iterator[LikeModules]:
    """All lists and dictionaries with at least two modules of one class and one size."""
    for name, module in model.named_modules():
        if not isinstance(module, nn.ModuleList | nn.ModuleDict):
            continue
        members = tuple(module.values() if isinstance(module, nn.ModuleDict) else module)
        if None in members:  # a place that is left empty: what is in a row there is no choice
            continue
        if len(members) > 1 and len({_form(member) for member in members}) == 1:
            owner = model.get_submodule(name.rpartition(".")[0])
            yield LikeModules(name=name, owner=owner, members=members)


def _form(module: nn.Module) -> tuple[object, ...]:
    """The class of a module and the shapes of its parameters; its own identity if it has none."""
    shapes = tuple(tuple(parameter.shape) for parameter in module.parameters())
    return (type(module), shapes) if shapes else (id(module),)


def expert_groups(model: nn.Module) -> Iterator[ExpertGroup]:
    """All that may be experts: whether they are, their router's width and use must tell."""
    for modules in like_modules(model):
        count = len(modules.members)
        yield ExpertGroup(name=modules.name, count=count, whole=count, modules=modules)
    for name, module in model.named_modules():
        own = [each for each in module.parameters(recurse=False) if each.is_floating_point()]
        deep = [each.shape[0] for each in own if each.dim() == 3]
        for count in sorted(set(deep)):
            stacks = tuple(each for each in own if each.dim() > 1 and each.shape[0] == count)
            if count > 1:
                whole = _whole(count, deep)
                yield ExpertGroup(name=name, count=count, whole=whole, stacks=stacks)
        yield from _of_layers(name, own)


def _of_layers(name: str, own: list[nn.Parameter]) -> Iterator[ExpertGroup]:
    """The experts of the last layer, of parameters [L, E, ...] that hold those of all layers.

    What follows them in a model mixes no tokens.
    """
    forms = sorted({tuple(each.shape[:2]) for each in own if each.dim() == 4})
    for layers, count in forms:
        stacks = tuple(
            LayerWeight(parameter=each, layer=layers - 1)
            for each in own
            if each.dim() > 2 and tuple(each.shape[:2]) == (layers, count)
        )
        if count > 1:
            yield ExpertGroup(name=name, count=count, whole=count, stacks=stacks, layers=layers)


def _whole(count: int, deep: list[int]) -> int:
    """How many of `count` experts have all weights, of the lengths of all stacks beside theirs.

    A single stack whose only company is shorter holds one factor of a product for more experts
    than there is the other one for.
    """
    shorter = [each for each in deep if 1 < each < count]
    return max(shorter) if deep.count(count) == 1 and shorter else count


@contextmanager
def moved_weights(weights: list[Tensor], seed: int = 0) -> Iterator[None]:
    """Add to each weight about as much as it is, for a while."""
    generator = torch.Generator().manual_seed(seed)
    before = [each.clone() for each in weights]
    for each in weights:
        scale = each.square().mean().sqrt().clamp_min(0.05)
        each.add_(torch.randn(each.shape, generator=generator).to(each) * scale)
    try:
        yield
    finally:
        for each, kept in zip(weights, before, strict=True):
            each.copy_(kept)

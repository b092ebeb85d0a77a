"""Watches lists of like modules through one forward pass: who ran, and what became of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import storage_key, tensors, writes_in_place
from gptdoctor.probes.instruments.coverage import (
    REPLACING,
    REPLACING_ELSEWHERE,
    accumulates,
    covered,
    read_region,
)
from gptdoctor.probes.instruments.expert_results import ExpertResults, Sources
from gptdoctor.specimen.places import user_place

# Operations that pick rows by index or by mask: what an expert is given, and a layer is not.
_SELECTING = frozenset({"__getitem__", "index_select", "gather", "masked_select", "take_along_dim"})
_COPYING = frozenset({"clone", "contiguous", "to", "float", "type", "reshape", "flatten", "view"})
# How the results of several experts become one.
MERGING = frozenset({"__iadd__", "add_", "index_add_", "index_add"})
PRODUCTS = frozenset({"mul", "__mul__", "__rmul__", "mul_", "__imul__", "multiply"})


def heard_of(gradient: Tensor) -> Tensor:
    """[rows] bool: of which vectors [.., D] the objective with this gradient hears anything."""
    return gradient.reshape(-1, gradient.shape[-1]).any(dim=-1)


@dataclass(frozen=True, kw_only=True)
class LikeModules:
    """A list or dictionary of modules of one kind."""

    name: str
    owner: nn.Module
    members: tuple[nn.Module, ...]


@dataclass(kw_only=True)
class MemberCall:
    """One call of a member: its number is the source of all that derives from its output."""

    source: int
    modules: LikeModules
    member: int
    own_input: bool  # not derived from a sibling's output, or rows that were selected
    place: Place | None  # of the caller
    output: Tensor
    gradient: Tensor | None = None  # of the objective, in the output's shape
    taken: Tensor | None = None  # [rows] picked by index or mask; None: never picked from
    weighted: Tensor | None = None  # [rows] multiplied by something that is not 0; None: never
    given: Tensor | None = None  # what the member was called with

    def receive(self, gradient: Tensor) -> None:
        """Take the gradient that came back, as a hook of the output."""
        self.gradient = gradient

    @property
    def rows(self) -> int:
        """Vectors in the output."""
        return self.output.numel() // max(self.output.shape[-1], 1)

    def lost(self) -> Tensor:
        """[rows]: neither left aside nor weighted by 0, and no gradient tells of them."""
        if not self.output.requires_grad or not self.rows:
            return torch.zeros(self.rows, dtype=torch.bool)
        wanted = torch.ones(self.rows, dtype=torch.bool, device=self.output.device)
        for each in (self.taken, self.weighted):
            wanted &= True if each is None else each
        if self.gradient is not None:
            wanted &= ~heard_of(self.gradient)
        return wanted


@dataclass(kw_only=True)
class ExpertWatch(TorchFunctionMode):
    """While active, follows what derives from the outputs of `lists`."""

    lists: tuple[LikeModules, ...]
    root: str
    calls: list[MemberCall] = field(default_factory=list)
    # (list, place, operation) -> rows of results that were written over
    overwrites: dict[tuple[str, Place, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._results = ExpertResults()
        self._selected: set[int] = set()
        self._outputs: dict[int, MemberCall] = {}
        self._waiting: list[tuple[bool, Place | None, Tensor | None]] = []
        self._hooks: list[Any] = []

    def __enter__(self) -> ExpertWatch:
        for modules in self.lists:
            self._hooks.append(modules.owner.register_forward_hook(self._closing(modules)))
            for index, member in enumerate(modules.members):
                before = member.register_forward_pre_hook(self._before(modules), with_kwargs=True)
                self._hooks += [before, member.register_forward_hook(self._after(modules, index))]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def _before(self, modules: LikeModules) -> Callable[..., None]:
        def before(member: nn.Module, args: Any, kwargs: Any) -> None:
            given = [each for each in tensors((args, kwargs)) if each.is_floating_point()]
            siblings = {call.source for call in self.calls if call.modules is modules}
            selected = any(storage_key(each) in self._selected for each in given)
            own = selected or not self._results.sources(given) & siblings
            place = user_place(sys._getframe(1), self.root)
            self._waiting.append((own, place, given[0] if given else None))

        return before

    def _after(self, modules: LikeModules, index: int) -> Callable[..., None]:
        def after(member: nn.Module, args: Any, output: Any) -> None:
            own, place, given = self._waiting.pop()
            found = next((t for t in tensors(output) if t.is_floating_point() and t.dim()), None)
            if found is None:
                return
            call = MemberCall(
                source=len(self.calls),
                modules=modules,
                member=index,
                own_input=own,
                place=place,
                output=found,
                given=given,
            )
            self.calls.append(call)
            self._results.open.add(call.source)
            self._results.derive(found, frozenset({call.source}))
            self._outputs[storage_key(found)] = call
            if found.requires_grad:
                found.register_hook(call.receive)  # type: ignore[no-untyped-call]

        return after

    def _closing(self, modules: LikeModules) -> Callable[..., None]:
        """What the owner has returned is combined: layers above have their own experts."""

        def closing(owner: nn.Module, args: Any, output: Any) -> None:
            self._results.open -= {c.source for c in self.calls if c.modules is modules}

        return closing

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        place = None
        if self._results.open and (name in REPLACING or name in REPLACING_ELSEWHERE | {"where"}):
            place = user_place(sys._getframe(1), self.root)
        result = func(*args, **kwargs)
        if self._results.open or name in _SELECTING:
            self._follow(name, args, kwargs, result, place)
        return result

    def _follow(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any, place: Any
    ) -> None:
        """Bring the books up to date after one operation."""
        made = [each for each in tensors(result) if each.is_floating_point()]
        if name in _SELECTING and made and _has_tensor(args[1:], kwargs):
            self._selected.add(storage_key(made[0]))
            self._results.keep(made[0])
        if not self._results.open or not args:
            return
        self._note_use(name, args, kwargs)
        given = [each for each in tensors((args, dict(kwargs))) if each.is_floating_point()]
        if writes_in_place(name) and isinstance(args[0], Tensor):
            self._write(name, args[0], args[1:], kwargs, place)
        elif name in REPLACING_ELSEWHERE and made:
            self._results.move(args[0], made[0])
            self._write(f"{name}_", made[0], args[1:], kwargs, place)
        elif name == "where" and len(args) > 2 and made:
            self._where(args, made[0], place)
        elif name in _COPYING and made:
            self._results.move(args[0], made[0])
        elif made and not all(storage_key(made[0]) == storage_key(each) for each in given):
            self._read(name, args, given)
        sources = self._results.sources(given)
        for each in made:
            self._results.derive(each, sources)

    def _read(self, name: str, args: tuple[Any, ...], given: list[Tensor]) -> None:
        for each in given:
            if self._results.holds(each):
                picked = name if args and each is args[0] else ""
                self._results.read(each, read_region(picked, each, args[1:]))

    def _write(
        self,
        name: str,
        target: Tensor,
        rest: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        place: Place | None,
    ) -> None:
        """A write into `target`: over what is there, or added to it."""
        values = [each for each in tensors((rest, dict(kwargs))) if each.is_floating_point()]
        self._read("", (), values)
        sources = self._results.sources(values)
        if name not in REPLACING or accumulates(name, rest, kwargs):
            if sources:
                self._results.add(target, covered(name, target, rest, kwargs), sources)
        elif sources or self._results.holds(target):
            region = covered(name, target, rest, kwargs)
            self._count(self._results.replace(target, region, sources), sources, place, name)
        self._results.derive(target, sources)

    def _where(self, args: tuple[Any, ...], made: Tensor, place: Place | None) -> None:
        """`where(mask, a, b)`: each operand that holds results is written over by the other."""
        condition, first, second = args[:3]
        chosen = torch.broadcast_to(condition, made.shape)
        parts = [
            (part, mask)
            for part, mask in ((first, chosen), (second, ~chosen))
            if isinstance(part, Tensor)
        ]
        sources = self._results.sources(part for part, _ in parts)
        self._count(self._results.blend(made, parts), sources, place, "where")

    def _count(self, rows: int, sources: Sources, place: Place | None, name: str) -> None:
        if rows and place is not None:
            key = (self.calls[max(sources)].modules.name, place, name.strip("_"))
            self.overwrites[key] = self.overwrites.get(key, 0) + rows

    def _note_use(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """What an operation takes directly from an expert's output, and what it leaves aside."""
        for position, each in enumerate(args):
            if not isinstance(each, Tensor):
                continue
            call = self._outputs.get(storage_key(each))
            if call is None or each.numel() != call.output.numel():
                continue
            others = [*args[:position], *args[position + 1 :]]
            for attribute, rows in _rows_used(name, position, each, others, kwargs):
                before = getattr(call, attribute)
                rows = rows.reshape(call.rows, each.shape[-1] if call.rows else 0).any(dim=-1)
                setattr(call, attribute, rows if before is None else before | rows)


def _rows_used(
    name: str, position: int, output: Tensor, others: list[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, Tensor]]:
    """For `output` [..., C]: which of its elements are picked, or weighted by more than 0."""
    if name in PRODUCTS and others and isinstance(others[0], Tensor):
        weight = others[0]
        if _fits(weight, output):
            yield "weighted", torch.broadcast_to(weight != 0, output.shape)
    elif name == "__getitem__" or (name == "index_select" and others):
        picked = torch.zeros(output.shape, dtype=torch.bool, device=output.device)
        if name == "__getitem__":
            picked[others[0]] = True
        else:
            picked.index_fill_(others[0], others[1], True)
        yield "taken", picked
    elif name == "where" and position in (1, 2) and isinstance(others[0], Tensor):
        chosen = others[0] if position == 1 else ~others[0]
        if _fits(chosen, output):
            yield "taken", torch.broadcast_to(chosen, output.shape)
    elif name in ("masked_fill", "masked_fill_") and position == 0:
        yield "taken", torch.broadcast_to(~others[0], output.shape)


def _fits(small: Tensor, large: Tensor) -> bool:
    """Whether `small` broadcasts to the shape of `large`; torch's own function loads sympy."""
    pairs = zip(reversed(small.shape), reversed(large.shape), strict=False)
    return small.dim() <= large.dim() and all(each in (1, size) for each, size in pairs)


def _has_tensor(rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    return any(True for _ in tensors((rest, dict(kwargs))))

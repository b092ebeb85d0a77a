"""Which line of a block puts a result in the place of the stream instead of adding it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import FrameType
from typing import Any, TypeVar

from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.depth import MissingPath
from gptdoctor.probes.instruments.arguments import tensors, writes_in_place
from gptdoctor.probes.instruments.nearby_statements import giving_line, replacing_line
from gptdoctor.probes.instruments.operation_log import Operation, OperationLog
from gptdoctor.probes.instruments.unread_arguments import unread_tensors
from gptdoctor.specimen.places import project_path, symbol_of

T = TypeVar("T")
_SUMS = frozenset({"add", "__add__", "__radd__", "add_", "__iadd__", "lerp", "addcmul"})
_ATTENTIONS = frozenset({"scaled_dot_product_attention", "multi_head_attention_forward"})
# What is between a sum and the end of a block, and lets the stream pass.
_PASSING = frozenset(
    {
        *("layer_norm", "rms_norm", "group_norm", "dropout", "clone", "contiguous"),
        "detach",  # whatever it does to gradients
        *("to", "float", "type", "type_as", "view", "reshape", "transpose", "permute"),
        *("mul", "__mul__", "__rmul__", "mul_", "div", "__truediv__", "sub", "__sub__"),
    }
)


# Operations of one block; a bound for walks along what was changed in place.
_MOST_STEPS = 1000


class BlockLog(OperationLog):
    """Lists what one block does, each with the line of the block's own code (or its owner's)."""

    def __init__(self, root: str, block: nn.Module, owner: nn.Module) -> None:
        super().__init__(root=root)
        self.inside = False
        self.mine: list[tuple[Operation, Place | None]] = []
        self.unread: list[tuple[Place, Tensor]] = []  # what functions were given for nothing
        self.input: Tensor | None = None
        self.output: Tensor | None = None
        self._selves = (block, owner)

    def after(self, operation: Operation) -> None:
        """Keep what is done while the block runs."""
        if not self.inside:
            return
        self.unread += unread_tensors(sys._getframe(1), self.root)
        if not _gives_back(operation):
            self.mine.append((operation, _place_in(sys._getframe(1), self._selves, self.root)))


def _gives_back(operation: Operation) -> bool:
    """Whether an operation gives back the very tensor that it was given, as idle dropout does."""
    same = any(each is operation.made[0] for each in operation.given)
    return same and not writes_in_place(operation.name)


def _place_in(frame: FrameType | None, selves: tuple[nn.Module, ...], root: str) -> Place | None:
    """The outermost line of a method of one of `selves`, the first of them preferred.

    It is there that the stream is led from part to part; what a part is made of is beside that.
    """
    found: dict[int, Place] = {}
    while frame is not None:
        here = frame.f_locals.get("self")
        path = project_path(frame.f_code.co_filename, root)
        for rank, one in enumerate(selves):
            if here is one and path is not None:
                symbol = symbol_of(frame.f_code)
                found[rank] = Place(path=path, symbol=symbol, line=frame.f_lineno)
        frame = frame.f_back
    return found[min(found)] if found else None


def missing_path(
    run: Callable[[], object],
    owner: nn.Module,
    block: nn.Module,
    following: nn.Module | None,
    root: str,
    *,
    in_rounds: bool = False,
) -> MissingPath:
    """What `block` does to its stream while `run` runs the model.

    A block that is a list ends where the `following` one begins; so does a round of parts.
    """
    log = BlockLog(root, block, owner)
    watch_block(log, run, block, following, in_rounds=in_rounds)
    place, intact, detached = _where_it_ends(log)
    place = None if place is None else _where_it_is_dropped(log) or place
    return MissingPath(
        block=type(block).__name__,
        attends=any(_attends(operation) for operation, _ in log.mine),
        joins=sum(_skipped(operation, log) is not None for operation, _ in log.mine),
        intact=intact,
        path=place.path if place is not None else "",
        symbol=place.symbol if place is not None else "",
        line=place.line if place is not None else None,
        detached=detached,
    )


def watch_block(
    log: BlockLog,
    run: Callable[[], T],
    block: nn.Module,
    following: nn.Module | None,
    *,
    in_rounds: bool = False,
) -> T:
    """Run the model, with `block` logged alone; a list ends where the `following` one begins.

    With `in_rounds` any block does: the parts of other lists have their turns before.
    """
    hooks = _hooks(log, block, following, in_rounds)
    try:
        with log:
            return run()
    finally:
        for hook in hooks:
            hook.remove()


def _hooks(
    log: BlockLog, block: nn.Module, following: nn.Module | None, in_rounds: bool
) -> list[Any]:
    def begin(module: nn.Module, args: Any, kwargs: Any) -> None:
        log.inside = log.output is None
        log.input = _floating((args, kwargs)) if log.input is None else log.input

    def end(module: nn.Module, args: Any, output: Any) -> None:
        if log.inside and module is block and not in_rounds:
            log.inside, log.output = False, _floating(output)

    def stop(module: nn.Module, args: Any, kwargs: Any) -> None:
        if log.inside:
            log.inside, log.output = False, _floating((args, kwargs))

    firsts = list(block.modules()) if isinstance(block, nn.ModuleList) else [block]
    hooks: list[Any] = [one.register_forward_pre_hook(begin, with_kwargs=True) for one in firsts]
    hooks.append(block.register_forward_hook(end))
    later = following.modules() if following is not None else ()
    hooks += [one.register_forward_pre_hook(stop, with_kwargs=True) for one in later]
    return hooks


def _floating(value: Any) -> Tensor | None:
    return next((each for each in tensors(value) if each.is_floating_point()), None)


def _attends(operation: Operation) -> bool:
    """Whether an operation is an attention: one weight for each pair of positions."""
    if operation.name in _ATTENTIONS:
        return True
    scores = operation.made[0]
    return operation.name == "softmax" and scores.dim() > 2 and scores.shape[-1] > 1


def _makers(log: BlockLog) -> dict[int, tuple[Operation, Place | None]]:
    return {id(each): pair for pair in log.mine for each in pair[0].made}


def _skipped(operation: Operation, log: BlockLog) -> Tensor | None:
    """The part of a sum from which the other part was made; None: it is no such sum."""
    made = operation.made[0]
    parts = [each for each in operation.given if each.shape == made.shape]
    if operation.name not in _SUMS or len(parts) < 2:
        return None
    makers = _makers(log)
    first, second = parts[:2]
    for part, other in ((first, second), (second, first)):
        if any(_derives(other, each, log, operation) for each in _back(part, makers)):
            return part
    return None


def _back(tensor: Tensor, makers: Mapping[int, tuple[Operation, Place | None]]) -> list[Tensor]:
    """A tensor and what it was before it was scaled, normalised or given another form."""
    found = [tensor]
    while id(found[-1]) in makers:
        operation, _ = makers[id(found[-1])]
        alike = _alike(operation)
        if operation.name not in _PASSING or not alike or len(found) > _MOST_STEPS:
            break
        found.append(alike[0])
    return found


def _derives(tensor: Tensor, source: Tensor, log: BlockLog, until: Operation) -> bool:
    """Whether `tensor` was made of `source` inside the block, before `until`."""
    makers: dict[int, Operation] = {}
    for operation, _ in log.mine:
        if operation is until:
            break
        makers.update((id(each), operation) for each in operation.made)
    waiting, seen = [tensor], set()
    while waiting:
        maker = makers.get(id(waiting.pop()))
        if maker is None or id(maker) in seen:
            continue
        seen.add(id(maker))
        if any(each is source for each in maker.given):
            return True
        waiting += maker.given
    return False


def _where_it_ends(log: BlockLog) -> tuple[Place | None, bool, Place | None]:
    """Back from the end of the block along its sums: the line where the stream comes from else.

    And whether there is none, because the sums lead back to where the block begins; then the line
    at which it is detached on that way, if it is.
    """
    makers, tensor = _makers(log), log.output
    trail: list[Place] = []
    detached: Place | None = None
    for _ in range(_MOST_STEPS):
        if tensor is None or id(tensor) not in makers:
            break
        operation, place = makers[id(tensor)]
        skipped = _skipped(operation, log)
        if skipped is not None:
            tensor, trail = skipped, []
            continue
        detached = operation.place if operation.name == "detach" else detached
        if place is not None:
            trail.append(place)
        if operation.name not in _PASSING or not _alike(operation):
            return _takes_the_place(trail, log.root), False, None
        tensor = _alike(operation)[0]
    return None, tensor is not None, detached


def _where_it_is_dropped(log: BlockLog) -> Place | None:
    """The line in a function that is given the stream, and gives back something without it.

    As one does that is to add what it is given, and has no word for the stream.
    """
    makers = _makers(log)
    for place, tensor in log.unread:
        if any(each is log.input for each in _back_to_input(tensor, log, makers)):
            line = giving_line(place, log.root)
            return place if line is None else replace(place, line=line)
    return None


def _back_to_input(
    tensor: Tensor, log: BlockLog, makers: Mapping[int, tuple[Operation, Place | None]]
) -> Iterator[Tensor]:
    """A tensor and what it was before, along the sums of the block."""
    for _ in range(_MOST_STEPS):
        *_, tensor = found = _back(tensor, makers)
        yield from found
        skipped = _skipped(makers[id(tensor)][0], log) if id(tensor) in makers else None
        if skipped is None:
            return
        tensor = skipped


def _takes_the_place(trail: list[Place], root: str) -> Place | None:
    """The line, of those that make a result and pass it on, that gives it the stream's name.

    That is what the method is given, or gives back; where none does, the line that makes it.
    """
    for place in reversed(trail):
        line = replacing_line(place, root)
        if line is not None:
            return replace(place, line=line)
    return trail[-1] if trail else None


def _alike(operation: Operation) -> list[Tensor]:
    """What an operation is given that is as large as what it makes."""
    made = operation.made[0]
    return [each for each in operation.given if each.numel() == made.numel()]

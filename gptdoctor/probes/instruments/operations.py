"""All operations of one forward pass: what went in, what came out, and the user's lines."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import storage_key, tensors, writes_in_place
from gptdoctor.specimen.places import project_path, symbol_of

MOST_OPERATIONS = 6000
MOST_ELEMENTS = 1 << 20  # of one tensor; tiny models have none larger
# Questions about a tensor; what they are asked of is no part of their answer.
_QUESTIONS = re.compile(
    r"size|dim|numel|element_size|stride|shape|dtype|device|ndim|layout|requires_grad|grad_fn|names"
    r"|is_(?:floating_point|sparse|leaf|quantized|meta|cuda)"
)
# What takes nothing from the tensor that it is called on but its form.
_MAKING = ("new_", "_like")
# What takes the form or the kind of numbers of all that it is given but the first.
_FORMING = frozenset({"type_as", "to", "expand_as", "view_as", "reshape_as"})
_MASK = re.compile(r"mask|causal|bias", re.IGNORECASE)
# Operations that turn scores into weights; the frames around them are looked at.
SOFTMAX = frozenset({"softmax", "_softmax", "softmax_"})
FUSED = frozenset({"scaled_dot_product_attention", "multi_head_attention_forward"})


@dataclass(eq=False)
class Operation:
    """One operation of torch's, with copies of its result."""

    name: str
    stack: tuple[Place, ...]  # the user's frames, innermost first
    inputs: tuple[int, ...]  # numbers of the values that went in
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[int, ...] = ()  # numbers of the values that came out
    results: tuple[Tensor, ...] = ()
    # Of an attention's frames, innermost first: those in whose reach a mask over pairs of
    # positions was, and the numbers of the tensors that each had at hand, by name.
    masked_frames: tuple[Place, ...] = ()
    holding: tuple[tuple[Place, dict[str, int]], ...] = ()
    # The same frames where the name of a mask stands for None, with that name.
    absent_masks: tuple[tuple[Place, str], ...] = ()

    @property
    def place(self) -> Place | None:
        """The innermost line of the user's."""
        return self.stack[0] if self.stack else None


@dataclass(eq=False)
class Recording:
    """The operations of one run, and where each value came from."""

    model: nn.Module
    operations: list[Operation] = field(default_factory=list)
    maker: dict[int, Operation] = field(default_factory=dict)  # by number of the value
    owners: dict[int, tuple[nn.Module, str]] = field(
        default_factory=dict
    )  # of values that were kept
    given: dict[int, str] = field(default_factory=dict)  # inputs of the call, by number
    values: dict[int, Tensor] = field(default_factory=dict)  # copies, by number

    # Calls of modules, in order of their beginnings: the numbers of the tensors they were given.
    calls: list[tuple[nn.Module, tuple[int, ...]]] = field(default_factory=list)
    # The same of what modules gave back, in order of their ends.
    returns: list[tuple[nn.Module, tuple[int, ...]]] = field(default_factory=list)

    @property
    def used(self) -> set[int]:
        """The numbers of all values that some operation was given."""
        return {number for operation in self.operations for number in operation.inputs}

    def derived_from(self, sources: Iterable[int]) -> frozenset[int]:
        """The numbers of all values that were computed from these, themselves included."""
        found = set(sources)
        for operation in self.operations:
            if operation.name.startswith(_MAKING[0]) or operation.name.endswith(_MAKING[1]):
                continue
            inputs = operation.inputs[: 1 if operation.name in _FORMING else None]
            if any(number in found for number in inputs):
                found.update(operation.outputs)
        return frozenset(found)


class Recorder(TorchFunctionMode):
    """While active, notes every operation in a `Recording`."""

    def __init__(self, model: nn.Module, inputs: dict[str, Any], root: str) -> None:
        super().__init__()
        self.recording = Recording(model)
        self._root = root
        self._alive: list[Tensor] = []  # so that no two values have one identity
        self._numbers: dict[int, int] = {}
        self._kept = dict(_kept_tensors(model))
        for name, value in inputs.items():
            for tensor in tensors(value):
                self.recording.given[self._number(tensor)] = name
        for module in model.modules():
            module.register_forward_pre_hook(self._called, with_kwargs=True)
            module.register_forward_hook(self._returned)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = _name_of(func)
        if _QUESTIONS.fullmatch(name) or self._is_full():
            return func(*args, **kwargs)
        given = tuple(self._number(each) for each in tensors((args, kwargs)))
        operation = Operation(
            name=name,
            stack=tuple(user_frames(sys._getframe(1), self._root)),
            inputs=given,
            args=_copied(args),
            kwargs=dict(zip(kwargs, _copied(tuple(kwargs.values())), strict=True)),
        )
        if name in SOFTMAX or name in FUSED:
            length = args[0].shape[-1] if name in SOFTMAX else args[0].shape[-2]
            frame = sys._getframe(1)
            operation.masked_frames = tuple(_with_masks(frame, self._root, length))
            operation.holding = tuple(self._holding(frame))
            operation.absent_masks = tuple(_absent_masks(frame, self._root))
        result = func(*args, **kwargs)
        out = list(tensors(result))
        if writes_in_place(name) and args and isinstance(args[0], Tensor):
            self._numbers[id(args[0])] = self._new_number(args[0])
            out = [args[0]]
        operation.outputs = tuple(self._number(each) for each in out)
        operation.results = tuple(_copy(each) for each in out)
        for number, copy in zip(operation.outputs, operation.results, strict=True):
            self.recording.maker[number] = operation
            self.recording.values[number] = copy
        self.recording.operations.append(operation)
        return result

    def _holding(self, frame: FrameType | None) -> Iterator[tuple[Place, dict[str, int]]]:
        """The user's frames, innermost first, with the numbers of the tensors they have."""
        while frame is not None:
            path = project_path(frame.f_code.co_filename, self._root)
            if path is not None:
                place = Place(path=path, symbol=symbol_of(frame.f_code), line=frame.f_lineno)
                yield (
                    place,
                    {
                        name: self._number(value)
                        for name, value in frame.f_locals.items()
                        if isinstance(value, Tensor)
                    },
                )
            frame = frame.f_back

    def _called(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        with torch._C.DisableTorchFunction():
            numbers = tuple(self._number(each) for each in tensors((args, kwargs)))
        self.recording.calls.append((module, numbers))

    def _returned(self, module: nn.Module, args: Any, output: Any) -> None:
        with torch._C.DisableTorchFunction():
            numbers = tuple(self._number(each) for each in tensors(output))
        self.recording.returns.append((module, numbers))

    def _is_full(self) -> bool:
        return len(self.recording.operations) >= MOST_OPERATIONS

    def _number(self, tensor: Tensor) -> int:
        """The number of a value; of what an operation wrote into, that of its last content."""
        known = self._numbers.get(id(tensor))
        return self._new_number(tensor) if known is None else known

    def _new_number(self, tensor: Tensor) -> int:
        number = len(self._alive)
        self._alive.append(tensor)
        self._numbers[id(tensor)] = number
        self.recording.values[number] = _copy(tensor)
        owner = self._kept.get(storage_key(tensor)) if not tensor.is_sparse else None
        if owner is not None:
            self.recording.owners[number] = owner
        return number


def _name_of(func: Any) -> str:
    """The name of an operation; of a property that of the property, and not `__get__`."""
    name = str(getattr(func, "__name__", ""))
    return str(func.__self__.__name__) if name == "__get__" else name


def recorded(
    model: nn.Module, inputs: dict[str, Any], root: str, run: Callable[[], None]
) -> Recording:
    """The recording of `run()`, which calls `model` with `inputs`."""
    recorder = Recorder(model, inputs, root)
    with torch.no_grad(), recorder:
        run()
    return recorder.recording


def user_frames(frame: FrameType | None, root: str) -> Iterator[Place]:
    """The places of the user's code on a stack, innermost first."""
    while frame is not None:
        path = project_path(frame.f_code.co_filename, root)
        if path is not None:
            yield Place(path=path, symbol=symbol_of(frame.f_code), line=frame.f_lineno)
        frame = frame.f_back


def is_triangle(values: Tensor) -> bool:
    """Whether a matrix [.., N, N] says one thing at and below the diagonal, another above it.

    Also where the border is one off.
    """
    if values.dim() < 2 or values.shape[-1] != values.shape[-2] or values.shape[-1] < 3:
        return False
    matrix = values.reshape(-1, *values.shape[-2:])[0]
    return any(_splits(matrix, border) for border in (1, 0, 2))


def _splits(matrix: Tensor, border: int) -> bool:
    above = torch.ones_like(matrix, dtype=torch.bool).triu(border)
    inside, outside = matrix[~above], matrix[above]
    if not outside.numel():
        return False
    return bool(
        (inside == inside[0]).all() and (outside == outside[0]).all() and inside[0] != outside[0]
    )


def _with_masks(frame: FrameType | None, root: str, length: int) -> Iterator[Place]:
    """The user's frames that hold a mask over at least `length` positions, innermost first."""
    while frame is not None:
        path = project_path(frame.f_code.co_filename, root)
        if path is not None and any(map(is_triangle, _held(frame.f_locals))):
            yield Place(path=path, symbol=symbol_of(frame.f_code), line=frame.f_lineno)
        frame = frame.f_back


def _absent_masks(frame: FrameType | None, root: str) -> Iterator[tuple[Place, str]]:
    """The user's frames in which the name of a mask stands for None, innermost first."""
    while frame is not None:
        path = project_path(frame.f_code.co_filename, root)
        absent = [name for name, value in frame.f_locals.items() if value is None]
        for name in absent if path is not None else ():
            if _MASK.search(name) and path is not None:
                yield Place(path=path, symbol=symbol_of(frame.f_code), line=frame.f_lineno), name
        frame = frame.f_back


def _held(scope: dict[str, Any]) -> Iterator[Tensor]:
    """The tensors of a function, and those that its module keeps."""
    yield from (value for value in scope.values() if isinstance(value, Tensor))
    owner = scope.get("self")
    if isinstance(owner, nn.Module):
        yield from owner.buffers(recurse=False)
        yield from owner.parameters(recurse=False)
        yield from (value for value in vars(owner).values() if isinstance(value, Tensor))


def _kept_tensors(model: nn.Module) -> Iterator[tuple[int, tuple[nn.Module, str]]]:
    """What modules keep, by its memory."""
    for module in model.modules():
        kept = {
            **dict(module.named_buffers(recurse=False)),
            **dict(module.named_parameters(recurse=False)),
            **{name: value for name, value in vars(module).items() if isinstance(value, Tensor)},
        }
        for name, value in kept.items():
            if value.numel():
                yield storage_key(value), (module, name)


def _copy(tensor: Tensor) -> Tensor:
    """A copy that stays as it is, on the CPU; of what is too large, a form without content."""
    if tensor.numel() > MOST_ELEMENTS or tensor.is_sparse:
        return torch.empty(0)
    return tensor.detach().cpu().clone()


def _copied(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_copy(each) if isinstance(each, Tensor) else each for each in args)

"""Tensors without data: models of any size are built and run for the price of their shapes.

torch's FakeTensorMode answers every operation with a tensor that has a shape, a dtype and nothing
else.  What asks such a tensor for a value stops.  Much of what models ask for is small and known
all the same: the ids, the positions, a schedule of rates.  So tensors that are small, and made of
nothing but small known ones, keep their values here.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from time import process_time
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gptdoctor.probes.instruments.answered import Answered
from gptdoctor.probes.instruments.aside import bring_back
from gptdoctor.probes.instruments.no_compiler import without_compiler
from gptdoctor.probes.instruments.no_distributed import without_distributed_tensors
from gptdoctor.specimen.project_imports import unwatched

# Elements of a tensor that keeps its values: enough for two rows of 4096 ids or positions, and a
# hundred layers of biases still fit into some megabytes.
_SMALL = 1 << 14


# Seconds of the processor for one construction, or one forward and backward.
_TIME = 3.0


# What initialises weights: of a tensor without data it changes nothing, and torch takes its time
# over that.
_FILLS = frozenset(
    {
        torch.ops.aten.normal_.default,
        torch.ops.aten.uniform_.default,
        torch.ops.aten.zero_.default,
        torch.ops.aten.fill_.Scalar,
        torch.ops.aten.erfinv_.default,
        torch.ops.aten.clamp_.default,
        torch.ops.aten.bernoulli_.float,
    }
)


class NoFakeTensorsError(Exception):
    """This torch cannot do it; the text says why."""


class OutOfTimeError(BaseException):
    """The time of one run is over: not an Exception, which the user's code might catch."""


class _KnownValues(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Over a fake mode: runs for real what is small and known.  Notes the largest tensor made."""

    def __init__(self, fake: Any, small: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest_bytes = 0
        self.end = math.inf  # on the clock of `process_time`
        self._fake = fake
        self._small = small
        self._stale: dict[int, Tensor] = {}  # real ones that were written into without values

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        with unwatched():
            return self._answer(func, args, kwargs or {})

    def _answer(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func.namespace == "prim":  # asks for a property, where C++ can stand no exception
            answer = self._fake.answers.get(func)  # half of all that is asked is the device
            return func(*args, **kwargs) if answer is None else answer(args)
        if process_time() > self.end:
            raise OutOfTimeError
        if func in _FILLS and isinstance(args[0], self._fake.tensor):
            return args[0]
        tensors = list(_tensors_in((*args, *kwargs.values())))
        real = [each for each in tensors if not isinstance(each, self._fake.tensor)]
        if len(real) < len(tensors) or not all(self._known(each) for each in real):
            return self._unknown(func, args, kwargs, real)
        if func not in _FILLS:  # those make nothing, and what they write to is small
            try:
                made = self._fake.answered.ask(func, self._faked(args), self._faked(kwargs))
            except self._fake.asks_for_values:
                if not tensors:
                    raise
            else:
                self._note(func, made)
                if sum(each.numel() for each in _tensors_in((made,))) > self._small:
                    return made
        with self._fake.unset():
            return func(*args, **kwargs)

    def _known(self, tensor: Tensor) -> bool:
        return tensor.numel() <= self._small and _storage(tensor) not in self._stale

    def _unknown(self, func: Any, args: Any, kwargs: Any, real: list[Tensor]) -> Any:
        """An operation on tensors some of which have no values; those it writes to lose theirs."""
        if real:
            args, kwargs = self._faked(args), self._faked(kwargs)
        made = self._fake.answered.ask(func, args, kwargs)
        if real and getattr(getattr(func, "_schema", None), "is_mutable", False):
            self._stale.update({_storage(tensor): tensor for tensor in real})
        self._note(func, made)
        return made

    def _faked(self, arguments: Any) -> Any:
        """The arguments with a tensor without data in the place of each that has some."""
        kind = type(arguments)
        if kind is tuple or kind is list:
            return kind(self._faked(each) for each in arguments)
        if kind is dict:
            return {name: self._faked(each) for name, each in arguments.items()}
        plain = isinstance(arguments, Tensor) and not isinstance(arguments, self._fake.tensor)
        if not plain or arguments.layout is not torch.strided:
            return arguments
        form = {"dtype": arguments.dtype, "device": arguments.device}
        return torch.empty_strided(arguments.size(), arguments.stride(), **form)

    def _note(self, func: Any, made: Any) -> None:
        """Remember the size of the largest new tensor; a view of another one is none."""
        if not _makes_tensors(func):
            return
        for each in _tensors_in((made,)):
            self.largest_bytes = max(self.largest_bytes, each.numel() * each.element_size())


@cache
def _makes_tensors(func: Any) -> bool:
    """Whether what an operation returns is new; a higher-order operator does not tell."""
    schema = getattr(func, "_schema", None)
    return schema is not None and all(each.alias_info is None for each in schema.returns)


def _tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among arguments or results, which are at most lists of tensors."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (each for each in value if isinstance(each, Tensor))


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


class _Fake:
    """What is used of torch's own, whose places have changed and may again."""

    def __init__(self) -> None:
        try:
            module = importlib.import_module("torch._subclasses.fake_tensor")
            with without_compiler():
                # Small parameters and tensors of the user's modules keep their values.
                self.mode = module.FakeTensorMode(allow_non_fake_inputs=True)
            self.tensor: type = module.FakeTensor
            # What torch asks of a tensor for itself, and how it answers.
            self.answers: Mapping[Any, Any] = getattr(module, "_DISPATCH_META_HANDLERS", {})
            kernel = module.in_kernel_invocation_manager
            self.answered = Answered(self.mode, self.tensor, kernel)
            self.unset = module.unset_fake_temporarily
            self.asks_for_values: tuple[type[Exception], ...] = (
                module.DataDependentOutputException,
                module.DynamicOutputShapeException,
            )
            self.unsupported: tuple[type[Exception], ...] = (
                module.UnsupportedOperatorException,
                NotImplementedError,
            )
        except (ImportError, AttributeError, TypeError) as error:
            text = (
                f"torch {torch.__version__} has no FakeTensorMode as this probe knows it: {error}"
            )
            raise NoFakeTensorsError(text) from error


class FakeTensors:
    """A context in which tensors have no data; `known` says whether small ones keep theirs.

    Raises NoFakeTensorsError.
    """

    def __init__(self, *, known: bool = True) -> None:
        self._fake = _Fake()
        self._values = _KnownValues(self._fake, _SMALL if known else -1)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """While this lasts, tensors have no data."""
        bring_back()
        without = without_compiler(), without_distributed_tensors()
        with without[0], without[1], _in_place(), self._fake.mode, self._values:
            yield

    def warm_up(self) -> None:
        """Run a smallest model: what torch imports at the first one counts for no model's time."""
        with self():
            layer = torch.nn.Linear(1, 1)
            layer(torch.ones(1, 1)).sum().backward()

    @contextlib.contextmanager
    def in_time(self) -> Iterator[None]:
        """Operations raise OutOfTimeError when this has lasted too long."""
        self._values.end = process_time() + _TIME
        try:
            yield
        finally:
            self._values.end = math.inf

    @property
    def largest_bytes(self) -> int:
        """Bytes of the largest tensor that any operation made since the last `forget`."""
        return self._values.largest_bytes

    def forget(self) -> None:
        """Start the search for the largest tensor anew."""
        self._values.largest_bytes = 0

    def wants_values(self, error: BaseException) -> bool:
        """Whether code asked a tensor without data for its values."""
        if isinstance(error, self._fake.asks_for_values):
            return True
        words = ("not supported for tensor subclasses", "data-dependent", "storage of FakeTensor")
        return isinstance(error, RuntimeError) and any(word in str(error) for word in words)

    def is_unsupported(self, error: BaseException) -> bool:
        """Whether torch cannot do without data what it can do with data."""
        return isinstance(error, self._fake.unsupported)


@contextlib.contextmanager
def _in_place() -> Iterator[None]:
    """Let `module.to(dtype)` change fake parameters: torch wants to swap them, and cannot."""
    swap = torch.utils.swap_tensors

    def put(target: Tensor, source: Tensor) -> None:
        target.data = source.data

    torch.utils.swap_tensors = put
    try:
        yield
    finally:
        torch.utils.swap_tensors = swap

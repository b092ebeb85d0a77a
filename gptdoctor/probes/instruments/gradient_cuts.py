"""Places that run without recording gradients: found while they run, and undone one at a time."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import FrameType, TracebackType
from typing import Any

import torch
import torch.utils._contextlib
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import storage_key, tensors, writes_in_place
from gptdoctor.probes.instruments.learnt_numbers import SINGLE, learnt_scale
from gptdoctor.probes.instruments.round_trips import LEAVING, RETURNING, RoundTrips
from gptdoctor.probes.instruments.stack import Line, calling_place, user_line
from gptdoctor.specimen.places import project_path, symbol_of

# A place, and what cuts there: "no_grad", "inference_mode", "set_grad_enabled", "detach", and
# "tolist" where a tensor is made of what another one became, as lists or an array.
Cut = tuple[Place, str]
_DETACHING = frozenset(
    {
        torch.Tensor.detach,
        torch.detach,
        torch.Tensor.data.__get__,  # type: ignore[attr-defined]
    }
)
_FROM_NUMPY = torch.from_numpy
_WRAPPERS = frozenset({"decorate_context", "generator_context"})


class GradientCuts(TorchFunctionMode):
    """While active, notes where the user's code stops gradients that would have flowed.

    `found` holds the places at which an operation with inputs on the graph gave an output off
    it.  The places in `undone` record gradients as if they were not there; the state of `model`
    is still written without them, because nothing can be trained through it.  `used` holds the
    ids of the parameters that some operation was given, `once` the places of `found` at which a
    parameter was put to a use that it is not put to with gradients elsewhere in the pass.
    """

    def __init__(self, model: nn.Module, root: str, undone: frozenset[Cut] = frozenset()) -> None:
        super().__init__()
        self.found: dict[Cut, None] = {}
        self.used: set[int] = set()
        # What learnt scales become as numbers: the line, the operation and the parameter.
        self.numbers: dict[tuple[Line, str], Tensor] = {}
        self._with_gradients: set[tuple[Any, int]] = set()  # operations and ids of parameters
        self._without: dict[Cut, set[tuple[Any, int]]] = {}
        self._model = model
        self._root = root
        self._undone = undone
        self._parameters = {id(parameter) for parameter in model.parameters()}
        self._active: list[tuple[Any, Cut]] = []  # contexts of the user's, outermost first
        self._patches = ExitStack()
        self._trips = RoundTrips()
        self._freed: set[int] = set()  # what an undone detach has left on the graph
        self._kept: list[Tensor] = []

    def __enter__(self) -> GradientCuts:
        for patch in self._context_patches():
            self._patches.enter_context(patch)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        self._patches.close()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = list(tensors((args, kwargs or {})))
        uses = {(func, id(each)) for each in given if id(each) in self._parameters}
        self.used.update(parameter for _, parameter in uses)
        self._with_gradients |= set() if self._active else uses
        for _, active in self._active:
            self._without.setdefault(active, set()).update(uses)
        if func in _DETACHING and args[0].requires_grad:
            cut = self._named(calling_place(sys._getframe(1), self._root), "detach")
            if cut is not None:
                self.found[cut] = None
                if cut in self._undone:
                    self._freed.add(id(args[0]))
                    self._kept.append(args[0])
                    return args[0]
        name = getattr(func, "__name__", "")
        if (
            name in SINGLE
            and args[0].requires_grad
            and (scale := learnt_scale(args[0])) is not None
        ):
            line = user_line(sys._getframe(1), self._root)
            if line is not None:
                self.numbers[line, name] = scale
        if name in LEAVING and isinstance(args[0], Tensor):
            return self._leave(func, name, args, kwargs or {})
        if self._undone and self._writes_state(func, args):
            with _Recording(False):
                return func(*args, **(kwargs or {}))
        live = self._active and any(each.requires_grad for each in given)
        result = func(*args, **(kwargs or {}))
        if name in RETURNING:
            return self._back(args, result, calling_place(sys._getframe(1), self._root))
        if live and isinstance(result, Tensor) and _is_dead(result):
            self.found.update((cut, None) for _, cut in self._active if cut not in self._undone)
        return result

    def _leave(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A list or an array of a tensor, though an undone detach left it on the graph."""
        source = args[0]
        with torch._C.DisableTorchFunction():
            plain = source.detach() if id(source) in self._freed and name != "tolist" else source
            value = func(plain, *args[1:], **kwargs)
        self._trips.leave(value, source)
        return value

    def _back(self, args: tuple[Any, ...], made: Any, place: Place | None) -> Any:
        """What a list or an array becomes; the tensor itself where its way is undone."""
        source = self._trips.source_of(args, made) if isinstance(made, Tensor) else None
        cut = self._named(place, "tolist") if source is not None else None
        if source is None or cut is None:
            return made
        if id(source) in self._freed:
            return source
        self.found[cut] = None
        return source if cut in self._undone else made

    @property
    def once(self) -> set[Cut]:
        """See above: all but where rounds without gradients come before one that has them."""
        known = ((cut, self._without.get(cut, set())) for cut in self.found)
        return {cut for cut, uses in known if not uses or uses - self._with_gradients}

    def _writes_state(self, func: Any, args: tuple[Any, ...]) -> bool:
        """Whether an undone place is about to write a buffer or a parameter in place."""
        if not any(cut in self._undone for _, cut in self._active):
            return False
        if not writes_in_place(getattr(func, "__name__", "")) or not isinstance(args[0], Tensor):
            return False
        state = {storage_key(buffer) for buffer in self._model.buffers()}
        state |= {storage_key(parameter) for parameter in self._model.parameters()}
        return storage_key(args[0]) in state

    def _named(self, place: Place | None, operation: str) -> Cut | None:
        return None if place is None else (place, operation)

    def _entered(self, context: Any, frame: FrameType, operation: str) -> bool:
        """Note that a context begins; whether it is undone."""
        cut = self._named(_context_place(frame, self._root), operation)
        if cut is None:
            return False
        self._active.append((context, cut))
        return cut in self._undone

    def _left(self, context: Any) -> bool:
        """Note that a context ends; whether it was undone."""
        mine = [cut for other, cut in self._active if other is context]
        self._active = [entry for entry in self._active if entry[0] is not context]
        return any(cut in self._undone for cut in mine)

    def _context_patches(self) -> list[AbstractContextManager[None]]:
        watch = self

        def quietly(context_class: type, operation: str) -> list[AbstractContextManager[None]]:
            enter, leave = context_class.__enter__, context_class.__exit__  # type: ignore[attr-defined]

            def entering(self: Any) -> None:
                stops = getattr(self, "mode", None) is not False or operation != "inference_mode"
                if stops and watch._entered(self, sys._getframe(1), operation):
                    return
                enter(self)

            def leaving(self: Any, *error: Any) -> None:
                if not watch._left(self):
                    leave(self, *error)

            return [
                _Patch(context_class, "__enter__", entering),
                _Patch(context_class, "__exit__", leaving),
            ]

        return [
            *quietly(torch.no_grad, "no_grad"),
            *quietly(torch.inference_mode, "inference_mode"),
            *self._set_grad_patches(),
            _Patch(nn.Module, "__setattr__", _setting(nn.Module.__setattr__)),
            _Patch(torch, "from_numpy", self._from_numpy),
        ]

    def _from_numpy(self, array: Any) -> Any:
        """`torch.from_numpy`, which no mode of torch's is told of."""
        return self._back((array,), _FROM_NUMPY(array), calling_place(sys._getframe(1), self._root))

    def _set_grad_patches(self) -> list[AbstractContextManager[None]]:
        """`set_grad_enabled` acts when it is made, and again when it is entered."""
        watch, made = self, torch.set_grad_enabled
        begin, enter, leave = made.__init__, made.__enter__, made.__exit__

        def beginning(self: Any, mode: bool) -> None:
            begin(self, mode)
            if mode:  # as a plain call this ends what an earlier call has begun
                ours = [entry for entry in watch._active if entry[1][1] == "set_grad_enabled"]
                watch._active = [entry for entry in watch._active if entry not in ours]
            elif watch._entered(self, sys._getframe(1), "set_grad_enabled"):
                torch._C._set_grad_enabled(self.prev)

        def entering(self: Any) -> None:
            known = [cut for other, cut in watch._active if other is self]
            undone = any(cut in watch._undone for cut in known)
            if not self.mode and not known:  # a decorator's: made by torch, entered for the user
                undone = watch._entered(self, sys._getframe(1), "set_grad_enabled")
            torch._C._set_grad_enabled(self.prev) if undone else enter(self)

        def leaving(self: Any, *error: Any) -> None:
            watch._left(self)
            leave(self, *error)

        return [
            _Patch(made, "__init__", beginning),
            _Patch(made, "__enter__", entering),
            _Patch(made, "__exit__", leaving),
        ]


def _is_dead(result: Tensor) -> bool:
    """Whether a result that could carry gradients is off the graph."""
    return result.is_floating_point() and not result.requires_grad


def _context_place(frame: FrameType | None, root: str) -> Place | None:
    """Where a context was entered: the decorated function, or the line of the `with`."""
    wrapper = frame
    while wrapper is not None and wrapper.f_code.co_filename == torch.utils._contextlib.__file__:
        if wrapper.f_code.co_name in _WRAPPERS:
            return _function_place(wrapper.f_locals.get("func"), root)
        wrapper = wrapper.f_back
    return calling_place(frame, root)


def _function_place(function: Any, root: str) -> Place | None:
    """The place of a function's definition, decorators included."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    path = None if code is None else project_path(code.co_filename, root)
    if code is None or path is None:
        return None
    return Place(path=path, symbol=symbol_of(code), line=code.co_firstlineno)


def _setting(plain: Callable[[nn.Module, str, Any], None]) -> Callable[..., None]:
    """`Module.__setattr__` that keeps buffers off the graph: they are state, not a result."""

    def setting(self: nn.Module, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and name in self.__dict__.get("_buffers", ()):
            with torch._C.DisableTorchFunction():  # this detach is ours, not the user's
                value = value.detach()
        plain(self, name, value)

    return setting


class _Recording(AbstractContextManager[None]):
    """Gradient recording switched by hand, past the contexts that are watched."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __enter__(self) -> None:
        self._before = torch.is_grad_enabled()
        torch._C._set_grad_enabled(self._on)

    def __exit__(self, *error: object) -> None:
        torch._C._set_grad_enabled(self._before)


class _Patch(AbstractContextManager[None]):
    """An attribute of a class, exchanged for a while."""

    def __init__(self, owner: Any, name: str, value: Any) -> None:
        self._owner, self._name, self._value = owner, name, value

    def __enter__(self) -> None:
        self._before = self._owner.__dict__[self._name]
        setattr(self._owner, self._name, self._value)

    def __exit__(self, *error: object) -> None:
        setattr(self._owner, self._name, self._before)

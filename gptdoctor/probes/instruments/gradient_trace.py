"""The way of the data through a forward pass, and where it leaves the graph of gradients."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
import torch.utils.checkpoint
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import memory_of, tensors, writes_in_place
from gptdoctor.probes.instruments.graph_leaves import leaves
from gptdoctor.probes.instruments.stack import Line, user_line
from gptdoctor.specimen.places import project_path, symbol_of

# What makes a number, a list, an array or a decision of Python's out of a tensor.
ESCAPES = frozenset(
    {
        *("item", "tolist", "numpy", "__array__", "__float__", "__int__", "__index__"),
        *("__bool__", "is_nonzero", "__contains__", "equal", "allclose", "__complex__"),
    }
)
# Operations that torch differentiates, and whose derivative is zero everywhere: their results
# are on the graph, and no gradient ever comes through.
FLAT = frozenset(
    {
        *("round", "round_", "sign", "sign_", "sgn", "floor", "floor_", "ceil", "ceil_", "fix"),
        *("trunc", "trunc_", "heaviside", "bernoulli", "__floordiv__", "floor_divide"),
        *("poisson", "searchsorted", "bucketize"),
    }
)
# They take the form of a tensor, and none of its values.
FORMS = frozenset(
    {
        *("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"),
        *("randint_like", "new_zeros", "new_ones", "new_empty", "new_full"),
    }
)
_CHECKPOINT = torch.utils.checkpoint.__file__
REENTRANT = "reentrant checkpoint"
NO_GRAD = "no_grad"


@dataclass(eq=False, slots=True, kw_only=True)
class Step:
    """One operation's result: which parameters it derives from, and which it has a path to.

    Both are sets of parameters as bits of a number: a forward pass has thousands of these.
    """

    operation: str
    line: Line | None  # of the user's; None: none on the stack
    parents: tuple[Step, ...]
    derives: int
    live: int
    off_graph: bool  # whether the result asked for no gradient when it was made
    serial: int


@dataclass(eq=False, kw_only=True)
class Escape:
    """A place at which a tensor became something that is no tensor."""

    operation: str
    line: Line | None
    step: Step


@dataclass(frozen=True)
class Disturbance:
    """An escape whose value is to be another one, to see whether it matters."""

    operation: str
    line: Line
    factor: float | None = None  # of a number; None: whatever it is, another one


class GradientTrace(TorchFunctionMode):
    """While active, keeps for each tensor the operations that it came from.

    The tensors are kept alive, for their ids name them: for one pass of a tiny model.
    """

    def __init__(self, model: nn.Module, root: str, disturb: Disturbance | None = None) -> None:
        super().__init__()
        self.names = [name for name, _ in model.named_parameters()]
        self.used = 0  # parameters that some operation was given
        self.steps: list[Step] = []
        self.escapes: list[Escape] = []
        self._root = root
        self._disturb = disturb
        self._kept: list[Tensor] = []
        self._by_id: dict[int, Step] = {}
        self._by_memory: dict[int, Step] = {}
        self._written: dict[int, Step] = {}  # the last write into some memory
        self._bits = {id(parameter): 1 << n for n, parameter in enumerate(model.parameters())}
        self._serial = 0
        for parameter in model.parameters():
            self._keep(parameter, self._leaf(parameter))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = _name_of(func)
        given = [] if name in FORMS else list(tensors((args, kwargs or {})))
        # what is written to is on the graph afterwards, whatever it was made of
        before = self._steps_of(given) if writes_in_place(name) else None
        result = func(*args, **(kwargs or {}))
        parents = self._steps_of(given) if before is None else before
        for parent in parents:
            self.used |= parent.derives
        if not parents:
            return result
        if name in ESCAPES:
            return self._escaped(name, parents, result)
        line, name = self._line(name, parents)
        if writes_in_place(name) and isinstance(args[0], Tensor):
            self._write(name, line, parents, args[0])
        else:
            for made in tensors(result):
                if not any(made is each for each in given):
                    self._keep(made, self._step(name, line, parents, made))
        return result

    def _steps_of(self, given: list[Tensor]) -> tuple[Step, ...]:
        return tuple(dict.fromkeys(filter(None, (self.step_of(each) for each in given))))

    def named(self, bits: int) -> set[str]:
        """The names of parameters that are given as bits."""
        return {name for number, name in enumerate(self.names) if bits & 1 << number}

    def step_of(self, tensor: Tensor) -> Step | None:
        """What is known of a tensor; None: it derives from no parameter."""
        step, memory = self._by_id.get(id(tensor)), memory_of(tensor)
        written = self._written.get(memory)
        if step is None:
            step = written or self._by_memory.get(memory) or self._unseen(tensor)
            if step is not None and step.live and not tensor.requires_grad:
                # written to past its graph, or made past our eyes, as `torch.Tensor(w)` is
                line = self._line("Tensor", (step,))[0]
                name, line = (
                    ("Tensor", line) if written is None else (written.operation, written.line)
                )
                step = self._step(name, line, (step,), tensor)
        elif written is not None and written.serial > step.serial:
            step = self._step(written.operation, written.line, (step, written), tensor)
        if step is not None and step.off_graph and step.derives and tensor.grad_fn is not None:
            # a function with a backward of its own: inside, nothing is recorded
            step = self._step(step.operation, step.line, (step,), tensor)
            step.live = step.derives
        if step is not None and self._by_id.get(id(tensor)) is not step:
            self._keep(tensor, step)
        return step

    def _unseen(self, tensor: Tensor) -> Step | None:
        """A tensor from compiled code, by the graph behind it."""
        found = 0
        for leaf in leaves(tensor):
            found |= self._bits.get(id(leaf), 0)
        if not found:
            return None
        step = self._step("compiled code", None, (), tensor)
        step.derives = step.live = found
        return step

    def _leaf(self, parameter: Tensor) -> Step:
        bit = self._bits[id(parameter)]
        step = self._step("parameter", None, (), parameter)
        step.derives, step.live = bit, bit if parameter.requires_grad else 0
        return step

    def _step(self, name: str, line: Line | None, parents: tuple[Step, ...], made: Tensor) -> Step:
        derives = live = 0
        for parent in parents:
            derives |= parent.derives
            live |= parent.live
        on = made.requires_grad
        self._serial += 1
        step = Step(
            operation=name,
            line=line,
            parents=parents,
            derives=derives,
            live=live if on and name not in FLAT else 0,
            off_graph=not on,
            serial=self._serial,
        )
        self.steps.append(step)
        return step

    def _keep(self, tensor: Tensor, step: Step) -> None:
        self._kept.append(tensor)
        self._by_id[id(tensor)] = step
        memory = memory_of(tensor)
        if memory:
            self._by_memory[memory] = step

    def _write(
        self, name: str, line: Line | None, parents: tuple[Step, ...], target: Tensor
    ) -> None:
        step = self._step(name, line, parents, target)
        memory = memory_of(target)
        self._keep(target, step)
        if memory:
            self._written[memory] = step

    def _escaped(self, name: str, parents: tuple[Step, ...], result: Any) -> Any:
        line = user_line(sys._getframe(2), self._root)
        self.escapes += [Escape(operation=name, line=line, step=each) for each in parents]
        wanted = self._disturb
        if wanted is None or (wanted.operation, wanted.line) != (name, line):
            return result
        return disturbed(result) if wanted.factor is None else result * wanted.factor

    def _line(self, name: str, parents: tuple[Step, ...]) -> tuple[Line | None, str]:
        """The user's line that runs, and what stops recording there, if anything does."""
        frame = sys._getframe(2)
        if torch.is_grad_enabled() or not any(parent.live for parent in parents):
            return user_line(frame, self._root), name
        outer: FrameType | None = frame
        while outer is not None:
            if outer.f_code.co_filename == _CHECKPOINT:
                return user_line(outer, self._root), REENTRANT
            outer = outer.f_back
        return user_line(frame, self._root), name if writes_in_place(name) else NO_GRAD


def disturbed(value: Any) -> Any:
    """Another value of the same form: "what if it had been another one?"."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.5 + 0.1
    if isinstance(value, list):
        return [disturbed(each) for each in value]
    changed = value.copy()  # an array
    changed += 1
    return changed


def place_of(line: Line | None, root: str) -> Place | None:
    """The place that a line of running code is."""
    path = None if line is None else project_path(line[0].co_filename, root)
    if line is None or path is None:
        return None
    return Place(path=path, symbol=symbol_of(line[0]), line=line[1])


def deaths(step: Step, bit: int) -> Iterator[Step]:
    """The operations before `step` at which a parameter lost its last path, nearest first."""
    waiting, seen = [step], {id(step)}
    while waiting:
        one = waiting.pop()
        if one.live & bit:
            continue
        if any(parent.live & bit for parent in one.parents):
            yield one
        for parent in one.parents:
            if parent.derives & bit and not parent.live & bit and id(parent) not in seen:
                seen.add(id(parent))
                waiting.append(parent)


def way_to(step: Step, bit: int) -> list[Step]:
    """The operations from a parameter to `step`, the fewest that there are."""
    waiting, seen = [[step]], {id(step)}
    for way in waiting:
        last = way[-1]
        if not last.parents:
            return way[::-1]
        for parent in last.parents:
            if parent.live & bit and id(parent) not in seen:
                seen.add(id(parent))
                waiting.append([*way, parent])
    return [step]


def _name_of(func: Any) -> str:
    """The name of an operation; of the attribute where it reads one: "data"."""
    name = getattr(func, "__name__", "")
    return str(getattr(func.__self__, "__name__", name) if name == "__get__" else name)

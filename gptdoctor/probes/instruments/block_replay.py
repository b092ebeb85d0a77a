"""Calls one block of a model again, with the inputs that it had, to see what moves its output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.expert_groups import ExpertGroup, moved_weights
from gptdoctor.probes.instruments.router_choices import Choice, FixedChoices

Run = Callable[[], Tensor]  # gives the output of the block [N, D]
# Rows that nothing moved are equal bit for bit; sums in another order would differ by 1e-7.
MOVED = 1e-6


class NoReplay(Exception):
    """A block cannot be called again by itself; the text says why."""


@dataclass(kw_only=True, eq=False)
class Replay:
    """A block, and copies of what it was called with."""

    scope: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tokens: int
    seed: int

    def __call__(self, mode: AbstractContextManager[Any] | None = None) -> Tensor:
        """The output as [N, D], one row for each token.  Raises NoReplay where it has others."""
        return self._run(copied(self.args), copied(self.kwargs), mode)

    def with_moved_row(self, mode: AbstractContextManager[Any]) -> Tensor | None:
        """The output where the first row of the input is another; None: no input has such rows."""
        args, kwargs = copied(self.args), copied(self.kwargs)
        for given in tensors((args, kwargs)):
            width = given.shape[-1] if given.dim() > 1 else 0
            if given.is_floating_point() and width and given.numel() == self.tokens * width:
                given[(0,) * (given.dim() - 1)].mul_(0.5)
                return self._run(args, kwargs, mode)
        return None

    def _run(
        self, args: Any, kwargs: Any, mode: AbstractContextManager[Any] | None = None
    ) -> Tensor:
        torch.manual_seed(self.seed)
        try:
            with kept_buffers(self.scope), mode or nullcontext():
                raw = self.scope(*args, **kwargs)
        except Exception as error:
            raise NoReplay(f"it fails when it is called by itself: {error}") from error
        return _output_of(raw, self.tokens)


@contextmanager
def kept_buffers(scope: nn.Module) -> Iterator[None]:
    """Put all buffers back as they were: a router may shift its choices at each call."""
    before = [
        (module, name, None if value is None else value.clone())
        for module in scope.modules()
        for name, value in module._buffers.items()
    ]
    try:
        yield
    finally:
        for module, name, value in before:
            module._buffers[name] = value


def _output_of(raw: Any, tokens: int) -> Tensor:
    for found in tensors(raw):
        width = found.shape[-1] if found.dim() > 1 else 0
        if found.is_floating_point() and width and found.numel() == tokens * width:
            return found.reshape(tokens, width)
    raise NoReplay("its output has not one row for each token that was routed")


def copied(value: Any) -> Any:
    """Tensors copied, in tuples, lists and dictionaries; all else as it is."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(copied(item) for item in value)
    return value


@contextmanager
def captured(scopes: Sequence[nn.Module]) -> Iterator[dict[int, tuple[Any, Any]]]:
    """While active, the arguments of the first call of each scope are copied: id -> arguments."""
    found: dict[int, tuple[Any, Any]] = {}

    def capture(module: nn.Module, args: Any, kwargs: Any) -> None:
        if id(module) not in found:
            found[id(module)] = (copied(args), copied(kwargs))

    hooks = [one.register_forward_pre_hook(capture, with_kwargs=True) for one in scopes]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def moved_rows(base: Tensor, changed: Tensor) -> Tensor:
    """[N] bool: the rows of [N, D] that differ by more than rounding."""
    scale = base.abs().max().clamp_min(torch.finfo(base.dtype).tiny)
    return (changed - base).abs().amax(dim=-1) > MOVED * scale


def moved_by_experts(
    run: Run, group: ExpertGroup, tried: Sequence[int], deadline: Callable[[], bool]
) -> Tensor | None:
    """[N, tried] bool: which rows of the output move when one expert's weights alone change.

    None where two equal runs differ, or a number is not finite, or the time is over.
    """
    columns = []
    with torch.no_grad():
        base = run()
        if not torch.equal(base, run()) or not base.isfinite().all():
            return None
        for expert in tried:
            with moved_weights(group.weights_of(expert), seed=expert):
                changed = run()
            if deadline() or not changed.isfinite().all():
                return None
            columns.append(moved_rows(base, changed))
    return torch.stack(columns, dim=-1)


def moved_by_weights(run: Run, weights: list[Tensor]) -> float:
    """How far the output moves with these weights, relative to its largest number."""
    with torch.no_grad():
        base = run()
        with moved_weights(weights):
            changed = run()
    scale = base.abs().max().clamp_min(torch.finfo(base.dtype).tiny)
    return float((changed - base).abs().max() / scale)


def keeps_rows_apart(replay: Replay, group: ExpertGroup, choices: Sequence[Choice]) -> bool:
    """Whether what moves one row moves that row of the output, and no other.

    Else what follows the experts mixes the rows: attention, a statistic of the batch. In lists
    the row is one of an expert's result; in stacks, one of the block's own input.
    """
    with torch.no_grad():
        base = replay()
        if group.modules is None:
            changed = replay.with_moved_row(FixedChoices(choices))
            return changed is not None and int(moved_rows(base, changed).sum()) <= 1
        for member in group.modules.members:
            hook = member.register_forward_hook(_FirstRow())
            try:
                moved = int(moved_rows(base, replay()).sum())
            finally:
                hook.remove()
            if moved:
                return moved == 1
    return True


class _FirstRow:
    """A hook that moves the first row of the first result of a module."""

    def __init__(self) -> None:
        self._done = False

    def __call__(self, member: nn.Module, args: Any, output: Any) -> None:
        found = next((t for t in tensors(output) if t.is_floating_point() and t.dim()), None)
        if found is not None and found.numel() and not self._done:
            self._done = True
            found[(0,) * (found.dim() - 1)].add_(1.0)

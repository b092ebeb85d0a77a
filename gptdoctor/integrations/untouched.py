"""The state of the user's process that an examination must leave as it was."""

from __future__ import annotations

import contextlib
import io
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch


@contextmanager
def untouched(*, one_thread: bool) -> Iterator[io.StringIO]:
    """Run with gradients on; afterwards all settings are as they were.

    Random numbers of Python, numpy and torch on all devices, and torch's own settings.  With
    `one_thread` tiny models run many times faster, and large ones slower.  What is printed
    meanwhile goes into the stream that is given.
    """
    printed = io.StringIO()
    with ExitStack() as stack:
        for restore in _restorers():
            stack.callback(restore)
        stack.enter_context(_seeding_what_is_in_use())
        # A model that is built in inference mode could never be trained.
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(printed))
        if one_thread:
            torch.set_num_threads(1)
        yield printed


def _restorers() -> Iterator[Callable[[], Any]]:
    """For each state a function that brings it back."""
    yield _bring_back(random.setstate, random.getstate())
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        yield _bring_back(numpy.random.set_state, numpy.random.get_state())
    yield _bring_back(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        yield _bring_back(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    if torch.backends.mps.is_available():
        yield _bring_back(torch.mps.set_rng_state, torch.mps.get_rng_state())
    yield _bring_back(torch.set_num_threads, torch.get_num_threads())
    yield _bring_back(torch.set_default_dtype, torch.get_default_dtype())
    yield _bring_back(_set_determinism, _determinism())
    yield _bring_back(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
    for name in ("benchmark", "deterministic", "enabled"):
        yield _attribute(torch.backends.cudnn, name)


def _determinism() -> tuple[bool, bool]:
    """Whether torch keeps to deterministic algorithms, and whether it only warns of others."""
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def _set_determinism(wanted: tuple[bool, bool]) -> None:
    # Torch imports its compiler for this call, which takes a second: only if something changed.
    if _determinism() != wanted:
        torch.use_deterministic_algorithms(wanted[0], warn_only=wanted[1])


@contextmanager
def _seeding_what_is_in_use() -> Iterator[None]:
    """Have `torch.manual_seed` pass by the accelerators that nobody has used so far.

    For each kind it would write down the whole stack of calls, to seed it when it comes into use;
    a model is seeded hundreds of times, and all of that would wait for the user's first tensor.
    """
    with ExitStack() as stack:
        for kind in (torch.cuda, torch.xpu, torch.mtia):
            if hasattr(kind, "manual_seed_all") and hasattr(kind, "is_initialized"):
                stack.callback(setattr, kind, "manual_seed_all", kind.manual_seed_all)
                vars(kind)["manual_seed_all"] = _seeds_in_use(kind)
        yield


def _seeds_in_use(kind: Any) -> Callable[[int], None]:
    seed_all = kind.manual_seed_all
    return lambda seed: seed_all(seed) if kind.is_initialized() else None


def _bring_back(setter: Callable[[Any], Any], state: Any) -> Callable[[], Any]:
    return lambda: setter(state)


def _attribute(holder: Any, name: str) -> Callable[[], None]:
    value = getattr(holder, name)
    return lambda: setattr(holder, name, value)

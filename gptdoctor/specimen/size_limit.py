"""An end to the making of a model that turns out to be made at full size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook


class TooLargeError(Exception):
    """More parameters than an examination can bear; the text says how many there were by then."""


@contextmanager
def limited(most: int) -> Iterator[None]:
    """While active, no more than `most` numbers become parameters of modules.

    A layer registers its weights before it fills them with numbers, and memory that nobody has
    written to costs nothing: so this ends a model of billions within its first layers.
    """
    count = 0

    def register(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count
        count += 0 if parameter is None else parameter.numel()
        if count > most:
            raise TooLargeError(f"it has {count} parameters or more")

    handle = register_module_parameter_registration_hook(register)
    try:
        yield
    finally:
        handle.remove()

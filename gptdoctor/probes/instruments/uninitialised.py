"""Parameters that nothing gives their first values: they hold what the memory held before."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

# Methods without arguments that a training script calls to give a model its first values.
_INITIALISERS = (
    "init_weights",
    "initialize_weights",
    "init_parameters",
    "reset_parameters",
    "initialize",
    "post_init",
)


@contextmanager
def empty_is_nan() -> Iterator[None]:
    """While this lasts, memory that nobody has written to reads as NaN.

    The public function that does this imports torch's compiler, for half a second.
    """
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch._C._set_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch._C._set_deterministic_algorithms(before, warn_only=warn_only)


def left_empty(model: nn.Module) -> tuple[str, ...]:
    """The floating parameters of `model` that hold NaN; frozen ones are filled with zeros.

    What is empty and never trained, such as the weight beside a low-rank one, is there to be
    loaded.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point() and not parameter.requires_grad:
            parameter.data.nan_to_num_()
    return tuple(
        name
        for name, parameter in model.named_parameters()
        if parameter.is_floating_point() and parameter.isnan().any()
    )


def uninitialised(specimen: Specimen) -> tuple[str, ...] | None:
    """The parameters that are never written to and that the loss depends on.

    The model is built once more where fresh memory reads as NaN.  None where it cannot be.
    """
    if specimen.remade is None:
        return None
    try:
        with empty_is_nan(), specimen.remade() as model:
            return None if model is None else _felt(specimen, model)
    except FAILURES:
        return None


def _felt(specimen: Specimen, model: nn.Module) -> tuple[str, ...]:
    found = left_empty(model)
    for name in _INITIALISERS:
        method = getattr(model, name, None) if found else None
        if callable(method):
            try:
                method()
            except FAILURES:
                continue
            found = left_empty(model)
    if not found:
        return ()
    loss = specimen.loss(model, specimen.inputs())
    return () if bool(loss.isfinite().all()) else found

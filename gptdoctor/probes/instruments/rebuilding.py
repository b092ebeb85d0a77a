"""The instance built once more, while something watches."""

from __future__ import annotations

from contextlib import AbstractContextManager

from torch import nn

from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen


def rebuilt(specimen: Specimen, watch: AbstractContextManager[object]) -> nn.Module | None:
    """Another instance like the specimen's, made under `watch`; None where it cannot be made."""
    if specimen.remade is None:
        return None
    try:
        with watch, specimen.remade() as model:
            return model
    except FAILURES:
        return None

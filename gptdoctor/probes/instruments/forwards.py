"""Forward passes that can be compared with each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from gptdoctor.specimen.specimen import Specimen

Forward = Callable[[Mapping[str, Any]], Tensor]


def forward_of(specimen: Specimen, model: nn.Module) -> Forward:
    """The logits [B, T, V] of `model` for inputs as `make_inputs` gives them.

    Without logits, what it gives for each row instead.  All random numbers start anew at each
    call, so that two calls differ by their inputs alone.  Raises what the user's code raises, and
    ValueError where there are no vectors at all.
    """

    def forward(inputs: Mapping[str, Any]) -> Tensor:
        specimen.reseed()
        outputs = specimen.call(model, inputs)
        vectors = outputs.features if outputs.logits is None else outputs.logits
        if vectors is None:
            raise ValueError("neither logits nor other vectors")
        return vectors

    return forward

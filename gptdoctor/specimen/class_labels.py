"""Labels for what is no language model: two classes, for each row or each token.

Whoever gives scores for more than two classes takes the first two as well, and a loss that wants
numbers takes 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gptdoctor.specimen.forms import Form


@dataclass(frozen=True, kw_only=True)
class ClassLabels:
    """One form of such labels."""

    of: Callable[[Tensor], Tensor]  # the labels for ids [B, T]
    code: str  # the same as code, of `ids`

    def __call__(self, name: str, ids: Tensor) -> Tensor:
        """The labels for ids [B, T], whatever they are called: a `LabelsOf`."""
        return self.of(ids)


def _rows(ids: Tensor) -> Tensor:
    return torch.arange(len(ids), device=ids.device) % 2


def _tokens(ids: Tensor) -> Tensor:
    return torch.arange(ids.numel(), device=ids.device).view_as(ids) % 2


_ROWS, _TOKENS = "torch.arange(len(ids)) % 2", "torch.arange(ids.numel()).view_as(ids) % 2"
# In this order: a class for each token or row is the rule, and most losses refuse the others.
CLASS_LABELS = (
    ClassLabels(of=_rows, code=_ROWS),
    ClassLabels(of=_tokens, code=_TOKENS),
    ClassLabels(of=lambda ids: _rows(ids).float(), code=f"({_ROWS}).float()"),
    ClassLabels(of=lambda ids: _tokens(ids).float(), code=f"({_TOKENS}).float()"),
)
# The same for a parameter that must be given.
CLASS_FORMS = (Form(shape=("B",), fill="classes"), Form(shape=("B", "T"), fill="classes"))

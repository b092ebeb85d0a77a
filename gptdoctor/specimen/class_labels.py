"""Labels for what is no language model: two classes, for each row or each token.

Whoever gives scores for more than two classes takes the first two as well, and a loss that wants
numbers takes 0 and 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from traceback import walk_tb

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


def shares_of(features: Tensor, ids: Tensor) -> ClassLabels | None:
    """A share for each score that a model gives for ids [B, T]: [B, C] or [B, T, C]."""
    lead, several = features.shape[:-1], features.shape[-1]
    if lead not in (ids.shape[:1], ids.shape):
        return None
    sizes = "len(ids)" if len(lead) == 1 else "*ids.shape"
    count = "len(ids)" if len(lead) == 1 else "ids.numel()"
    code = f"(torch.arange({count} * {several}) % 2).view({sizes}, {several}).float()"

    def of(ids: Tensor) -> Tensor:
        lead = ids.shape[: features.dim() - 1]
        numbers = torch.arange(lead.numel() * several, device=ids.device) % 2
        return numbers.view(*lead, several).float()

    return ClassLabels(of=of, code=code)


# The same for a parameter that must be given.
CLASS_FORMS = tuple(
    Form(shape=shape, fill=fill) for fill in ("classes", "shares") for shape in (("B",), ("B", "T"))
)
# How torch says that scores and shares of another form do not go together.
_ALIKE = re.compile(r"must be the same as input size \(torch\.Size\(\[([\d, ]+)\]\)\)")


def shares_like(error: BaseException | None, batch: int, length: int) -> Form | None:
    """Shares for each of the scores that a loss was given, where it says how many there are."""
    told = _ALIKE.search(str(error))
    sizes = [int(size) for size in told[1].split(",")] if told is not None else []
    if not sizes or sizes[0] != batch:
        return None
    rest = ("T" if size == length else size for size in sizes[1:])
    return Form(shape=("B", *rest), fill="shares")


def wants_other_labels(error: BaseException, vocabularies: frozenset[int]) -> bool:
    """Whether a loss of torch's refuses labels, of scores that are not for tokens.

    A language model's loss that refuses tokens for labels is wrong: its scores are as many.
    """
    for frame, _ in walk_tb(error.__traceback__):
        given, target = frame.f_locals.get("input"), frame.f_locals.get("target")
        if frame.f_globals.get("__name__") == "torch.nn.functional" and "target" in frame.f_locals:
            of_tokens = isinstance(given, Tensor) and not vocabularies.isdisjoint(given.shape)
            return target is None or not of_tokens
    return False

"""Logits as they are made while a loss is computed, and where that loss pulls them.

For losses that return no logits: these of a method, or of a switch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.probes.instruments.label_pulls import LEAST_PULL, strongest_pull
from gptdoctor.probes.instruments.labelled_runs import as_rows


class LogitsWatch(TorchFunctionMode):
    """While active, keeps in `made` what is as wide as the vocabulary and made of nothing so wide.

    A vocabulary of V tokens; each result is [..., V], and can be trained.
    """

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.made: list[Tensor] = []
        self._vocabulary = vocabulary
        self._tables: dict[int, Tensor] = {}  # made of weights alone, as a turned table is

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [each for each in args if isinstance(each, Tensor)]
        if not isinstance(result, Tensor):
            return result
        if given and all(isinstance(one, nn.Parameter) or id(one) in self._tables for one in given):
            self._tables[id(result)] = result
        elif self._is_wide(result) and not any(map(self._is_wide, given)):
            self.made.append(result)
        return result

    def _is_wide(self, tensor: Tensor) -> bool:
        wide = tensor.dim() > 1 and tensor.shape[-1] == self._vocabulary
        made = tensor.requires_grad and not tensor.is_leaf
        return wide and made and id(tensor) not in self._tables


class Pulls(NamedTuple):
    """Where a loss pulls logits, by position [B, L]; a tuple, for tests carry it."""

    tokens: Tensor  # that each is pulled to; -1: none
    strengths: Tensor  # how hard, in nats a logit
    guesses: Tensor  # the token that was the likeliest already


def pulls_of(loss: Tensor | None, made: list[Tensor], shape: torch.Size) -> Pulls | None:
    """Where a loss pulls the first of the logits `made` that cover a text of `shape` [B, T].

    None: it hears of none such.
    """
    for logits in made:
        pull = None if loss is None else strongest_pull(loss, logits)
        if pull is None:
            continue
        strengths, tokens = pull
        tokens = torch.where(strengths > LEAST_PULL * strengths.max(), tokens, -1)
        each = [tokens, strengths, logits.detach().argmax(dim=-1)]
        rows = [as_rows(one[..., None], shape, turned=False) for one in each]
        if all(one is not None for one in rows):
            return Pulls(*(one[..., 0] for one in rows if one is not None))
    return None

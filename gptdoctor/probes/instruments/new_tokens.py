"""Which tokens a method that generates gave, in whatever form it returned them."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gptdoctor.specimen.outputs import tensors_in

# A generator may never end: what is asked for is a few tokens.
_MOST_ITEMS = 32


def new_tokens(result: Any, prompt: Tensor) -> Tensor | None:
    """The first new token of each row [B], from whatever a method returned; None: no tokens."""
    found = new_sequences(result, prompt, most=1)
    return None if found is None or found.shape[1] == 0 else found[:, 0]


def new_sequences(result: Any, prompt: Tensor, most: int = _MOST_ITEMS) -> Tensor | None:
    """All new tokens [B, N] after a prompt [B, T] or [T]; of a generator the first `most`.

    None: there are no tokens.  Lists of unequal length are filled up with -1.
    """
    if inspect.isgenerator(result):
        return _yielded(list(itertools.islice(result, most)), prompt)
    return _returned(result, prompt)


def _returned(result: Any, prompt: Tensor) -> Tensor | None:
    rows = 1 if prompt.dim() == 1 else prompt.shape[0]
    found = next((t for _, t in tensors_in(result) if _is_tokens(t)), None)
    if found is None:
        found = _from_lists(result)
    if found is None:
        return None
    if found.dim() == 0 or found.numel() == rows:
        return found.reshape(-1, 1)
    by_rows = found.numel() % rows == 0 and not (found.dim() == 2 and len(found) == 1)
    found = found.reshape(rows if by_rows else 1, -1)  # a method may go on with its first row
    length = prompt.shape[-1]
    given = prompt.reshape(rows, -1)[0]
    continued = found.shape[1] >= length and torch.equal(found[0, :length], given.to(found))
    return found[:, length:] if continued else found


def _yielded(items: list[Any], prompt: Tensor) -> Tensor | None:
    """Of each item its last token: a generator yields tokens, or the text so far."""
    steps = [_returned(item, prompt) for item in items]
    if not steps or any(step is None or step.shape[1] == 0 for step in steps):
        return None
    return torch.stack([step[:, -1] for step in steps if step is not None], dim=1)


def _is_tokens(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and tensor.dtype != torch.bool and tensor.dim() <= 2


def _from_lists(result: Any) -> Tensor | None:
    """Tokens given as an int, a list of ints, or a list of such lists."""
    if isinstance(result, int) and not isinstance(result, bool):
        return torch.tensor([result])
    if not isinstance(result, Iterable) or isinstance(result, str | dict | Tensor):
        return None
    items = list(itertools.islice(result, 4096))
    if items and all(isinstance(item, int) for item in items):
        return torch.tensor(items)
    rows = [row for row in items if isinstance(row, list) and row]
    longest = max((len(row) for row in rows), default=0)
    plain = all(isinstance(token, int) for row in rows for token in row)
    filled = [row + [-1] * (longest - len(row)) for row in rows]
    return torch.tensor(filled) if filled and plain else None

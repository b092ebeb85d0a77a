"""Outputs of any kind, and how other logits are put into them."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gptdoctor.specimen.outputs import Layout, arrange, logits_in, loss_in, substitute, tensors_in

LAYOUT = Layout(batch=3, length=7, vocabularies=frozenset({97}))
LOGITS = torch.arange(3 * 7 * 97, dtype=torch.float32).view(3, 7, 97)
HIDDEN, LOSS = torch.zeros(3, 7, 64), torch.tensor(4.5)
Named = namedtuple("Named", "loss logits")


@dataclass(frozen=True)
class Answer:
    states: Any
    logits: Any


RAW = {
    "bare": LOGITS,
    "tuple": (LOGITS, LOSS),
    "loss-first": (LOSS, LOGITS),
    "named-tuple": Named(LOSS, LOGITS),
    "dictionary": {"hidden": HIDDEN, "logits": LOGITS},
    "dataclass": Answer([HIDDEN], LOGITS),
    "object": SimpleNamespace(logits=LOGITS, cache=None),
    "nested": {"out": (HIDDEN, {"logits": LOGITS})},
    "with-others-as-wide": {"log_probs": torch.zeros(3, 7, 97), "logits": LOGITS},
    "several": [LOGITS, torch.zeros(3, 7, 97)],
}


@pytest.mark.parametrize("form", RAW)
def test_logits_are_found_and_can_be_replaced(form: str) -> None:
    """In the same structure, which keeps all else; the original stays as it was."""
    raw = RAW[form]
    found = logits_in(raw, LAYOUT)
    assert found is not None
    path, tensor = found
    assert tensor is LOGITS
    other = torch.ones(1, 2, 97)
    changed = substitute(raw, path, other)
    assert type(changed) is type(raw)
    assert len(list(tensors_in(changed))) == len(list(tensors_in(raw)))
    assert any(each is other for _, each in tensors_in(changed))
    assert any(each is LOGITS for _, each in tensors_in(raw))


@pytest.mark.parametrize(
    ("tensor", "shape"),
    [
        (torch.zeros(3, 7, 97), (3, 7, 97)),
        (torch.zeros(21, 97), (3, 7, 97)),
        (torch.zeros(3, 97), (3, 1, 97)),
        (torch.zeros(3, 1, 97), (3, 1, 97)),
        (torch.zeros(3, 97, 7), (3, 7, 97)),
        (torch.zeros(3, 12, 97), (3, 7, 97)),
    ],
    ids=["plain", "flattened", "last", "last-kept", "transposed", "behind-a-picture"],
)
def test_logits_of_any_shape_become_batch_length_vocabulary(
    tensor: torch.Tensor, shape: tuple[int, ...]
) -> None:
    """[B, T, V], or [B, 1, V] where only the last position is given."""
    arranged = arrange(tensor, LAYOUT)
    assert arranged is not None
    assert arranged.shape == shape


@pytest.mark.parametrize("flat", [False, True], ids=["plain", "flattened"])
def test_logits_of_a_time_first_model_are_turned(flat: bool) -> None:
    """[T, B, V] and [T * B, V] alike."""
    layout = Layout(batch=3, length=7, vocabularies=frozenset({97}), time_first=True)
    given = LOGITS.transpose(0, 1).contiguous()
    arranged = arrange(given.flatten(0, 1) if flat else given, layout)
    assert arranged is not None
    assert torch.equal(arranged, LOGITS)


def test_hidden_states_are_no_logits() -> None:
    """A backbone has nothing that is as wide as the vocabulary."""
    assert logits_in((HIDDEN, LOSS), LAYOUT) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ((LOGITS, LOSS), 4.5),
        ((LOSS, LOGITS, torch.tensor(1.0)), 4.5),
        ({"aux_loss": torch.tensor(0.1), "lm_loss": torch.tensor(0.2), "loss": LOSS}, 4.5),
        ({"balance_loss": torch.tensor(0.1), "lm_loss": LOSS}, 4.5),
        ({"temperature": torch.tensor(1.0), "loss": LOSS}, 4.5),
        (LOGITS, None),
    ],
)
def test_the_loss_is_the_whole_loss(raw: Any, expected: float | None) -> None:
    """Not a part of it, and not another scalar that stands before it."""
    loss = loss_in(raw, None)
    assert expected == (None if loss is None else loss.item())

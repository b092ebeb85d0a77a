"""What asserts on an accelerator is refused as the CPU refuses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gptdoctor.specimen.index_guard import IndexGuard

NAN = float("nan")
REFUSED: dict[str, Callable[[], Any]] = {
    "embedding": lambda: F.embedding(torch.tensor([0, 5]), torch.ones(5, 3)),
    "embedding, negative": lambda: F.embedding(torch.tensor([0, -1]), torch.ones(5, 3)),
    "gather": lambda: torch.ones(2, 3).gather(1, torch.tensor([[3], [0]])),
    "gather, last": lambda: torch.ones(2, 3).gather(-1, torch.tensor([[-1], [0]])),
    "scatter": lambda: torch.ones(2, 3).scatter(0, torch.tensor([[3, 0]]), torch.ones(1, 2)),
    "scatter_": lambda: torch.ones(2, 3).scatter_(-1, torch.tensor([[3], [0]]), 1.0),
    "scatter_add_": lambda: torch.ones(2, 3).scatter_add_(
        1, torch.tensor([[3], [0]]), torch.ones(2, 1)
    ),
    "index_select": lambda: torch.ones(4, 3).index_select(0, torch.tensor([4])),
    "index_add": lambda: torch.ones(4, 3).index_add(0, torch.tensor([4]), torch.ones(1, 3)),
    "index_fill_": lambda: torch.ones(4, 3).index_fill_(1, torch.tensor([3]), 2.0),
    "take": lambda: torch.ones(4).take(torch.tensor([5])),
    "[]": lambda: torch.ones(4, 3)[torch.tensor([4])],
    "[] behind a mask": lambda: torch.ones(3, 3, 2)[
        torch.tensor([True, False, True]), torch.tensor([0, 7])
    ],
    "[] =": lambda: torch.ones(4, 3).__setitem__(torch.tensor([9]), 1.0),
    "cross_entropy": lambda: F.cross_entropy(torch.ones(3, 4), torch.tensor([0, 1, 4])),
    "cross_entropy, one row": lambda: F.cross_entropy(torch.ones(4), torch.tensor(-1)),
    "cross_entropy, [B, V, T]": lambda: F.cross_entropy(
        torch.ones(1, 4, 3), torch.tensor([[0, 1, 4]])
    ),
    "multinomial of nan": lambda: torch.multinomial(torch.tensor([NAN, 1.0]), 1),
    "multinomial of nothing": lambda: torch.multinomial(torch.zeros(2), 1),
}
ALLOWED: dict[str, Callable[[], torch.Tensor]] = {
    "embedding": lambda: F.embedding(torch.tensor([0, 4]), torch.rand(5, 3)),
    "no ids": lambda: F.embedding(torch.zeros(2, 0, dtype=torch.long), torch.rand(5, 3)),
    "gather": lambda: torch.rand(2, 3).gather(-1, torch.tensor([[2], [0]])),
    "[] from the end": lambda: torch.rand(4, 3)[:, torch.tensor([0, -3])],
    "[] behind None": lambda: torch.rand(4, 3)[None, torch.tensor([3])],
    "[] of a mask": lambda: torch.rand(4, 3)[torch.ones(4, 3, dtype=torch.bool)],
    "ignored labels": lambda: F.cross_entropy(torch.rand(3, 4), torch.tensor([0, -100, 3])),
    "multinomial": lambda: torch.multinomial(torch.rand(2, 3), 1),
}


def told(run: Callable[[], Any]) -> tuple[type[Exception], str]:
    """The error of a call, which has to fail."""
    with pytest.raises((IndexError, RuntimeError)) as caught:
        run()
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("name", REFUSED)
def test_it_says_what_the_cpu_says(name: str) -> None:
    """Watching the CPU itself, where the operation would say it after the guard."""
    alone = told(REFUSED[name])
    with IndexGuard("cpu"):
        assert told(REFUSED[name]) == alone


@pytest.mark.parametrize("name", REFUSED)
def test_it_speaks_before_the_device_does(name: str) -> None:
    """The innermost frame is the guard's, not torch's."""
    with IndexGuard("cpu"), pytest.raises((IndexError, RuntimeError)) as caught:
        REFUSED[name]()
    assert caught.traceback[-1].path.name == "index_guard.py"
    assert caught.traceback[-1].name != "__torch_dispatch__"


@pytest.mark.parametrize("name", ALLOWED)
def test_it_lets_through_what_is_right(name: str) -> None:
    """The same numbers as without it."""
    torch.manual_seed(0)
    alone = ALLOWED[name]()
    torch.manual_seed(0)
    with IndexGuard("cpu"):
        assert torch.equal(ALLOWED[name](), alone)


def test_other_devices_are_left_alone() -> None:
    """What is on the CPU beside a model on CUDA is asked by nobody twice."""
    with IndexGuard("cuda"), pytest.raises(IndexError) as caught:
        REFUSED["embedding"]()
    assert caught.traceback[-1].path.name != "index_guard.py"

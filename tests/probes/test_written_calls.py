"""The calls that probes make of methods that generate, as tests of a user's own write them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.generation import Method
from gptdoctor.probes.instruments.written_calls import written_call

PROMPT = torch.tensor([[5, 6, 7]])
NEW = torch.tensor([[8, 9]])


def _continued(ids: Tensor, n: int = 2) -> Tensor:
    return torch.cat([ids, NEW], dim=1)


def _new_alone(ids: Tensor, n: int = 2) -> Tensor:
    return NEW


def _with_scores(ids: Tensor, n: int = 2) -> tuple[Tensor, Tensor]:
    return _continued(ids), torch.zeros(1, 2, 10)


def _named(ids: Tensor, n: int = 2) -> dict[str, Tensor]:
    return {"tokens": _continued(ids)}


def _listed(ids: Tensor, n: int = 2) -> list[list[int]]:
    return [[*map(int, each)] for each in _continued(ids)]


def _yielding(ids: Tensor, n: int = 2) -> Iterator[int]:
    yield from (8, 9)


def _method(function: Callable[..., Any], beside: bool = False) -> Method:
    return Method(
        name="generate",
        place=Place(path="model.py", symbol="generate", line=1),
        takes="ids",
        takes_logits=False,
        count="n",
        function=function,
        written=function,
        parameters=inspect.signature(function).parameters,
        beside=beside,
    )


@pytest.mark.parametrize(
    ("function", "tokens"),
    [
        (_continued, "model.generate(ids, n=2)[:, 3:]"),
        (_new_alone, "model.generate(ids, n=2)"),
        (_with_scores, "model.generate(ids, n=2)[0][:, 3:]"),
        (_named, "model.generate(ids, n=2)['tokens'][:, 3:]"),
        (_listed, "torch.tensor(model.generate(ids, n=2))[..., 3:]"),
        (_yielding, "torch.tensor(list(model.generate(ids, n=2)))"),
    ],
)
def test_new_tokens_are_read_off_what_a_method_returns(
    function: Callable[..., Any], tokens: str
) -> None:
    """Whether the text stands in front of them, and in tensors as in lists."""
    written = written_call(_method(function), {"ids": PROMPT, "n": 2}, PROMPT, function(PROMPT))
    assert written is not None
    assert (written.given, written.tokens) == ("ids = random_ids(batch=1, length=3)", tokens)


def test_a_function_beside_the_model_is_taken_from_its_module() -> None:
    """By the name that the tests import the model by."""
    found = _method(_continued, beside=True)
    written = written_call(found, {"ids": PROMPT, "n": 2}, PROMPT, _continued(PROMPT))
    assert written is not None
    assert written.given.startswith("generate = importlib.import_module(MODULE).generate\n")
    assert written.call == "generate(model, ids, n=2)"


def test_a_value_may_have_a_name() -> None:
    """It stands for what the test sets; a call that fails has no tokens."""
    arguments = {"ids": PROMPT, "n": 2}
    written = written_call(_method(_continued), arguments, PROMPT, None, {"n": "count"})
    assert written is not None
    assert (written.call, written.tokens) == ("model.generate(ids, n=count)", "")


def test_what_no_test_can_write_is_not_written() -> None:
    """What may yield for ever, and an argument that is a thing of its own."""
    endless = replace(_method(_yielding), count=None)
    assert written_call(endless, {"ids": PROMPT}, PROMPT, _yielding(PROMPT)) is None
    assert written_call(_method(_continued), {"ids": PROMPT, "n": object()}, PROMPT, NEW) is None

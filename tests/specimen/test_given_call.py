"""Calls that the user gives: expressions, and tensors of his own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from gptdoctor.probes import learning, shapes
from gptdoctor.probes.probe import Abstention
from gptdoctor.specimen.given_call import GivenCall, find_given_call
from gptdoctor.specimen.given_values import given_values
from gptdoctor.specimen.trial import NoCallError
from tests.specimen.making import build, specimen

# No rule guesses what `zork` and `state` are.
MODEL = """
STATE = 5

def start(rows):
    return torch.zeros(rows, STATE)

class Model(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, n_embd)
        self.state = nn.Linear(STATE, n_embd)
        self.out = nn.Linear(n_embd, vocab_size)

    def forward(self, zork, state, targets=None):
        logits = self.out(self.e(zork) + self.state(state)[:, None])
        if targets is None:
            return logits
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def start(self, rows):
        return torch.zeros(rows, STATE)

    def turned(self, x):
        return {"out": self.out(self.e(x))}
"""


@pytest.mark.parametrize(
    "call",
    [
        "model(ids, torch.zeros(B, 5))",
        "model(ids, start(B))",
        "model(state=model.start(B), zork=ids)",
        "model(ids, start(B), targets=labels)",
        "model(*[ids, start(B)])",
        "model(ids, start(B), labels)[0]",
        "model(ids, torch.stack([torch.zeros(STATE) for row in range(B)]))",
    ],
)
def test_an_expression_is_made_anew_for_each_batch_and_length(tmp_path: Path, call: str) -> None:
    """It runs at all sizes, and the model learns through it."""
    made = specimen(tmp_path, MODEL, call=call)
    assert (made.construction.batch, made.construction.length) == (3, 7)
    assert made.only_at == ""
    assert {case.outcome for case in shapes.measure(made).cases} == {"ok"}
    assert learning.measure(made).runs[-1].steps_to_tenth is not None


def test_the_inputs_of_a_plain_call_can_be_exchanged(tmp_path: Path) -> None:
    """They stand under the names of the entry's parameters, and other ids give other logits."""
    made = specimen(tmp_path, MODEL, call="model(ids, start(B))")
    inputs = made.inputs()
    assert inputs.keys() == {"zork", "state"}
    assert dict(made.batch_dimensions) == {"zork": 0, "state": 0}
    first = made.call(made.model, inputs).logits
    inputs["zork"] = (inputs["zork"] + 1) % 97
    second = made.call(made.model, inputs).logits
    assert first is not None
    assert second is not None
    assert not torch.equal(first, second)


def test_the_model_s_own_loss_is_found_through_a_given_call(tmp_path: Path) -> None:
    """Labels are added where the entry takes them, given or not."""
    for call in ("model(ids, start(B))", "model(ids, start(B), labels)"):
        assert specimen(tmp_path, MODEL, call=call).objective == "own loss"


def test_ids_in_time_first_order_are_seen(tmp_path: Path) -> None:
    """`ids.t()` gives [T, B]; logits come out as [B, T, V] all the same."""
    made = specimen(tmp_path, MODEL, call="model.turned(ids.t())")
    assert made.target.entry == "turned"
    assert made.inputs()["x"].shape == (7, 3)
    outputs = made.call(made.model, made.inputs())
    assert outputs.logits is not None
    assert outputs.logits.shape == (3, 7, 97)
    assert dict(made.batch_dimensions) == {"x": 1}


def test_tensors_of_fixed_sizes_work_at_their_own_sizes(tmp_path: Path) -> None:
    """Probes that vary the sizes abstain, and no crash at others is held against the model."""
    made = specimen(tmp_path, MODEL, call="model(torch.randint(9, (2, 9)), torch.zeros(2, 5))")
    assert (made.construction.batch, made.construction.length) == (2, 9)
    with pytest.raises(Abstention, match="B=2, T=9"):
        shapes.measure(made)
    assert learning.measure(made).batch == 2


def test_a_fixed_tensor_beside_ids_limits_the_call_to_its_size(tmp_path: Path) -> None:
    """The batch follows the tensor."""
    made = specimen(tmp_path, MODEL, call="model(ids, torch.zeros(2, 5))")
    assert made.construction.batch == 2
    assert made.only_at


def test_the_printed_call_stands_alone(tmp_path: Path) -> None:
    """Names that gptdoctor lends are exchanged for code."""
    made = specimen(tmp_path, MODEL, call="model(ids, torch.zeros(B, 5), targets=labels)")
    ids = "torch.randint(97, (3, 7))"
    call = f"model(zork={ids}, state=torch.zeros(3, 5), targets={ids})"
    assert made.construction.call == call
    made = specimen(tmp_path, MODEL, call="model(ids, start(B))[:B]")
    assert made.construction.call == f"model({ids}, start(3))[:3]"


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("model(ids, nowhere)", "NameError: name 'nowhere' is not defined"),
        ("model(ids", "it is no expression of Python"),
        ("model(ids, 1, 2, 3)", "too many positional arguments"),
        ("start(B)", "`model`, the instance, does not occur in it"),
        ("model(torch.zeros(3, 7), start(B))", "token ids"),
        ("model.nowhere(ids)", "the model has no method 'nowhere'"),
        ("model(ids, torch.zeros(3, 4))", "cannot be multiplied"),
    ],
)
def test_a_wrong_expression_is_no_fault_of_the_model_s(tmp_path: Path, call: str, why: str) -> None:
    """The model is not built, and one sentence says what is wrong with the call."""
    construction, _ = build(tmp_path, MODEL, call=call)
    assert construction.outcome == "not-built"
    assert "the call that you gave" in construction.tried[0]
    assert why in construction.tried[0]


def test_a_crash_in_the_model_itself_is_the_model_s(tmp_path: Path) -> None:
    """A given call does not excuse an undefined name in `forward`."""
    sick = MODEL.replace("logits = self.out", "logits = nowhere(self.out").replace(
        "[:, None])", "[:, None]))"
    )
    construction, _ = build(tmp_path, sick, call="model(ids, torch.zeros(B, 5))")
    assert construction.outcome == "crashed"
    assert construction.crash is not None
    assert construction.crash.kind == "NameError"


class _Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.e = nn.Embedding(50, 8)
        self.out = nn.Linear(8, 50)

    def forward(self, *streams: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        logits: torch.Tensor = self.out(sum(self.e(each) for each in streams) * scale)
        return logits


def test_values_of_the_user_s_own_are_a_call() -> None:
    """Positional and named arguments, also those of `*inputs`, at their own sizes."""
    ids = torch.randint(50, (2, 9))
    supply = given_values(_Plain(), "forward", (ids, ids), {"scale": 2.0})
    trial = find_given_call(_Plain(), supply, 97, seed=0)
    assert trial.full
    assert (trial.batch, trial.length) == (2, 9)
    assert isinstance(trial.recipe, GivenCall)
    assert trial.recipe.only_at
    assert trial.recipe.ids_below == 50
    assert torch.equal(trial.recipe.inputs(2, 9, 5)["streams[0]"], ids)


def test_values_that_the_entry_does_not_take_are_refused() -> None:
    """With the signature in the message."""
    with pytest.raises(NoCallError, match="scale"):
        given_values(_Plain(), "forward", (), {"colour": 1})

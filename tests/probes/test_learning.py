"""Whether the loss comes down, and what it costs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from gptdoctor.core.measurements.learning import Learning
from gptdoctor.probes.learning import PROBE, Adam, descend
from gptdoctor.probes.probe import Abstention
from tests.specimen.making import line_of, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.mix = nn.LSTM(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
"""


def measured(folder: Path, text: str) -> Learning:
    """The measurement of a model whose forward is `text`."""
    found = PROBE.measure(specimen(folder, HEAD + text))
    assert isinstance(found, Learning)
    return found


def test_a_healthy_model_reaches_a_tenth_in_one_run(tmp_path: Path) -> None:
    """And stops there; the numbers are in nats and milliseconds."""
    found = measured(tmp_path, "        return self.out(self.mix(self.e(idx))[0])\n")
    assert (found.batch, found.length, found.objective) == (2, 12, "shifted cross-entropy")
    (run,) = found.runs
    assert run.first_loss == pytest.approx(4.57, abs=0.3)
    assert run.best_loss < 0.1 * run.first_loss
    assert run.steps_to_tenth == run.steps - 1 < 100
    assert 0 < found.milliseconds_per_step < 1000
    assert found.crash is None


def test_a_model_that_knows_nothing_of_its_input_does_not_learn(tmp_path: Path) -> None:
    """Three rates are tried, none of which gets below the entropy of the batch."""
    found = measured(tmp_path, "        return self.out(self.mix(0 * self.e(idx))[0])\n")
    assert len(found.runs) == 3
    assert {run.learning_rate for run in found.runs} == {3e-3, 1e-2, 1e-3}
    assert all(run.steps_to_tenth is None for run in found.runs)


def test_a_model_without_any_progress_is_given_up_early(tmp_path: Path) -> None:
    """A loss that does not move by 1 % in 60 steps is stuck."""
    found = measured(tmp_path, "        return self.out(self.mix(self.e(idx))[0]) * 1e-9\n")
    assert all(run.steps < 70 for run in found.runs)
    assert all(run.best_loss > 0.99 * run.first_loss for run in found.runs)


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("        return self.out(self.mix(self.e(idx))[0]) * 1e-9\n", "mul"),
        (
            "        x = self.mix(self.e(idx))[0]\n        return self.out(torch.relu(x - 9))\n",
            "relu",
        ),
        ("        return self.out(self.mix(0 * self.e(idx))[0])\n", ""),
    ],
    ids=["scale", "dead units", "blind"],
)
def test_what_stops_the_gradient_is_named(tmp_path: Path, text: str, operation: str) -> None:
    """Where no run makes progress, and one operation is between the loss and the parameters."""
    head = HEAD.replace("nn.Linear(dim, vocab_size)", "nn.Linear(dim, vocab_size, bias=False)")
    made = specimen(tmp_path, head + text)
    found = PROBE.measure(made)
    assert isinstance(found, Learning)
    if not operation:
        assert found.bottleneck is None
        return
    assert found.bottleneck is not None
    assert found.bottleneck.operation == operation
    assert found.bottleneck.line == line_of(made, "1e-9" if operation == "mul" else "torch.relu")
    assert found.bottleneck.share < 1e-8


def test_a_loss_that_nothing_hears_of_is_no_crash(tmp_path: Path) -> None:
    """Under no_grad there is a first loss, and no step."""
    found = measured(
        tmp_path, "        with torch.no_grad():\n            return self.out(self.e(idx))\n"
    )
    assert found.crash is None
    assert [(run.steps, run.best_loss == run.first_loss) for run in found.runs] == [(0, True)]
    assert found.milliseconds_per_step == 0.0


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        (
            "        if torch.is_grad_enabled(): raise OSError('no')\n"
            "        return self.out(self.e(idx))\n",
            "forward",
        ),
        (
            "        y = self.e(idx).sigmoid()\n        y.add_(1)\n        return self.out(y)\n",
            "backward",
        ),
    ],
    ids=["forward", "backward"],
)
def test_a_crash_is_told_with_its_stage(tmp_path: Path, text: str, stage: str) -> None:
    """Training fails, and where."""
    found = measured(tmp_path, text)
    assert found.crash is not None
    assert found.crash.stage == stage
    assert found.runs == ()


def test_a_model_that_runs_at_equal_batch_and_length_learns_there(tmp_path: Path) -> None:
    """The usual batch crashes: the known call is used, and said."""
    found = measured(
        tmp_path,
        "        x = self.e(idx)\n        return self.out(x * (1 + 0 * idx.T[..., None]))\n",
    )
    assert (found.batch, found.length) == (5, 5)
    assert found.crash is None


def test_adam_is_the_algorithm_of_the_paper() -> None:
    """The same numbers as algorithm 1, written out for one weight."""
    weight = torch.nn.Parameter(torch.tensor(0.5))
    adam = Adam([weight], 3e-3)
    theta, m, v = 0.5, 0.0, 0.0
    for t in range(1, 11):
        g = math.sin(2 * t) * t
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        theta -= 3e-3 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
        weight.grad = torch.tensor(g)
        adam.step()
        assert weight.item() == pytest.approx(theta, abs=1e-6)


def test_a_loss_that_explodes_ends_the_run() -> None:
    """What was best while it was finite is kept."""
    weight = torch.nn.Parameter(torch.tensor(1.0))
    model = torch.nn.ParameterList([weight])
    run, _ = descend(
        model, lambda: weight * torch.where(weight < 0.92, torch.inf, 10.0), learning_rate=0.05
    )
    assert run.steps == 3
    assert run.best_loss == pytest.approx(9.5, rel=0.01)


def test_slow_models_get_fifty_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is bounded, and fifty steps are always taken."""
    monkeypatch.setattr("gptdoctor.probes.learning.SECONDS", 0.0)
    weight = torch.nn.Parameter(torch.tensor(100.0))
    model = torch.nn.ParameterList([weight])
    run, _ = descend(model, lambda: weight.square(), learning_rate=0.5)
    assert run.steps == 50


def test_outputs_that_do_not_learn_a_task_of_ours_say_nothing(tmp_path: Path) -> None:
    """A mask of -1e9 outweighs all that rows could exchange."""
    text = """
class Model(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a, self.b = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, inputs_embeds):
        x = self.a(inputs_embeds)
        scores = x @ self.b(x).mT
        seen = torch.ones(x.shape[1], x.shape[1]).tril() > 0
        return scores.masked_fill(~seen, -1e9).log_softmax(-1)
"""
    with pytest.raises(Abstention, match="a task of ours"):
        PROBE.measure(specimen(tmp_path, text))

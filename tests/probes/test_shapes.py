"""Batches and lengths that differ, agree or are one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gptdoctor.core.measurements.shapes import Shapes
from gptdoctor.probes.probe import Abstention
from gptdoctor.probes.shapes import CASES, PROBE, row_influence
from tests.specimen.making import build, line_of, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_experts=8):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.gate = nn.Linear(dim, n_experts)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))
        self.mix = nn.LSTM(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.mix(self.e(idx))[0]
"""
SICK = """\
        g = self.gate(x).softmax(-1)
        y = sum(w.unsqueeze(-1) * f(x) for w, f in zip(g.T, self.experts))
        return self.out(x + y)
"""
HEALTHY = SICK.replace("g.T", "g.unbind(-1)")
OK = dict.fromkeys(CASES, "ok")


def measured(folder: Path, text: str) -> Shapes:
    """The measurement of a model whose forward goes on with `text`."""
    found = PROBE.measure(specimen(folder, HEAD + text))
    assert isinstance(found, Shapes)
    return found


def outcomes(found: Shapes) -> dict[tuple[int, int], str]:
    """The outcome of each case."""
    return {(case.batch, case.length): case.outcome for case in found.cases}


def test_a_transposed_gate_crashes_where_batch_and_length_differ(tmp_path: Path) -> None:
    """Where they agree it runs and mixes the rows; the place and the dimensions are told."""
    made = specimen(tmp_path, HEAD + SICK)
    found = PROBE.measure(made)
    assert isinstance(found, Shapes)
    # The last two show that the batch is to blame: five positions are fine with five rows, and
    # three are not too few of a pair.
    assert outcomes(found) == OK | {
        (3, 7): "crash",
        (2, 11): "crash",
        (1, 7): "wrong-shape",
        (3, 5): "crash",
        (6, 5): "crash",
    }
    crash = found.cases[0].crash
    assert crash is not None
    assert crash.line == line_of(made, "g.T")
    assert found.cases[4].logits_shape == (7, 7, 97)
    assert [(w.line, w.symbol, w.dimensions) for w in found.transpose_warnings] == [
        (line_of(made, "g.T"), "Model.forward", 3)
    ]
    assert found.row_influence is not None
    assert found.row_influence > 1e-2


def test_a_healthy_gate_runs_everywhere_and_keeps_rows_apart(tmp_path: Path) -> None:
    """No influence beyond rounding."""
    found = measured(tmp_path, HEALTHY)
    assert outcomes(found) == OK
    assert found.transpose_warnings == ()
    assert found.row_influence is not None
    assert found.row_influence < 1e-6


def test_the_transpose_of_a_matrix_is_no_warning(tmp_path: Path) -> None:
    """`.T` is right on two dimensions, and `.mT` on any."""
    found = measured(
        tmp_path,
        "        x = x @ (self.mix.weight_hh_l0.T[:, :64])\n        "
        "assert x.mT.mT.shape == x.shape\n        return self.out(x)\n",
    )
    assert found.transpose_warnings == ()


def test_a_leak_behind_a_gate_that_starts_at_zero_is_seen(tmp_path: Path) -> None:
    """The weights are moved: small initialisation hides a leak."""
    text = (
        "        with torch.no_grad(): self.gate.weight.mul_(1.0)\n"
        "        return self.out(x + self.zero * x.mean(0, keepdim=True))\n"
    )
    head = HEAD.replace(
        "self.out =", "self.zero = nn.Parameter(torch.zeros(1))\n        self.out ="
    )
    found = PROBE.measure(specimen(tmp_path, head + text))
    assert isinstance(found, Shapes)
    assert found.row_influence is not None
    assert found.row_influence > 1e-4


def test_noise_leaves_the_influence_unmeasured() -> None:
    """Determinism first: where two equal calls differ, nothing is concluded."""
    inputs = {"x": torch.ones(5, 5)}
    assert row_influence(lambda given: torch.rand(5, 5, 9), inputs, inputs, {"x": 0}) is None
    assert (
        row_influence(lambda given: torch.full((5, 5, 9), torch.nan), inputs, inputs, {"x": 0})
        is None
    )


def test_influence_is_relative_to_the_largest_logit() -> None:
    """A change of 1 in row 0 under logits of 4 is a quarter."""
    inputs, others = {"x": torch.ones(2, 2)}, {"x": torch.full((2, 2), 3.0)}
    found = row_influence(lambda given: given["x"] * 0 + given["x"].sum(), inputs, others, {"x": 0})
    assert found == pytest.approx(4 / 4)
    assert row_influence(lambda given: given["x"], inputs, others, {"x": 0}) == 0.0


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("        return self.out(x)[:, -1]\n", ()),
        ("        return self.out(x[: 5]).flatten(0, 1)\n", ()),
        ("        return self.out(x[:, : 7])\n", ((2, 11),)),
    ],
    ids=["last-position-only", "flattened", "cut"],
)
def test_another_form_of_logits_is_right_as_long_as_it_stays(
    tmp_path: Path, text: str, wrong: tuple[tuple[int, int], ...]
) -> None:
    """What the known call gives is the form; what breaks it is a wrong shape."""
    assert outcomes(measured(tmp_path, text)) == OK | dict.fromkeys(wrong, "wrong-shape")


def test_a_model_that_cannot_be_called_is_left_unmeasured(tmp_path: Path) -> None:
    """With the reason; never counted as passed."""
    _, made = build(tmp_path, HEAD + "        return None\n")
    assert made is not None
    with pytest.raises(Abstention, match="not logits"):
        PROBE.measure(made)


def test_rows_of_a_model_that_wants_time_first_are_its_columns(tmp_path: Path) -> None:
    """Or every recurrent model would seem to leak."""
    text = HEAD.replace(", batch_first=True", "") + "        return self.out(x)\n"
    found = PROBE.measure(specimen(tmp_path, text))
    assert isinstance(found, Shapes)
    assert found.row_influence is not None
    assert found.row_influence < 1e-6


def test_rows_that_belong_together_in_twos_are_a_requirement(tmp_path: Path) -> None:
    """A batch of three is refused, and one of six is not: nothing is held against the code."""
    pairs = """\
        first, second = x.reshape(-1, 2, *x.shape[1:]).unbind(1)
        return self.out(torch.stack([first + second, first - second], 1).reshape(x.shape))
"""
    found = measured(tmp_path, pairs)
    outcomes = {(case.batch, case.length): case.outcome for case in found.cases}
    assert "crash" in outcomes.values()
    assert found.failing_batches() == ()


def test_a_crash_with_inputs_that_are_no_token_ids_says_nothing(tmp_path: Path) -> None:
    """Scores [B, H, T, T] are wanted, and ids [B, T] fit by chance where B is one."""
    text = """
class Model(nn.Module):
    def __init__(self, heads):
        super().__init__()
        self.table = nn.Embedding(97, heads)

    def forward(self, scores):
        t = scores.size(-1)
        places = torch.arange(t)
        return scores + self.table(places[None] - places[:, None] + t).permute(2, 0, 1)
"""
    with pytest.raises(Abstention, match="nothing says that its input is token ids"):
        PROBE.measure(specimen(tmp_path, text))

"""Parts of a weight that get no gradient, and learnt scales that become numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.gradient_flow import GradientFlow
from gptdoctor.defects.gradients import detached_in_forward, partly_detached
from gptdoctor.probes.gradient_flow import PROBE
from tests.defects.records import NO_RECORD
from tests.specimen.making import line_of, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.f = nn.Linear(dim, 3 * dim)
        self.w = nn.Parameter(torch.randn(dim, 3 * dim) * 0.02)
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.none = nn.Parameter(torch.zeros(dim, 0))
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.e(idx)
        return self.out(x + self.work(x, self.f(x)))

    def attend(self, q, k):
        scores = q @ k.mT
        ahead = torch.ones_like(scores[0], dtype=torch.bool).triu(1)
        return scores.masked_fill(ahead, float('-inf'))

    def work(self, x, qkv):
"""
HARD = (
    "best = self.attend(q, k).argmax(-1)  # here",
    "return F.one_hot(best, x.size(1)).float() @ v",
)
# By name: how queries, keys and values come apart.
FORMS = {
    "chunk": "q, k, v = qkv.chunk(3, dim=-1)",
    "split": "q, k, v = qkv.split(x.size(-1), dim=-1)",
    "indices": "q, k, v = (qkv[..., n * x.size(-1):(n + 1) * x.size(-1)] for n in range(3))",
    "unpacked": "q, k, v = qkv.view(*x.shape[:2], 3, x.size(-1)).permute(2, 0, 1, 3)",
    "unbind": "q, k, v = qkv.unflatten(-1, (3, x.size(-1))).unbind(2)",
    "of-the-weight": "q, k, v = (x @ part for part in self.w.chunk(3, dim=1))",
}
# Nothing is lost in these, however many numbers of a gradient are 0.
HEALTHY = {
    "soft": (FORMS["chunk"], "return self.attend(q, k).softmax(-1) @ v"),
    "straight-through": (
        FORMS["chunk"],
        "soft = self.attend(q, k).softmax(-1)",
        "hard = F.one_hot(soft.argmax(-1), x.size(1)).float()",
        "return (hard + soft - soft.detach()) @ v",
    ),
    "a part for nothing but a log": (
        FORMS["chunk"],
        "self.seen = (q @ k.mT).argmax(-1)",
        "return v",
    ),
    "half of it is switched off": (
        FORMS["chunk"],
        "return (q + k) * 0 + v",
    ),
    "units that are off": ("return torch.relu(qkv - 100).chunk(3, dim=-1)[0] + x",),
    "an empty weight": ("return torch.cat([qkv.chunk(3, dim=-1)[2], x @ self.none], dim=-1)",),
    "a choice beside a weight": (
        FORMS["chunk"],
        "best = self.attend(q, k).softmax(-1).max(-1)",
        "return torch.gather(v, 1, best.indices[..., None].expand_as(v)) * best.values[..., None]",
    ),
}
NUMBERS = {
    "item": "return x * self.scale.item() + x * self.scale  # here",
    "__float__": "return x * float(self.scale.exp()) + x * self.scale  # here",
}
QUIET = {
    "a log": ("self.seen = self.scale.item()", "return x * self.scale"),
    "a decision": ("return x * self.scale if self.scale.item() > 0.2 else x",),
    "a statistic": ("return x / self.f.weight.abs().mean().item()",),
    "of the data": ("return x * x.detach().mean().item() * self.scale",),
    "meant": ("return x * self.scale.item() + x * self.scale  # no gradient here",),
}


def measured(folder: Path, *lines: str) -> tuple[GradientFlow, int]:
    """The measurement of a model with these lines as its work, and the line of `# here`."""
    made = specimen(folder, HEAD + "".join(f"        {line}\n" for line in lines))
    found = PROBE.measure(made)
    assert isinstance(found, GradientFlow)
    return found, line_of(made, "# here") if any("# here" in line for line in lines) else 0


@pytest.mark.parametrize("form", FORMS)
def test_the_line_is_named_that_loses_queries_and_keys_of_one_weight(
    tmp_path: Path, form: str
) -> None:
    """Two thirds of the weight, and of it alone."""
    found, here = measured(tmp_path, FORMS[form], *HARD)
    lost = [one for one in found.lost if one.acts]
    assert [(one.line, one.operation) for one in lost] == [(here, "argmax")]
    assert lost[0].parameters == ("w" if form == "of-the-weight" else "f.weight",)
    assert lost[0].share == pytest.approx(2 / 3)


@pytest.mark.parametrize("form", HEALTHY)
def test_nothing_is_lost_where_a_way_is_left_or_no_way_is_cut(tmp_path: Path, form: str) -> None:
    """Rows without a gradient are many things."""
    found, _ = measured(tmp_path, *HEALTHY[form])
    assert [one for one in found.lost if one.acts] == []


@pytest.mark.parametrize("operation", NUMBERS)
def test_a_learnt_scale_that_is_a_number_at_one_place_is_told(
    tmp_path: Path, operation: str
) -> None:
    """It learns by its other use, and only by that."""
    found, here = measured(tmp_path, NUMBERS[operation])
    assert [(one.line, one.operation, one.parameter) for one in found.numbers] == [
        (here, operation, "scale")
    ]


@pytest.mark.parametrize("form", QUIET)
def test_numbers_for_a_log_a_decision_or_a_statistic_are_not(tmp_path: Path, form: str) -> None:
    """None of them is a factor that a gradient would move; nor is one told that is meant."""
    found, _ = measured(tmp_path, *QUIET[form])
    assert (len(found.numbers) == 1) is (form == "meant")
    assert list(partly_detached.DEFECT.convicts["gradient-flow"](found, NO_RECORD)) == []


def test_the_rules_tell_both(tmp_path: Path) -> None:
    """Each at its line."""
    (tmp_path / "rows").mkdir()
    (tmp_path / "number").mkdir()
    rows, here = measured(tmp_path / "rows", FORMS["chunk"], *HARD)
    (told,) = detached_in_forward.DEFECT.convicts["gradient-flow"](rows, NO_RECORD)
    assert told.place is not None
    assert (told.place.line, told.values["share"]) == (here, pytest.approx(2 / 3))
    number, here = measured(tmp_path / "number", NUMBERS["item"])
    (told,) = partly_detached.DEFECT.convicts["gradient-flow"](number, NO_RECORD)
    assert told.place is not None
    assert (told.place.line, told.values["parameter"]) == (here, "scale")

"""Whether numbers stay finite, and which operation spoils them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.finite_values import FiniteValues
from gptdoctor.probes.finite_values import PROBE
from tests.probes.tower import FEED, LAST, TRANSFORMER, changed
from tests.specimen.making import line_of, specimen

SEEN = "seen = torch.tril(torch.ones(T, T))"
MASKED = 'scores = scores.masked_fill(seen == 0, float("-inf"))'


def measured(folder: Path, text: str) -> FiniteValues:
    """The measurement of the model in `text`."""
    found = PROBE.measure(specimen(folder, text))
    assert isinstance(found, FiniteValues)
    return found


def test_a_healthy_model_is_run_in_four_ways(tmp_path: Path) -> None:
    """As built, evaluating, with moved weights, in bfloat16: all finite, no weight left out."""
    found = measured(tmp_path, TRANSFORMER)
    assert [(one.precision, one.evaluating, one.moved, one.where) for one in found.cases] == [
        ("float32", False, False, ""),
        ("float32", True, False, ""),
        ("float32", False, True, ""),
        ("bfloat16", False, False, ""),
    ]
    assert all(case.measured for case in found.cases)
    assert found.initialisation_seen
    assert found.uninitialised == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "cause", "where"),
    [
        (SEEN, "seen = torch.tril(torch.ones(T, T), -1)", "torch.tril(", "masked row", "loss"),
        (MASKED, MASKED.replace("seen == 0", "seen >= 0"), "torch.tril(", "masked row", "loss"),
        (
            LAST,
            "x = x.exp() * 200\n        return self.head(x.exp())",
            "return self.head(x.exp())",
            "overflow",
            "loss",
        ),
        (LAST, "return torch.log(self.head(x).relu())", "torch.log(", "overflow", "loss"),
        (
            LAST,
            "far = (x - x[:, :1]).pow(2).sum(-1, keepdim=True)\n"
            "        return self.head(x * (1 + far.sqrt()))",
            "far.sqrt()",
            "slope",
            "gradients",
        ),
        (LAST, "return self.head(x / (x - x))", "x / (x - x)", "overflow", "loss"),
        (
            LAST,
            "return self.head(torch.sqrt(x - 1))",
            "torch.sqrt(x - 1)",
            "value",
            "loss",
        ),
    ],
    ids=["masks itself", "masks all", "exp", "log", "slope", "division", "root"],
)
def test_the_operation_that_spoils_is_named(
    tmp_path: Path, old: str, new: str, line: str, cause: str, where: str
) -> None:
    """The first that makes NaN or an infinity of finite numbers, or of a finite gradient."""
    made = specimen(tmp_path, changed((old, new)))
    found = PROBE.measure(made)
    assert isinstance(found, FiniteValues)
    case = found.cases[-1]
    assert case.where == where
    assert case.spoiled is not None
    assert (case.spoiled.cause, case.spoiled.line) == (cause, line_of(made, line))


def test_a_buffer_that_masks_a_row_is_told_where_it_is_made(tmp_path: Path) -> None:
    """The mask was made when the model was."""
    text = changed(
        (
            "self.heads = heads",
            "self.heads = heads\n        self.register_buffer('m', self.mask())",
        ),
        (
            "    def forward(self, x):\n        B, T, C",
            "    def mask(self):\n"
            "        return torch.tril(torch.ones(64, 64), -1).bool()\n\n"
            "    def forward(self, x):\n        B, T, C",
        ),
        (MASKED, 'scores = scores.masked_fill(~self.m[:T, :T], float("-inf"))'),
    )
    made = specimen(tmp_path, text)
    found = PROBE.measure(made)
    assert isinstance(found, FiniteValues)
    (case,) = found.cases
    assert case.spoiled is not None
    assert case.spoiled.cause == "masked row"
    assert case.spoiled.line == line_of(made, "register_buffer")


def test_a_number_that_only_float32_holds_is_told(tmp_path: Path) -> None:
    """Torch refuses it under autocast to bfloat16."""
    text = changed((MASKED, MASKED.replace('float("-inf")', "torch.finfo(torch.float32).min")))
    case = measured(tmp_path, text).cases[-1]
    assert (case.precision, case.where) == ("bfloat16", "constant")


def test_another_crash_in_bfloat16_is_not_measured(tmp_path: Path) -> None:
    """A kernel that is missing says nothing of the model."""
    text = changed(
        (
            LAST,
            "y = torch.zeros_like(x).index_add(1, idx[0] * 0, self.up(x))\n"
            "        return self.head(self.ln(x + y))",
        ),
        (
            "self.ln = nn.LayerNorm(dim)",
            "self.ln = nn.LayerNorm(dim); self.up = nn.Linear(dim, dim)",
        ),
    )
    case = measured(tmp_path, text).cases[-1]
    assert not case.measured
    assert case.reason


def test_weights_that_nothing_fills_are_named(tmp_path: Path) -> None:
    """Only those that the loss depends on; a method that fills them is called first."""
    text = changed(
        (
            "self.apply(self._init)",
            "self.gain = nn.Parameter(torch.empty(dim))\n"
            "        self.idle = nn.Parameter(torch.empty(dim))",
        ),
        (LAST, "return self.head(self.ln(x) + self.gain)"),
    )
    made = specimen(tmp_path, text)
    found = PROBE.measure(made)
    assert isinstance(found, FiniteValues)
    assert found.uninitialised[0].name == "gain"
    assert found.uninitialised[0].line == line_of(made, "self.gain = ")
    filled = text.replace(
        "    def _init(self, m)",
        "    def init_weights(self):\n        nn.init.zeros_(self.gain)\n"
        "        nn.init.zeros_(self.idle)\n\n    def _init(self, m)",
    )
    assert measured(tmp_path, filled).uninitialised == ()


def test_a_positive_weight_stays_positive_where_weights_are_moved(tmp_path: Path) -> None:
    """A learned epsilon is moved by a share of itself."""
    text = changed(
        ("self.apply(self._init)", "self.eps = nn.Parameter(torch.full((1,), 1e-6))"),
        (LAST, "return self.head(x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))"),
        (FEED, FEED),
    )
    assert [case.where for case in measured(tmp_path, text).cases] == ["", "", "", ""]


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())",
        "F.cross_entropy(logits.flatten(0, 1), F.pad(labels, (0, 1), value=-100)[:, 1:].flatten())",
    ],
    ids=["none is left", "all are left out"],
)
def test_a_mean_over_no_tokens_is_not_measured(tmp_path: Path, loss: str) -> None:
    """A call of one token leaves none to predict; that its loss is NaN is nobody's fault."""
    found = measured(
        tmp_path,
        "import torch.nn.functional as F\nfrom torch import nn\n\n\n"
        "class Model(nn.Module):\n"
        "    def __init__(self, vocab_size, width):\n"
        "        super().__init__()\n"
        "        self.width = width\n"
        "        self.embedding = nn.Embedding(vocab_size, width)\n"
        "        self.head = nn.Linear(width, vocab_size)\n\n"
        "    def forward(self, ids, labels=None):\n"
        "        logits = self.head(self.embedding(ids).view(1, 1, self.width))\n"
        "        if labels is None:\n"
        "            return logits, None\n"
        f"        return logits, {loss}\n",
    )
    assert [(case.measured, case.where) for case in found.cases[:1]] == [(False, "")]
    assert "no token to be predicted" in found.cases[0].reason


def test_labels_that_are_all_left_out_of_a_longer_text_spoil_the_loss(tmp_path: Path) -> None:
    """There are tokens to predict, and the model hides them from its loss."""
    found = measured(
        tmp_path,
        "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
        "class Model(nn.Module):\n"
        "    def __init__(self, vocab_size, width):\n"
        "        super().__init__()\n"
        "        self.embedding = nn.Embedding(vocab_size, width)\n"
        "        self.head = nn.Linear(width, vocab_size)\n\n"
        "    def forward(self, ids, labels=None):\n"
        "        logits = self.head(self.embedding(ids))\n"
        "        if labels is None:\n"
        "            return logits, None\n"
        "        wanted = torch.full_like(labels, -100)\n"
        "        return logits, F.cross_entropy(logits.flatten(0, 1), wanted.flatten())\n",
    )
    assert found.cases[0].where == "loss"


def test_a_frozen_weight_that_nothing_fills_is_there_to_be_loaded(tmp_path: Path) -> None:
    """As the one beside low-rank factors is."""
    text = changed(
        (
            "self.apply(self._init)",
            "self.gain = nn.Parameter(torch.empty(dim), requires_grad=False)",
        ),
        (LAST, "return self.head(self.ln(x) + self.gain)"),
    )
    found = PROBE.measure(specimen(tmp_path, text))
    assert isinstance(found, FiniteValues)
    assert found.uninitialised == ()


NAN_WHILE_EVALUATING = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim, heads):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim, padding_idx=0)
        self.attend = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, 2)

    def forward(self, ids):
        x, tokens = self.e(ids), {tokens}
        y, _ = self.attend(x, x, x, key_padding_mask=tokens, need_weights=False)  # here
        return self.out(self.norm(x + y).mean(1))
"""


@pytest.mark.parametrize(("tokens", "where"), [("ids != 0", "outputs"), ("ids == 0", "")])
def test_a_layer_that_gives_nan_in_evaluation_mode_alone(
    tmp_path: Path, tokens: str, where: str
) -> None:
    """Torch's attention gives zeros while it trains, and NaN while it evaluates."""
    made = specimen(tmp_path, NAN_WHILE_EVALUATING.format(tokens=tokens))
    found = PROBE.measure(made)
    assert isinstance(found, FiniteValues)
    case = next(one for one in found.cases if one.evaluating)
    assert (case.measured, case.where) == (True, where)
    if where:
        assert case.spoiled is not None
        assert case.spoiled.operation == "MultiheadAttention"
        assert case.spoiled.line == line_of(made, "# here")

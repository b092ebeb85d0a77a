"""What stacked blocks do to gradients, and whether their input passes them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gptdoctor.core.findings import Status
from gptdoctor.core.measurements.depth import Depth, Stack
from gptdoctor.defects.dynamics import vanishing_gradient
from gptdoctor.defects.dynamics.vanishing_gradient import least_factor
from gptdoctor.probes.depth import LAYERS, LOOKED_INTO, PROBE
from gptdoctor.probes.probe import Abstention
from tests.defects.records import NO_RECORD
from tests.probes.tower import ATTEND, FEED, LINEAR_INIT, TRANSFORMER, changed
from tests.specimen.making import line_of, specimen

LOOP = "x = block(x)"


def stack_of(folder: Path, text: str) -> Stack:
    """The only stack of the model in `text`."""
    found = PROBE.measure(specimen(folder, text))
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    return stack


def test_a_healthy_model_is_built_deeper(tmp_path: Path) -> None:
    """Six blocks, each of which passes the gradient and its input on."""
    found = PROBE.measure(specimen(tmp_path, TRANSFORMER))
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    assert found.deeper
    assert (stack.name, stack.blocks, stack.symbol) == ("blocks", LAYERS, "Block")
    assert stack.gradient_factor == pytest.approx(1.1, abs=0.2)
    assert stack.identity is not None
    assert stack.identity > 0.8
    assert stack.missing is None


def test_gradients_are_asked_for_without_what_torch_imports_for_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a second in each child, where nothing has loaded sympy: refused here."""
    monkeypatch.setitem(sys.modules, "torch.fx.experimental.symbolic_shapes", None)
    for name in [name for name in sys.modules if name.partition(".")[0] == "sympy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sympy", None)
    for changes in ([], [(LINEAR_INIT, "nn.init.normal_(m.weight, std=1.0)")]):
        assert stack_of(tmp_path, changed(*changes)).identity is not None


def test_lists_are_filled_up_where_no_argument_counts_the_layers(tmp_path: Path) -> None:
    """With copies of the blocks that are there."""
    assert stack_of(tmp_path, changed(("range(n_layers)", "range(2)"))).blocks == LAYERS


@pytest.mark.parametrize(
    "changes",
    [
        [(ATTEND, "x = self.ln1(x + self.attn(x))"), (FEED, FEED.replace("self.ln2(x)", "x"))],
        [(ATTEND, "x = x + self.attn(self.ln1(x)) + self.down(self.up(self.ln2(x)))"), (FEED, "")],
        [
            (ATTEND, "y = self.attn(self.ln1(x))"),
            (FEED, "x = self.down(self.up(y))"),
            (LOOP, "x = x + block(x)"),
        ],
        [
            (ATTEND, "y = self.attn(x)"),
            (FEED, "x = self.down(self.up(y))"),
            (LOOP, "x = x + block(self.ln(x))"),
        ],
        [(ATTEND, "x = 0.01 * x + 0.01 * self.attn(self.ln1(x))")],
        [(LINEAR_INIT, "nn.init.normal_(m.weight, std=1.0)")],
        [(ATTEND, "g = torch.sigmoid(x); x = g * x + (1 - g) * self.attn(self.ln1(x))")],
        [
            (
                "self.up = nn.Linear(dim, 2 * dim)",
                "self.up = nn.Linear(dim, 2 * dim)\n"
                "        self.gate = nn.Parameter(torch.zeros(1))",
            ),
            (FEED, "x = x + self.gate * self.down(self.up(x))"),
        ],
    ],
    ids=["post-norm", "parallel", "outside", "norm outside", "scaled", "loud", "highway", "rezero"],
)
def test_a_stream_that_passes_is_seen_to_pass(
    tmp_path: Path, changes: list[tuple[str, str]]
) -> None:
    """Whatever is around it, and however small it is beside what is added."""
    stack = stack_of(tmp_path, changed(*changes))
    passes = stack.identity is not None and stack.identity > LOOKED_INTO
    assert passes or stack.bypassed or (stack.missing is not None and stack.missing.intact)
    assert stack.gradient_factor is not None
    assert 0.1 < stack.gradient_factor < 5


@pytest.mark.parametrize(
    ("changes", "line", "joins"),
    [
        ([(FEED, FEED.replace("x + ", "", 1))], "x = self.down(", 1),
        ([(ATTEND, ATTEND.replace("x + ", "", 1))], "x = self.attn(", 1),
        (
            [
                (ATTEND, "x = self.ln1(x + self.attn(x))"),
                (FEED, "x = self.ln2(self.down(self.up(x)))"),
            ],
            "x = self.ln2(",
            1,
        ),
        (
            [(ATTEND, "x = self.attn(self.ln1(x))"), (FEED, "x = self.down(self.up(self.ln2(x)))")],
            "x = self.down(",
            0,
        ),
    ],
    ids=["second", "first", "post-norm", "both"],
)
def test_the_line_that_drops_the_stream_is_found(
    tmp_path: Path, changes: list[tuple[str, str]], line: str, joins: int
) -> None:
    """From the end of the block back along its sums."""
    made = specimen(tmp_path, changed(*changes))
    found = PROBE.measure(made)
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    assert stack.identity == pytest.approx(0.0, abs=0.08)
    assert stack.missing is not None
    assert (stack.missing.attends, stack.missing.intact) == (True, False)
    assert (stack.missing.line, stack.missing.joins) == (line_of(made, line), joins)


def test_the_operation_that_multiplies_the_gradient_is_found(tmp_path: Path) -> None:
    """On the stream, whatever the branches beside it do."""
    line = "x = 10.0 * x"
    made = specimen(tmp_path, changed((FEED, f"{FEED}\n        {line}")))
    found = PROBE.measure(made)
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    place = stack.place_of_factor(made.target)
    assert (place.line, place.symbol) == (line_of(made, line), "Block.forward")


@pytest.mark.parametrize("taken", ["x = F.dropout(y, 0.0)", "x = y", "x = self.ln1(y)"])
def test_the_line_that_gives_a_result_the_streams_name_is_told(tmp_path: Path, taken: str) -> None:
    """What is made in one line, and takes the place of the stream in the next."""
    attend = f"y = self.attn(self.ln1(x))\n        {taken}"
    made = specimen(tmp_path, changed((ATTEND, attend)))
    found = PROBE.measure(made)
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    assert stack.missing is not None
    assert (stack.missing.line, stack.missing.joins) == (line_of(made, taken), 1)


def test_a_list_of_lists_is_a_stack_too(tmp_path: Path) -> None:
    """The loop over pairs drops the stream: its own line is told."""
    text = changed(
        (
            "nn.ModuleList(Block(dim, heads) for _ in range(n_layers))",
            "nn.ModuleList(nn.ModuleList([Attention(dim, heads), nn.LayerNorm(dim)])"
            " for _ in range(n_layers))",
        ),
        ("for block in self.blocks:", "for attend, norm in self.blocks:"),
        (LOOP, "x = attend(norm(x))"),
    )
    made = specimen(tmp_path, text)
    found = PROBE.measure(made)
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    assert stack.missing is not None
    assert stack.missing.line == line_of(made, "x = attend(norm(x))")
    assert stack_of(tmp_path, text.replace("x = attend", "x = x + attend")).missing is None


def test_gradients_that_vanish_or_explode_are_measured(tmp_path: Path) -> None:
    """By what one block makes of them."""
    drops = (ATTEND, "x = self.attn(x)")
    vanishing = stack_of(tmp_path, changed(drops, (FEED, "x = self.down(self.up(x).sigmoid())")))
    assert vanishing.gradient_factor is not None
    assert vanishing.gradient_factor < 0.01
    exploding = stack_of(
        tmp_path,
        changed(
            (ATTEND, "x = x + self.attn(x)"),
            (FEED, "x = x + self.down(self.up(x))"),
            (LINEAR_INIT, "nn.init.normal_(m.weight, std=0.5)"),
        ),
    )
    assert exploding.gradient_factor is not None
    assert exploding.gradient_factor > 10


@pytest.mark.parametrize(
    ("line", "fades"),
    [("x = torch.sigmoid(x)", True), ("x = torch.sigmoid(x) + x", False), ("x = x / 2", False)],
    ids=["sigmoid", "beside the stream", "mean"],
)
def test_a_squashed_stream_fades(tmp_path: Path, line: str, fades: bool) -> None:
    """Whatever the branches of a block add, for the stream is what reaches the first one."""
    stack = stack_of(tmp_path, changed((FEED, f"{FEED}\n        {line}")))
    assert stack.gradient_factor is not None
    assert (stack.gradient_factor < least_factor(stack)) is fades


def test_what_works_side_by_side_is_no_stack(tmp_path: Path) -> None:
    """Experts and heads are given the same."""
    text = changed(
        (LOOP, "x = x"),
        (
            "return self.head(self.ln(x))",
            "x = sum(block(x) for block in self.blocks)\n        return self.head(self.ln(x))",
        ),
    )
    text = text.replace("        for block in self.blocks:\n            x = x\n", "")
    found = PROBE.measure(specimen(tmp_path, text))
    assert isinstance(found, Depth)
    assert found.stacks == ()


@pytest.mark.parametrize("also", ["", " if self.training else block(x)"])
def test_blocks_behind_a_reentrant_checkpoint(tmp_path: Path, also: str) -> None:
    """They are measured in evaluation, where most models leave the checkpoint out."""
    frugal = (LOOP, f"x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=True){also}")
    text = "import torch.utils.checkpoint\n" + changed(frugal)
    if also:
        assert stack_of(tmp_path, text).gradient_factor == pytest.approx(1, abs=1)
        return
    with pytest.raises(Abstention, match="no graph"):
        PROBE.measure(specimen(tmp_path, text))


def test_a_line_that_hands_a_result_on_under_another_name_is_told(tmp_path: Path) -> None:
    """A name that takes one result after the other is not the stream's."""
    lines = "h = self.ln1(x)", "h = self.attn(h)", "x = F.dropout(h, 0.0)"
    made = specimen(tmp_path, changed((ATTEND, "\n        ".join(lines))))
    found = PROBE.measure(made)
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    assert stack.missing is not None
    assert stack.missing.line == line_of(made, lines[-1])


TURNS = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_layers=12):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(n_layers))
        self.pasts = nn.ModuleList(nn.GRU(dim, dim, batch_first=True) for _ in range(n_layers))
        self.mixes = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_layers))
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.e(idx)
        for norm, past, mix in zip(self.norms, self.pasts, self.mixes):
            x = x + past(norm(x))[0]
            x = x + mix(x.tanh())
        return self.out(F.layer_norm(x, x.shape[-1:]))
"""


def test_lists_that_take_turns_are_one_stack(tmp_path: Path) -> None:
    """The stream passes each round, though it passes none of the parts."""
    stack = stack_of(tmp_path, TURNS)
    assert (stack.name, stack.symbol, stack.blocks) == ("norms", "Model", LAYERS)
    assert stack.identity is not None
    assert stack.identity > 0.5
    assert stack.missing is None


def test_the_line_of_a_round_that_drops_the_stream_is_found(tmp_path: Path) -> None:
    """Between the parts, where no part's own code is."""
    made = specimen(tmp_path, TURNS.replace("x = x + past(norm(x))[0]", "x = past(norm(x))[0]"))
    found = PROBE.measure(made)
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    assert stack.missing is not None
    assert stack.missing.line == line_of(made, "x = past(norm(x))[0]")
    assert (stack.missing.joins, stack.missing.intact) == (1, False)


def test_the_line_of_a_round_that_multiplies_the_gradient_is_found(tmp_path: Path) -> None:
    """The stream's, and no norm's, whose input others hear of as well."""
    made = specimen(
        tmp_path, TURNS.replace("x = x + mix(x.tanh())", "x = 10.0 * (x + mix(x.tanh()))")
    )
    found = PROBE.measure(made)
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    assert stack.jump is not None
    assert stack.jump.place.line == line_of(made, "10.0 * (x")
    assert stack.place_of_factor(made.target).line == stack.jump.place.line


GATES = """
class Gate(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm, self.mix, self.gru = nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GRUCell(dim, dim)

    def forward(self, x):
        y = self.mix(self.norm(x)).cumsum(1) / 9
        return self.gru(y.flatten(0, 1), x.flatten(0, 1)).view_as(x)

class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_layers=12):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.pasts = nn.ModuleList(Gate(dim) for _ in range(n_layers))
        self.mixes = nn.ModuleList(Gate(dim) for _ in range(n_layers))
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.e(idx)
        for past, mix in zip(self.pasts, self.mixes):
            x = mix(past(x))
        return self.out(F.layer_norm(x, x.shape[-1:]))
"""


def test_gates_half_open_that_take_turns_do_not_end_the_gradient(tmp_path: Path) -> None:
    """More comes back by the branch, whose norm makes much of a small stream, at a mean in it."""
    made = specimen(tmp_path, GATES)
    found = PROBE.measure(made)
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    assert stack.jump is not None
    assert stack.jump.factor > 0.5
    record = replace(NO_RECORD, target=made.target)
    told = list(vanishing_gradient.read_depth(found, record))
    assert [one.status for one in told] == [Status.REFUTED]

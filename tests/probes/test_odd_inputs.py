"""What a model answers to inputs that it cannot mean to take."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.odd_inputs import OddInputs
from gptdoctor.probes.instruments.declared import declared_length
from gptdoctor.probes.instruments.hidden_tokens import spoiled
from gptdoctor.probes.instruments.taming_watch import are_positions
from gptdoctor.probes.odd_inputs import PROBE
from tests.defects.records import NO_RECORD
from tests.specimen.making import line_of, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768, block_size=1024, n_head=12):
        super().__init__()
        self.vocab_size, self.block_size, self.n_head = vocab_size, block_size, n_head
        self.e, self.p = nn.Embedding(vocab_size, n_embd), nn.Embedding(block_size, n_embd)
        self.qkv, self.out = nn.Linear(n_embd, 3 * n_embd), nn.Linear(n_embd, vocab_size)

    def attend(self, x, mask=None, hidden=float("-inf")):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)
        seen = torch.ones(T, T, dtype=torch.bool).tril()[None, None]
        if mask is not None:
            seen = seen & (mask[:, None, None, :] != 0)
        s = (q @ k.mT / 4).masked_fill(~seen, hidden)
        return x + (s.softmax(-1) @ v).transpose(1, 2).reshape(B, T, C)

    def places(self, idx):
        if idx.size(1) > self.block_size:
            raise ValueError("too long")
        return self.p(torch.arange(idx.size(1)))

"""
PLAIN = """\
    def forward(self, idx):
        return self.out(self.attend(self.e(idx) + self.places(idx)))
"""
MASKED = """\
    def forward(self, idx, attention_mask=None):
        x = self.e(idx) + self.places(idx)
        x = self.attend(x, attention_mask, hidden=-1e9)
        return self.out(self.attend(x, attention_mask, hidden=-1e9))
"""
TWO_TEXTS = """\
    def forward(self, src, tgt, pad_id=0):
        kept = (src != pad_id)[:, None, :]
        q, k, v = self.qkv(self.e(src)).chunk(3, -1)
        s = (q @ k.mT / 4).masked_fill(~kept, HIDDEN).softmax(-1)
        x = self.e(tgt) + self.places(tgt)
        k, v = self.qkv(s @ v).chunk(3, -1)[:2]
        met = (x @ k.mT / 4).masked_fill(~kept, HIDDEN).softmax(-1)
        return self.out(self.attend(x + met @ v))
"""
SICK = {
    "mask-that-may-be-none": (
        "GD702",
        "keep = ",
        PLAIN.replace("idx):", "idx, attention_mask=None):")
        .replace(
            "        return",
            "        keep = attention_mask.unsqueeze(-1)\n        return",
        )
        .replace("self.e(idx) +", "self.e(idx) * keep +"),
    ),
    "name-that-only-a-mask-binds": (
        "GD702",
        "* keep",
        PLAIN.replace("idx):", "idx, padding_mask=None):").replace(
            "        return self.out(self.attend(self.e(idx) +",
            "        if padding_mask is not None:\n"
            "            keep = padding_mask.unsqueeze(-1)\n"
            "        return self.out(self.attend(self.e(idx) * keep +",
        ),
    ),
    "clamped-ids": ("GD703", "clamp", PLAIN.replace("self.e(idx)", "self.e(idx.clamp(0, 96))")),
    "clamped-above": (
        "GD703",
        "minimum",
        PLAIN.replace("self.e(idx)", "self.e(torch.minimum(idx, torch.tensor(96)))"),
    ),
    "wrapped-ids": (
        "GD703",
        "% self",
        PLAIN.replace("self.e(idx)", "self.e(idx % self.vocab_size)"),
    ),
    "counted-from-the-end": (
        "GD703",
        "weight[idx]",
        PLAIN.replace("self.e(idx)", "self.e.weight[idx]"),
    ),
    "clamped-positions": (
        "GD704",
        "clamp",
        PLAIN.replace(
            "self.places(idx)", "self.p(torch.arange(idx.size(1)).clamp(max=self.block_size - 1))"
        ),
    ),
    "wrapped-positions-of-each-row": (
        "GD704",
        "remainder",
        PLAIN.replace(
            "self.places(idx)",
            "self.p(torch.remainder(torch.ones_like(idx).cumsum(1) - 1, self.block_size))",
        ),
    ),
    "text-that-is-cut": (
        "GD704",
        "idx = idx[:",
        PLAIN.replace("        return", "        idx = idx[:, -self.block_size :]\n        return"),
    ),
    "length-that-an-assert-guards": (
        "GD706",
        "assert idx",
        PLAIN.replace(
            "        return", "        assert idx.size(1) <= self.block_size\n        return"
        ),
    ),
    "table-that-ends-without-a-word": (
        "GD706",
        "arange(len(idx[0]))",
        PLAIN.replace("self.places(idx)", "self.p(torch.arange(len(idx[0])))"),
    ),
    "empty-text-that-an-assert-guards": (
        "GD706",
        "assert idx",
        PLAIN.replace("        return", "        assert idx.numel()\n        return"),
    ),
    "infinite-mask-of-its-own": (
        "GD705",
        "s = (q @ k.mT / 4).masked_fill(~kept",
        TWO_TEXTS.replace("HIDDEN", "float('-inf')"),
    ),
    "infinite-mask": ("GD705", "masked_fill", MASKED.replace(", hidden=-1e9", "")),
}
HEALTHY = {
    "plain": PLAIN,
    "finite-mask": MASKED,
    "finite-mask-of-its-own": TWO_TEXTS.replace("HIDDEN", "-1e9"),
    "mask-of-its-own-that-leaves-a-row-as-it-is": TWO_TEXTS.replace(
        "~kept, HIDDEN", "~kept & kept.any(-1, True), float('-inf')"
    ),
    "mask-that-is-asked-for": PLAIN.replace("idx):", "idx, attention_mask=None):").replace(
        "        return",
        "        if attention_mask is None:\n"
        "            raise ValueError('give attention_mask')\n        return",
    ),
    "unknown-token-by-choice": PLAIN.replace(
        "self.e(idx)", "self.e(torch.where(idx < 97, idx, 1).clamp(min=1))"
    ).replace(".clamp(min=1)", ""),
    "negative-ids-taken-out": PLAIN.replace(
        "self.e(idx)", "self.e(idx.clamp(min=0)) * (idx >= 0).unsqueeze(-1)"
    ),
    "hashed-ids": PLAIN.replace("self.e(idx)", "self.e(idx % 11)"),
    "larger-table": PLAIN.replace("self.e(idx)", "F.embedding(idx, self.e.weight)"),
    "distances-with-an-end": PLAIN.replace(
        "self.places(idx)",
        "self.p((torch.arange(idx.size(1))[None] - torch.arange(idx.size(1))[:, None])"
        ".clamp(0, 4)).mean(1)",
    ),
    "any-length": PLAIN.replace(
        "self.places(idx)", "torch.arange(idx.size(1)).float()[:, None].sin()"
    ),
    "length-in-fours": PLAIN.replace(
        "self.places(idx)", "torch.arange(idx.size(1)).float()[:, None].sin()"
    ).replace(
        "        return", "        assert idx.size(1) % 4 == 0 or idx.size(1) < 32\n        return"
    ),
    "fused-attention": """\
    def forward(self, idx, attention_mask=None):
        x = self.e(idx) + self.places(idx)
        seen = torch.ones(idx.size(1), idx.size(1), dtype=torch.bool).tril()
        if attention_mask is not None:
            seen = seen & attention_mask[:, None, :].bool()
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return self.out(x + F.scaled_dot_product_attention(q, k, v, attn_mask=seen))
""",
    "a-mask-over-pairs": """\
    def forward(self, idx, attention_mask=None):
        x = self.e(idx) + self.places(idx)
        s = self.qkv(x)[..., :8] @ self.qkv(x)[..., 8:16].mT
        s = s.masked_fill(torch.ones_like(s[0]).triu(1).bool(), float("-inf"))
        s = s if attention_mask is None else s + attention_mask
        return self.out(x + s.softmax(-1) @ x)
""",
}


def measured(folder: Path, text: str) -> tuple[OddInputs, list[Conviction]]:
    """The measurement of a model with these methods, and what the rules read in it."""
    made = specimen(folder, HEAD + text)
    found = PROBE.measure(made)
    assert isinstance(found, OddInputs)
    handlers = [one.convicts["odd-inputs"] for one in all_defects() if "odd-inputs" in one.convicts]
    return found, [each for handler in handlers for each in handler(found, NO_RECORD)]


@pytest.mark.parametrize("name", SICK)
def test_what_should_be_refused_and_is_not_is_convicted_at_its_line(
    tmp_path: Path, name: str
) -> None:
    """By one rule, and no other."""
    rule, line, text = SICK[name]
    _, convictions = measured(tmp_path, text)
    (found,) = (one for one in convictions if one.status is Status.CONFIRMED)
    assert found.rule == rule
    assert found.place is not None
    assert found.place.line == line_of(specimen(tmp_path, HEAD + text), line)


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_refused_or_meant_is_not_convicted(tmp_path: Path, name: str) -> None:
    """A clear error is health, and so is what the code does on purpose."""
    _, convictions = measured(tmp_path, HEALTHY[name])
    assert [one for one in convictions if one.status is Status.CONFIRMED] == []


def test_what_was_tried_and_refused_refutes(tmp_path: Path) -> None:
    """The table's own errors are clear enough."""
    found, convictions = measured(tmp_path, MASKED)
    kinds = [one.crash.kind for one in found.strange if one.crash is not None]
    assert kinds == ["IndexError", "IndexError"]
    assert found.overlong is not None
    assert found.overlong.crash is not None
    assert {one.rule for one in convictions} == {"GD703", "GD704", "GD705", "GD706"}


def test_the_least_declared_length_counts() -> None:
    """A name of a window, or of a length that takes long, is none."""
    model = torch.nn.Linear(1, 1)
    for name, number in (("sliding_window", 4), ("max_seq_len", 64), ("vocab_size", 9)):
        setattr(model, name, number)
    assert declared_length(model) == ("max_seq_len", 64)
    model.config = {"n_positions": 32}  # type: ignore[assignment]
    assert declared_length(model) == ("n_positions", 32)
    assert declared_length(torch.nn.Linear(1, 1)) is None


@pytest.mark.parametrize(
    ("sizes", "name"),
    [
        ({"block_size": 32, "max_position_embeddings": 32}, "max_position_embeddings"),
        ({"max_source_positions": 16, "max_target_positions": 32}, "max_target_positions"),
        ({"block_size": 32}, "block_size"),
        ({"max_source_positions": 32}, "max_source_positions"),
    ],
)
def test_the_length_of_the_text_is_named(sizes: dict[str, int], name: str) -> None:
    """Not that of what an encoder reads, nor that of a block where both are as large."""
    model = torch.nn.Linear(1, 1)
    model.config = sizes  # type: ignore[assignment]
    assert declared_length(model) == (name, sizes[name])


def test_positions_are_told_from_distances() -> None:
    """Positions are alike in each row; distances are not."""
    at = torch.arange(7)
    assert are_positions(at, torch.Size((3, 7)))
    assert are_positions(at.expand(3, 7) + 2, torch.Size((3, 7)))
    assert not are_positions(at[None] - at[:, None], torch.Size((3, 7)))
    assert not are_positions(torch.randint(9, (3, 7)), torch.Size((3, 7)))


def test_a_nan_that_stays_where_it_is_hidden_spoils_nothing() -> None:
    """Only what the objective is made of, and the gradients of it, count."""
    weight = torch.nn.Parameter(torch.ones(5))
    hidden = torch.zeros(2, 3, dtype=torch.bool)
    hidden[0] = True
    nan = torch.where(hidden[..., None], torch.nan, 1.0)

    def logits() -> torch.Tensor:
        return torch.ones(2, 3, 5) * weight

    parameters = {"w": weight}
    assert spoiled(torch.where(hidden[..., None], nan, logits()), hidden, parameters) == (0, 0)
    assert spoiled(logits() * nan, hidden, parameters) == (0, 1)
    assert spoiled(logits() * nan.roll(1, 0), hidden, parameters) == (3, 0)

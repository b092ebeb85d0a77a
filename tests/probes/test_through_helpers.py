"""Masks and streams that go through functions of their own: the line that loses them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from gptdoctor.core.measurements.depth import Depth
from gptdoctor.probes import batch_isolation, causality, context_use, depth, padding, repeated_calls
from gptdoctor.probes.instruments.leaks import differs
from gptdoctor.probes.instruments.unread_arguments import unread_tensors
from gptdoctor.probes.shapes import PROBE as SHAPES
from tests.specimen.making import build, line_of, specimen

# Positions by distance, masks and residuals as the models of hubs have them.
MODEL = """
def causal_mask(embeds, attention_mask):
    T = embeds.shape[1]
    seen = torch.ones(T, T, dtype=torch.bool).tril()
    if attention_mask is not None:
        seen = seen & attention_mask[:, None, None].bool()
    return torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(embeds.dtype).min)


def slopes(attention_mask, heads):
    there = (attention_mask.cumsum(-1) - 1) * attention_mask
    return (torch.arange(1, heads + 1)[:, None] * 0.1 * there[:, None]).flatten(0, 1)[:, None]


def dropout_add(x, residual, prob, training):
    out = F.dropout(x, p=prob, training=training)
    out = residual + out
    return out


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.dense = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x, residual, bias, attention_mask):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4).flatten(1, 2)
        scores = bias.to(x.dtype).baddbmm(q, k.mT, alpha=0.25).view(B, self.heads, T, T)
        if attention_mask is not None:
            scores = scores + attention_mask
        mixed = scores.softmax(-1).flatten(0, 1) @ v
        mixed = mixed.view(B, self.heads, T, -1).transpose(1, 2).reshape(B, T, C)
        return dropout_add(self.dense(mixed), residual, 0.0, self.training)


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.before, self.after = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.up, self.down = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x, bias, attention_mask):
        x = self.attention(self.before(x), x, bias, attention_mask)
        return dropout_add(self.down(F.gelu(self.up(self.after(x)))), x, 0.0, self.training)


class Model(nn.Module):
    def __init__(self, vocab_size, dim, heads, n_layers):
        super().__init__()
        self.heads = heads
        self.words = nn.Embedding(vocab_size, dim)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(n_layers))
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, ids, attention_mask=None):
        x = self.words(ids)
        if attention_mask is None:
            bias = (torch.arange(1, self.heads + 1)[:, None, None] * torch.arange(ids.size(1)))
            bias = 0.1 * bias.repeat(ids.size(0), 1, 1)
        else:
            attention_mask = attention_mask.to(x.device)
            bias = slopes(attention_mask, self.heads)
        mask = causal_mask(x, attention_mask)
        for block in self.blocks:
            x = block(x, bias, attention_mask=mask)
        return self.head(x)
"""
ADDS = "out = residual + out"


def changed(old: str, new: str) -> str:
    """The model with one statement changed."""
    assert old in MODEL
    return MODEL.replace(old, new)


def test_nothing_is_wrong_with_it_as_it_is(tmp_path: Path) -> None:
    """All that the probes below tell comes of the one change."""
    made = specimen(tmp_path, MODEL)
    assert causality.measure(made).place is None
    assert padding.measure(made).leaking_side is None
    assert context_use.measure(made).context_place is None
    assert batch_isolation.measure(made).place is None
    assert repeated_calls.measure(made).chance is None
    found = depth.measure(made)
    assert all(stack.missing is None for stack in found.stacks)


def test_of_two_masks_that_are_absent_the_one_that_is_handed_on_is_told(tmp_path: Path) -> None:
    """The caller's may be absent, and has an assignment in a branch that did not run."""
    made = specimen(tmp_path, changed("mask = causal_mask(x, attention_mask)", "mask = None"))
    place = causality.measure(made).place
    assert place is not None
    assert place.line == line_of(made, "mask = None")


def test_a_mask_that_a_function_made_of_no_padding_is_told_where_it_was_made(
    tmp_path: Path,
) -> None:
    """Though the mask of padding reaches the attention as a bias by distance, which hides none."""
    made = specimen(tmp_path, changed("(x, attention_mask)\n", "(x, None)\n"))
    place = padding.measure(made).place
    assert place is not None
    assert place.line == line_of(made, "mask = causal_mask(x, None)")


@pytest.mark.parametrize("lost", ["out = residual", "out = residual.clone(); out = residual"])
def test_a_result_that_a_function_writes_over_is_told_there(tmp_path: Path, lost: str) -> None:
    """And not at the line that called it."""
    made = specimen(tmp_path, changed(ADDS, lost))
    place = context_use.measure(made).context_place
    assert place is not None
    assert place.line == line_of(made, lost)


@pytest.mark.parametrize("kept", ["out = out", "out = out * 1.0"])
def test_a_function_that_is_given_the_stream_and_does_not_read_it_is_told(
    tmp_path: Path, kept: str
) -> None:
    """At the line that makes what it gives back."""
    made = specimen(tmp_path, changed(ADDS, kept))
    (stack,) = depth.measure(made).stacks
    assert stack.missing is not None
    assert not stack.missing.intact
    assert (stack.missing.line, stack.missing.symbol) == (line_of(made, kept), "dropout_add")


def test_a_stream_that_is_detached_is_there_and_ends_the_gradient(tmp_path: Path) -> None:
    """Nothing is missing from the block; the gradient fades at the line that detaches."""
    made = specimen(tmp_path, changed(ADDS, "out = residual.detach() + out"))
    found = depth.measure(made)
    assert isinstance(found, Depth)
    (stack,) = found.stacks
    assert stack.missing is not None
    assert stack.missing.intact
    assert stack.place_of_factor(made.target).line == line_of(made, "residual.detach()")


def test_a_size_in_what_is_added_to_a_product_is_followed_to_where_it_was_made(
    tmp_path: Path,
) -> None:
    """It is no part of the product, and has to be as long as it."""
    text = changed("torch.arange(ids.size(1)))", "torch.arange(16))")
    _, made = build(tmp_path, text)
    assert made is not None
    (source,) = SHAPES.measure(made).sources  # type: ignore[attr-defined]
    assert (source.place.line, source.size) == (line_of(made, "torch.arange(16)"), 16)


def test_a_layer_that_is_made_anew_in_each_call_is_told_behind_a_large_mask(tmp_path: Path) -> None:
    """Scores that a mask of -3e38 was added to differ as they did before."""
    text = changed("self.qkv(x).view", "nn.Linear(C, 3 * C)(x).view")
    made = specimen(tmp_path, text)
    chance = repeated_calls.measure(made).chance
    assert chance is not None
    assert chance.line == line_of(made, "nn.Linear(C, 3 * C)(x)")


def test_what_a_mask_hides_says_nothing_of_the_size_of_the_rest() -> None:
    """Nor does rounding of what is hidden count as a difference."""
    scores = torch.tensor([1.0, 2.0, torch.finfo(torch.float32).min])
    assert differs(scores, scores + torch.tensor([0.1, 0.0, 0.0]))
    assert not differs(scores, scores + torch.tensor([1e-7, 0.0, 0.0]))
    hidden = torch.tensor([1.0, -10000.0])
    assert not differs(hidden, hidden + torch.tensor([0.0, 0.01]))
    assert not differs(torch.full((3,), -1e9), torch.full((3,), -1e9) + 64)


def test_a_parameter_that_is_read_anywhere_is_no_unread_one(tmp_path: Path) -> None:
    """In a comprehension, a function inside, or handed on."""
    root = str(Path(__file__).parent)

    def watch() -> list[str]:
        found = list(unread_tensors(sys._getframe(1), root))
        return [place.symbol for place, _ in found if "inner" in place.symbol]

    def inner_reads(x: torch.Tensor, y: torch.Tensor) -> list[str]:
        later = lambda: y  # noqa: E731
        return watch() if [x for _ in range(1)] and later else []

    def inner_leaves(x: torch.Tensor, y: torch.Tensor) -> list[str]:
        return watch() if x is not None else []

    one = torch.ones(2)
    assert inner_reads(one, one) == []
    assert len(inner_leaves(one, one)) == 1

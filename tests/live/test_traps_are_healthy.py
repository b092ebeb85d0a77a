"""The healthy traps are healthy: shown by training them and by asking what a position sees.

No probe of the tool has a part in it, nor does its way to build them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.live.trap_builds import BUILDS, TRAPS, built

# By design a position sees later ones: encoders, a denoiser, experts that choose their tokens.
SEES_AHEAD = {"masked_lm_encoder", "diffusion_lm", "expert_choice"}
# Experts choose among the tokens of all rows.
SEES_OTHER_ROWS = {"expert_choice"}
# One answer for each text: no logits of earlier positions that could be compared.
LAST_ONLY = {"last_position_logits", "targets_shifted_outside"}
VOCABULARIES = {"byte_level": 256, "tiny_vocabulary": 11}
VOCABULARY = 97  # of all others
# What takes labels, and what takes labels that are shifted by one; then methods that give a loss.
LABELS, TARGETS = ("labels",), ("targets", "target", "y", "tgt_y", "gold")
METHODS = ("loss", "compute_loss", "nll", "training_loss", "training_step", "loss_fn")
MOST_AT_FIRST = 1.25  # times the loss of chance: a head with torch's own start gives up to 1.15
# Steps at a rate of 1e-2; a prompt before a frozen model gets no further than this.
STEPS, LEARNT = 30, 0.9  # of the first loss


def test_each_is_built_here() -> None:
    """None is left to the tool alone."""
    assert list(BUILDS) == [trap.stem for trap in TRAPS]


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of what a model returns, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors_in(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from tensors_in(one)


def loss_of(model: nn.Module, ids: Tensor) -> Tensor:
    """The loss that the model itself gives for ids [B, T], asked as its file says."""
    wanted = inspect.signature(model.forward).parameters
    shifted = ids[:, 1:].contiguous()
    for method in METHODS:
        if hasattr(model, method):
            pair = (ids, ids) if "src" in wanted else (ids[:, :-1], shifted)
            takes_pair = len(inspect.signature(getattr(model, method)).parameters) == 2
            return getattr(model, method)(*(pair if takes_pair else (ids,)))
    name = next((one for one in (*LABELS, *TARGETS) if one in wanted), None)
    if name is not None:
        given = (ids, ids) if name in LABELS else (ids[:, :-1], shifted)
        made = model(given[0], **{name: given[1]})
    elif "return_loss" in wanted:
        made = model(ids, return_loss=True)
    else:  # it has none
        return F.cross_entropy(scores(model, ids)[:, :-1].transpose(1, 2), shifted)
    return next(one for one in tensors_in(made) if one.dim() == 0 and one.requires_grad)


def scores(model: nn.Module, ids: Tensor) -> Tensor:
    """The logits [B, T, V] for ids [B, T]."""
    return next(one for one in tensors_in(model(ids)) if one.dim() == 3)


class Decoder(nn.Module):
    """The decoder of a translator, with the source held fast."""

    def __init__(self, translator: nn.Module, source: Tensor) -> None:
        super().__init__()
        self.translator, self.source = translator, source

    def forward(self, ids: Tensor) -> Any:
        return self.translator(self.source, ids)


class TimeFirst(nn.Module):
    """A model of ids [T, B] that takes them as [B, T]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Any:
        return self.model(ids.t()).transpose(0, 1)


def falls(model: nn.Module, ids: Tensor) -> bool:
    """Whether some steps on one batch bring the loss down."""
    model.train()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    first = loss_of(model, ids).item()
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model, ids)
        loss.backward()
        optimizer.step()
        if loss.item() < LEARNT * first:
            return True
    return False


def starts_well(model: nn.Module, ids: Tensor, vocabulary: int) -> bool:
    """Whether it begins near chance, and mixed precision gives finite gradients as well."""
    model.train()
    chance = math.log(vocabulary)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(model, ids)
    loss.backward()
    gradients = [one.grad for one in model.parameters() if one.grad is not None]
    finite = all(bool(one.isfinite().all()) for one in gradients)
    return finite and loss_of(model, ids).item() < MOST_AT_FIRST * chance


@torch.no_grad()
def moved(model: nn.Module, ids: Tensor, where: tuple[slice, slice]) -> Tensor:
    """Which logits [B, T] change when the tokens at `where` do, beyond rounding."""
    changed = ids.clone()
    changed[where] = changed[where] % int(ids.max()) + 1
    before, after = scores(model, ids), scores(model, changed)
    assert before.isfinite().all()
    assert torch.equal(before, scores(model, ids))  # nothing is drawn, and nothing is left over
    noise = 1e-5 * before.abs().max()
    return (before - after).abs().amax(dim=-1) > noise


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:Mismatch dtype")  # of torch
@pytest.mark.parametrize("name", BUILDS)
def test_it_trains_and_sees_what_it_may_see(name: str) -> None:
    """Its loss starts near chance and falls; no position sees a later one, no row another one."""
    vocabulary = VOCABULARIES.get(name, VOCABULARY)
    ids = torch.randint(1, vocabulary, (3, 9), generator=torch.Generator().manual_seed(0))
    with built(name) as model:
        model = TimeFirst(model) if name == "time_first" else model
        assert starts_well(model, ids, vocabulary)
        assert falls(model, ids)
        model.eval()
        if name in LAST_ONLY:
            return
        model = Decoder(model, ids) if name == "encoder_decoder" else model
        by_the_last = moved(model, ids, (slice(None), slice(-1, None)))
        assert bool(by_the_last[:, :-1].any()) == (name in SEES_AHEAD)
        by_the_first = moved(model, ids, (slice(None), slice(0, 1)))
        assert by_the_first[:, -1].all()
        by_other_rows = moved(model, ids, (slice(1, None), slice(None)))
        assert bool(by_other_rows[0].any()) == (name in SEES_OTHER_ROWS)


@pytest.mark.parametrize("name", ["left_padding", "labels_shifted_inside", "padding_is_eos"])
def test_padding_changes_nothing(name: str) -> None:
    """On either side, whatever it holds, in the logits and in the loss."""
    ids = torch.randint(1, 97, (2, 5), generator=torch.Generator().manual_seed(0))
    with built(name) as model:
        plain = model.eval()(ids, labels=ids)
        for sides in ((3, 0), (0, 3)):
            kept = slice(sides[0], sides[0] + 5)
            padded = F.pad(ids, sides, value=11)
            mask = F.pad(torch.ones_like(ids), sides)
            made = model(padded, attention_mask=mask, labels=padded)
            logits = made["logits"][:, kept]
            torch.testing.assert_close(logits, plain["logits"], atol=1e-5, rtol=1e-5)
            if name != "labels_shifted_inside":  # there the labels say what is ignored
                torch.testing.assert_close(made["loss"], plain["loss"])


def test_a_cache_says_what_the_full_pass_says() -> None:
    """Token by token; and what is generated greedily follows from it, past the longest text."""
    ids = torch.randint(1, 97, (2, 9), generator=torch.Generator().manual_seed(0))
    with built("kv_cache") as model:
        model.eval()
        steps, cache = [], None
        for token in ids.unbind(1):
            logits, cache = model(token[:, None], cache, use_cache=True)
            steps.append(logits)
        torch.testing.assert_close(torch.cat(steps, dim=1), model(ids), atol=1e-5, rtol=1e-5)
        made = model.generate(ids, max_new_tokens=40, temperature=0)
        assert made.shape == (2, 49)
        for length in range(9, 33):
            assert torch.equal(model(made[:, :length])[:, -1].argmax(-1), made[:, length])

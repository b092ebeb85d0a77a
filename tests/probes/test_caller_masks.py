"""Masks that are left to the caller: which are tried, and when the model has to have its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.findings import Status
from gptdoctor.core.measurements.causality import Causality
from gptdoctor.defects.information_flow.future_leak import read_causality as read_future
from gptdoctor.defects.information_flow.mask_left_to_caller import read_causality as read_left
from gptdoctor.probes.causality import measure
from tests.defects.records import NO_RECORD
from tests.specimen.making import build

MODEL = """
class Model(nn.Module):
    def __init__(self, vocab_size=97, dim=16):
        super().__init__()
        self.words, self.head = nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size)
        self.qk, self.v = nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)

    def forward(self, ids, {name}=None):
        x = self.words(ids)
        q, k = self.qk(x).chunk(2, -1)
        scores = q @ k.mT / 4
        if {name} is not None:
            {apply}
        return self.head(x + scores.softmax(-1) @ self.v(x))
"""
APPLIED = {
    "ones for what is seen": "scores = scores.masked_fill(mask == 0, -1e9)",
    "True for what is hidden": "scores = scores.masked_fill(mask, -torch.inf)",
    "added to the scores": "scores = scores + mask.float().clamp(max=0)",
    "numbers": "scores = scores - (1 - mask) * 1e9",
    "of the batch": "assert mask.dim() == 3; scores = scores.masked_fill(mask == 0, -1e9)",
}


def causality(folder: Path, text: str) -> Causality:
    """What the probe measures of `Model`."""
    construction, made = build(folder, text)
    assert made is not None, construction
    return measure(made)


def rules(measured: Causality) -> list[str]:
    """Which of the two rules confirm."""
    told = [*read_future(measured, NO_RECORD), *read_left(measured, NO_RECORD)]
    return [one.rule for one in told if one.status is Status.CONFIRMED]


@pytest.mark.parametrize("apply", APPLIED.values(), ids=APPLIED)
def test_a_causal_mask_is_found_in_whatever_form(tmp_path: Path, apply: str) -> None:
    """Ones, truth values, numbers that are added; [T, T] or with the rows in front."""
    measured = causality(tmp_path, MODEL.format(name="mask", apply=apply))
    assert measured.caller_mask == "mask"
    assert rules(measured) == ["GD809"]


UNABLE = {
    "over the tokens": ("mask", "scores = scores.masked_fill(mask[:, None, :] == 0, -1e9)"),
    "of padding": ("padding_mask", "scores = scores.masked_fill(padding_mask == 0, -1e9)"),
    "not used": ("mask", "mask = None"),
    "without an effect on the leak": ("mask", "scores = scores * (1 + mask.float().mean())"),
}


@pytest.mark.parametrize(("name", "apply"), UNABLE.values(), ids=UNABLE)
def test_what_hides_no_future_excuses_nothing(tmp_path: Path, name: str, apply: str) -> None:
    """The leak stays critical where no mask of the caller's ends it."""
    measured = causality(tmp_path, MODEL.format(name=name, apply=apply))
    assert measured.caller_mask == ""
    assert rules(measured) == ["GD801"]


def test_a_name_that_promises_makes_the_mask_its_own_task(tmp_path: Path) -> None:
    """A GPT that needs its caller's mask leaks, and the finding says what would hide it."""
    text = MODEL.format(name="mask", apply=APPLIED["numbers"])
    text = text.replace("class Model", "class TinyGPT")
    construction, made = build(tmp_path, text, name="TinyGPT")
    assert made is not None, construction
    (found,) = read_future(measure(made), NO_RECORD)
    assert found.values["caller_mask"] == "mask"
    assert "given as `mask` would hide them" in found.message

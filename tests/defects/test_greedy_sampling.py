"""GD405, greedy-sampling: what the text shows, and where it cannot be sure."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

WRITER = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids))[0])

    @torch.no_grad()
    def sample(self, ids, steps):
        for _ in range(steps):
            logits = self(ids)[:, -1]
            token = logits.argmax(-1, keepdim=True)  # here
            ids = torch.cat([ids, token], dim=1)
        return ids
"""
HEAD = "def sample(self, ids, steps):"
CHOICE = "token = logits.argmax(-1, keepdim=True)"
GREEDY = {
    "by its name": (HEAD, HEAD),
    "by a switch": (HEAD, "def write(self, ids, steps, do_sample=True):"),
    "by a filter": (HEAD, "def write(self, ids, max_new_tokens, top_p=0.9):"),
    "by its words": (HEAD, 'def write(self, ids, steps):\n        """Samples the next token."""'),
    "by a comment": (HEAD, f"{HEAD.replace('sample', 'go_on')}  # sample one token a turn"),
    "of probabilities": (CHOICE, "token = logits.softmax(-1).argmax(-1, keepdim=True)"),
    "by max": (CHOICE, "token = logits.max(-1, keepdim=True)[1]"),
    "by max, in two names": (CHOICE, "best, token = torch.max(logits, -1, keepdim=True)"),
    "by topk": (CHOICE, "token = logits.topk(1).indices"),
    "by sorting": (CHOICE, "token = logits.argsort(-1, descending=True)[:, :1]"),
    "after a filter": (
        CHOICE,
        f"logits[logits < logits.topk(40)[0][:, -1:]] = -1e9\n            {CHOICE}",
    ),
}
SILENT = {
    "promises nothing": (HEAD, "def write(self, ids, steps):"),
    "says that it is greedy": (HEAD, "def sample_greedy(self, ids, steps):"),
    "says so in words": (HEAD, f'{HEAD}\n        """Sample, always the most likely token."""'),
    "candidates, and no text": (HEAD, "def write(self, ids, top_k=5, steps_=1, *, steps):"),
    "with a temperature, which another rule asks for": (
        HEAD,
        "def sample(self, ids, steps, temperature=1.0):",
    ),
    "draws where it is asked to": (
        CHOICE,
        f"{CHOICE}\n            if self.warm:\n"
        "                token = torch.multinomial(logits.softmax(-1), 1)",
    ),
    "noise, whose largest is a draw": (
        CHOICE,
        "noise = -torch.empty_like(logits).exponential_().log()\n"
        "            token = (logits + noise).argmax(-1, keepdim=True)",
    ),
    "a helper out of sight": (
        CHOICE,
        "logits = self.perturb(logits)\n            token = logits.argmax(-1, keepdim=True)",
    ),
    "in the branch for those who want no sampling": (
        CHOICE,
        "if not self.do_sample:\n                token = logits.argmax(-1, keepdim=True)\n"
        "            else:\n                token = self.other(logits)",
    ),
    "compared, and not written": (
        CHOICE,
        "hit = logits.argmax(-1) == 3\n            token = hit[:, None].long()",
    ),
    "points far apart, and no tokens": (
        "logits = self(ids)[:, -1]\n            token = logits",
        "logits = torch.cdist(ids, ids)\n            token = logits",
    ),
}


@pytest.mark.parametrize("change", GREEDY.values(), ids=list(GREEDY))
def test_a_likeliest_token_in_the_place_of_a_drawn_one_is_seen(change: tuple[str, str]) -> None:
    """Whatever promises that it is drawn, and however it is taken."""
    text = WRITER.replace(*change)
    assert lines_of("GD405", text) == marked(text) != []


@pytest.mark.parametrize("change", SILENT.values(), ids=list(SILENT))
def test_what_may_be_meant_or_may_draw_is_silent(change: tuple[str, str]) -> None:
    """Greedy by its own words, a draw in sight or out of it, and choices that are no tokens."""
    text = WRITER.replace(*change)
    assert text != WRITER
    assert lines_of("GD405", text) == []

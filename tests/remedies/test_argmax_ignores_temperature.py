"""GD401: tokens are drawn as the temperature says, and greedily at zero."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.remedies.mending import PREFIX, again, declined, dedented, mended, run

MODULE = "sampling.argmax_ignores_temperature"
ROWS = 4000
LOGITS = torch.tensor([0.0, 1.0, 2.0, 0.5])

# name: (a function that gives `steps` more ids, lines that must be in the mended text).
CASES = {
    "as the review has it": (
        """
        def talk(model, ids, steps, temperature=1.0):
            for _ in range(steps):
                logits = model(ids)
                token = torch.argmax(logits[:, -1, :] / temperature, dim=-1, keepdim=True)  # HERE
                ids = torch.cat([ids, token], dim=1)
            return ids
        """,
        [
            "        next_logits = logits[:, -1, :]\n        if temperature > 0:\n",
            "            probs = torch.softmax(next_logits / temperature, dim=-1)\n",
            "            token = torch.multinomial(probs, num_samples=1)\n        else:\n",
            "            token = torch.argmax(next_logits, dim=-1, keepdim=True)\n",
        ],
    ),
    "through a local": (
        """
        def talk(model, ids, steps, temp=1.0):
            for _ in range(steps):
                scaled = model(ids)[:, -1] / temp  # (B, V)
                idx = scaled.max(dim=-1, keepdim=True).indices  # HERE
                ids = torch.cat((ids, idx), dim=1)
            return ids
        """,
        [
            "        next_logits = model(ids)[:, -1]  # (B, V)\n        if temp > 0:",
            "idx = next_logits.max(dim=-1, keepdim=True).indices",
        ],
    ),
    "after a softmax": (
        """
        def talk(model, ids, steps, tau=1.0):
            for _ in range(steps):
                logits = model(ids)[:, -1, :]
                probs = F.softmax(logits / tau, dim=1)
                word = probs.argmax(1)  # HERE
                ids = torch.cat([ids, word[:, None]], dim=1)
            return ids
        """,
        [
            "            probs = F.softmax(logits / tau, dim=1)\n",
            "word = torch.multinomial(probs, num_samples=1).squeeze(-1)",
            "word = logits.argmax(1)",
        ],
    ),
    "the best of one": (
        """
        def talk(model, ids, steps, temperature=1.0):
            for _ in range(steps):
                z = model(ids)[:, -1].div(temperature).exp()
                ids = torch.cat([ids, torch.topk(z, 1)[1]], dim=1)  # HERE
            return ids
        """,
        ["ids = torch.cat([ids, next_token], dim=1)"],
    ),
    "values and indices": (
        """
        def talk(model, ids, steps, temperature=1.0):
            for _ in range(steps):
                logits = model(ids)[:, -1]
                logits /= temperature
                _, best = torch.max(logits, dim=-1)  # HERE
                ids = torch.cat([ids, best.unsqueeze(1)], dim=1)
            return ids
        """,
        ["best = torch.max(logits, dim=-1)[1]"],
    ),
    "a filter between": (
        """
        def talk(model, ids, steps, temperature=1.0, top_k=4):
            for _ in range(steps):
                logits = model(ids)[:, -1, :]
                logits = logits / temperature
                least = torch.topk(logits, top_k)[0][:, [-1]]
                logits[logits < least] = -float("inf")
                idx = logits.argmax(dim=-1, keepdim=True)  # HERE
                ids = torch.cat([ids, idx], dim=1)
            return ids
        """,
        ["        if temperature > 0:\n            logits = logits / temperature\n"],
    ),
    "scaled only where it matters": (
        """
        def talk(model, ids, steps, temperature: float = 1.0):
            while steps > 0:
                steps -= 1
                scores = model(ids)[:, -1, :]
                if temperature != 1.0:
                    scores = scores / temperature
                token = torch.max(scores, dim=-1)[1]  # HERE
                ids = torch.cat([ids, token[:, None]], dim=-1)
            return ids
        """,
        ["if temperature != 1.0 and temperature > 0:"],
    ),
    "multiplied by the inverse": (
        """
        def talk(model, ids, steps, temperature=1.0):
            for _ in range(steps):
                last = model(ids)[:, -1] * (1.0 / temperature)
                token = last.argsort(dim=-1, descending=True)[:, :1]  # HERE
                ids = torch.cat([ids, token], dim=1)
            return ids
        """,
        ["token = next_logits.argsort(dim=-1, descending=True)[:, :1]"],
    ),
    "in a helper that rows are given to": (
        """
        def pick(logits, temperature):
            z = logits.float() / temperature
            return z.argmax(dim=-1, keepdim=True)  # HERE


        def talk(model, ids, steps, temperature=1.0):
            for _ in range(steps):
                ids = torch.cat([ids, pick(model(ids)[:, -1], temperature)], dim=1)
            return ids
        """,
        ["next_logits = logits.float()", "torch.multinomial(", "return next_token"],
    ),
    "in a helper of which nothing is known": (
        """
        def pick(logits, temperature):
            return torch.argmax(logits / temperature, dim=-1)  # HERE


        def talk(model, ids, steps, temperature=1.0):
            for _ in range(steps):
                drawn = pick(temperature=temperature, logits=scores_of(model, ids))
                ids = torch.cat([ids, drawn[:, None]], dim=1)
            return ids


        def scores_of(model, ids):
            return model(ids)[:, -1]
        """,
        ["torch.distributions.Categorical(probs).sample()"],
    ),
    "a temperature that may be missing": (
        """
        def talk(model, ids, steps, temperature=None):
            for _ in range(steps):
                logits = model(ids)[:, -1]
                if temperature is not None:
                    logits = logits / temperature
                ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], dim=1)  # HERE
            return ids
        """,
        ["if temperature is not None and temperature > 0:"],
    ),
    "an attribute, and a name that is taken": (
        """
        class Talker:
            temperature = 1.0

            def talk(self, model, ids, steps, probs=None):
                next_logits = 0
                for _ in range(steps):
                    token = (model(ids)[:, -1] / self.temperature).argmax(-1, keepdim=True)  # HERE
                    ids = torch.cat([ids, token], dim=1)
                return ids


        def talk(model, ids, steps, temperature=1.0):
            talker = Talker()
            talker.temperature = temperature
            return talker.talk(model, ids, steps)
        """,
        ["next_probs = ", "next_token_logits = "],
    ),
    "a temperature kept from zero": (
        """
        def talk(model, ids, steps, temperature=1.0):
            for _ in range(steps):
                scores = model(ids)[:, -1] / max(temperature, 1e-5)
                best = scores.argmax(dim=-1, keepdim=True)  # HERE
                ids = torch.cat([ids, best], dim=1)
            return ids
        """,
        ["/ max(temperature, 1e-5), dim=-1)"],
    ),
}


def model(ids: Tensor) -> Tensor:
    """The same logits at every position."""
    return LOGITS.expand(*ids.shape, 4).clone()


def drawn(talk: Callable[..., Tensor], temperature: float) -> Tensor:
    """How often each token follows, as shares."""
    torch.manual_seed(0)
    ids = talk(model, torch.zeros(ROWS, 1, dtype=torch.long), 1, temperature)
    assert ids.shape == (ROWS, 2)
    return torch.bincount(ids[:, 1], minlength=4) / ROWS


@pytest.mark.parametrize("name", CASES)
def test_tokens_are_drawn_as_the_temperature_says(name: str, tmp_path: Path) -> None:
    """The histogram is softmax(z / T), and at zero all of it is the likeliest token."""
    body, lines = CASES[name]
    new = mended(MODULE, PREFIX + dedented(body), tmp_path)
    for line in lines:
        assert line in new, new
    talk: Any = run(new)["talk"]
    for temperature in (0.5, 1.0, 3.0):
        wanted = (LOGITS / temperature).softmax(-1)
        assert (drawn(talk, temperature) - wanted).abs().sum() / 2 < 0.05
    assert drawn(talk, 0.0)[2] == 1.0


@pytest.mark.parametrize("name", CASES)
def test_a_second_run_changes_nothing(name: str, tmp_path: Path) -> None:
    """On no line of the mended text is there anything to mend."""
    text = PREFIX + dedented(CASES[name][0])
    new = mended(MODULE, text, tmp_path)
    assert again(MODULE, text, new, tmp_path) == new
    greedy = ("argmax", "topk(", ".max(", "argsort")
    for number, line in enumerate(new.splitlines()):
        if any(word in line for word in greedy) and "least" not in line:
            lines = new.splitlines()
            lines[number] += "  # HERE"
            assert declined(MODULE, "\n".join(lines) + "\n", tmp_path)


DECLINES = {
    "greedy by choice": (
        """
        def talk(model, ids, temperature=1.0, greedy=False):
            logits = model(ids)[:, -1] / temperature
            if greedy:
                token = logits.argmax(-1, keepdim=True)  # HERE
            else:
                token = torch.multinomial(logits.softmax(-1), 1)
            return token
        """,
        "another branch draws",
    ),
    "every position at once": (
        """
        def fill(model, ids, temperature=1.0):
            logits = model(ids)[:, 1:, :]
            return torch.argmax(logits / temperature, dim=-1)  # HERE
        """,
        "3 dimensions",
    ),
    "over all rows at once": (
        """
        def talk(model, ids, temperature=1.0):
            return torch.argmax(model(ids)[:, -1] / temperature)  # HERE
        """,
        "over all rows",
    ),
    "not over the vocabulary": (
        """
        def talk(model, ids, temperature=1.0):
            return torch.argmax(model(ids)[:, -1] / temperature, dim=0)  # HERE
        """,
        "not looked for over the vocabulary",
    ),
    "no temperature": (
        """
        def talk(model, ids, scale):
            return (model(ids)[:, -1] / scale).argmax(-1)  # HERE
        """,
        "which value is the temperature",
    ),
    "the scores of the likeliest": (
        """
        def talk(model, ids, temperature=1.0):
            score, token = (model(ids)[:, -1] / temperature).max(-1)  # HERE
            return score, token
        """,
        "are used, too",
    ),
    "within another expression": (
        """
        def talk(model, ids, temperature=1.0, do_sample=False):
            z = model(ids)[:, -1] / temperature
            return z.multinomial(1) if do_sample else z.argmax(-1, keepdim=True)  # HERE
        """,
        "decides by itself",
    ),
    "nothing greedy": ("def f(x):\n    return x  # HERE\n", "nothing at this place"),
}


@pytest.mark.parametrize("name", DECLINES)
def test_it_declines(name: str, tmp_path: Path) -> None:
    """Being greedy may be meant; other shapes are no next tokens."""
    body, reason = DECLINES[name]
    assert reason in declined(MODULE, PREFIX + dedented(body), tmp_path)

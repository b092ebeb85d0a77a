"""GD101: gradients are recorded again, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.remedies.mending import PREFIX, again, declined, dedented, mended, run

MODULE = "gradients.no_grad_in_forward"

# name: (before, after), each a whole file but for the common imports.
CASES = {
    "a decorator": (
        """
        class Doubt(nn.Module):
            def __init__(self):
                super().__init__()
                self.score = nn.Linear(4, 3)

            # How unsure it is.
            @torch.no_grad()  # HERE
            def doubt(self, x):
                return self.score(x).softmax(-1).amax(-1, keepdim=True)

            def forward(self, x):
                return x * self.doubt(x)
        """,
        """
        class Doubt(nn.Module):
            def __init__(self):
                super().__init__()
                self.score = nn.Linear(4, 3)

            # How unsure it is.
            def doubt(self, x):
                return self.score(x).softmax(-1).amax(-1, keepdim=True)

            def forward(self, x):
                return x * self.doubt(x)
        """,
    ),
    "one decorator of two": (
        """
        class Scale(nn.Module):
            @staticmethod
            @torch.inference_mode  # HERE
            def positive(raw):
                return F.softplus(raw)
        """,
        """
        class Scale(nn.Module):
            @staticmethod
            def positive(raw):
                return F.softplus(raw)
        """,
    ),
    "an import that nobody needs any more": (
        """
        from torch import Tensor, no_grad


        @no_grad()  # HERE
        def certainty(logits: Tensor):
            return logits.softmax(-1).amax(-1)
        """,
        """
        from torch import Tensor


        def certainty(logits: Tensor):
            return logits.softmax(-1).amax(-1)
        """,
    ),
    "an import that others need": (
        """
        from torch import no_grad


        @no_grad()  # HERE
        def certainty(logits):
            return logits.softmax(-1).amax(-1)


        @no_grad()
        def argbest(logits):
            return logits.argmax(-1)
        """,
        """
        from torch import no_grad


        def certainty(logits):
            return logits.softmax(-1).amax(-1)


        @no_grad()
        def argbest(logits):
            return logits.argmax(-1)
        """,
    ),
    "a block with everything in it": (
        '''
        class Router(nn.Module):
            def forward(self, x):
                with torch.no_grad():  # HERE
                    # (B, T, E)
                    text = """kept
            as it is"""
                    share = (
                        self.score(x)
                        .softmax(-1)
                    )

                    if self.hard:
                        share = share.round()
                return share * x, text
        ''',
        '''
        class Router(nn.Module):
            def forward(self, x):
                # (B, T, E)
                text = """kept
            as it is"""
                share = (
                    self.score(x)
                    .softmax(-1)
                )

                if self.hard:
                    share = share.round()
                return share * x, text
        ''',
    ),
    "one context of two": (
        """
        def mixed(gate, x):
            with torch.autocast("cpu"), torch.no_grad():  # HERE
                g = gate(x)
            return g * x
        """,
        """
        def mixed(gate, x):
            with torch.autocast("cpu"):
                g = gate(x)
            return g * x
        """,
    ),
    "the first context of two": (
        """
        def mixed(gate, x):
            with torch.set_grad_enabled(False), torch.autocast("cpu"):  # HERE
                g = gate(x)
            return g * x
        """,
        """
        def mixed(gate, x):
            with torch.autocast("cpu"):
                g = gate(x)
            return g * x
        """,
    ),
    "a block on one line": (
        """
        def gated(gate, x):
            with torch.inference_mode(): g = gate(x)  # HERE
            return g * x
        """,
        """
        def gated(gate, x):
            g = gate(x)
            return g * x
        """,
    ),
    "a statement and its counterpart": (
        """
        def gated(gate, x):
            torch.set_grad_enabled(False)  # HERE
            g = gate(x)
            torch.set_grad_enabled(True)
            return g * x
        """,
        """
        def gated(gate, x):
            g = gate(x)
            return g * x
        """,
    ),
    "a function wrapped by hand": (
        """
        class Router(nn.Module):
            def share(self, x):
                return self.score(x).softmax(-1)

            share = torch.no_grad()(share)  # HERE
            width = 4
        """,
        """
        class Router(nn.Module):
            def share(self, x):
                return self.score(x).softmax(-1)

            width = 4
        """,
    ),
    "a block that also keeps statistics": (
        """
        class Router(nn.Module):
            def forward(self, x):
                with torch.no_grad():  # HERE
                    share = self.score(x).softmax(-1)
                    # how busy each expert is
                    self.usage.lerp_(share.mean(0), 0.01)
                    best = share.amax(-1)
                return x * best
        """,
        """
        class Router(nn.Module):
            def forward(self, x):
                share = self.score(x).softmax(-1)
                with torch.no_grad():
                    # how busy each expert is
                    self.usage.lerp_(share.mean(0), 0.01)
                best = share.amax(-1)
                return x * best
        """,
    ),
    "a function that also keeps statistics": (
        """
        class Router(nn.Module):
            @torch.no_grad()  # HERE
            def share(self, x):
                "The share of each expert."
                share = self.score(x).softmax(-1)
                if self.training:
                    self.usage += share.mean(0)
                return share
        """,
        """
        class Router(nn.Module):
            def share(self, x):
                "The share of each expert."
                share = self.score(x).softmax(-1)
                with torch.no_grad():
                    if self.training:
                        self.usage += share.mean(0)
                return share
        """,
    ),
    "forward and generation in one": (
        """
        class Talker(nn.Module):
            @torch.no_grad()  # HERE
            def forward(self, ids, extra=0):
                for _ in range(extra):
                    ids = torch.cat([ids, self.head(ids)[:, -1:].argmax(-1)], dim=1)
                return self.head(ids)
        """,
        """
        class Talker(nn.Module):
            def forward(self, ids, extra=0):
                with torch.set_grad_enabled(torch.is_grad_enabled() and self.training):
                    for _ in range(extra):
                        ids = torch.cat([ids, self.head(ids)[:, -1:].argmax(-1)], dim=1)
                    return self.head(ids)
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_rewrites(name: str, tmp_path: Path) -> None:
    """To the very text."""
    before, after = CASES[name]
    text = PREFIX + dedented(before)
    new = mended(MODULE, text, tmp_path)
    assert new == PREFIX + dedented(after)
    assert again(MODULE, text, new, tmp_path) == new


def test_the_parameters_get_gradients(tmp_path: Path) -> None:
    """The decorated method's own layer learns, and generation under no_grad records nothing."""
    before, _ = CASES["a decorator"]
    model = run(mended(MODULE, PREFIX + dedented(before), tmp_path))["Doubt"]()
    model(torch.randn(2, 4)).sum().backward()
    assert model.score.weight.grad.abs().max() > 0
    with torch.no_grad():
        assert not model(torch.randn(2, 4)).requires_grad


def test_forward_and_generation_in_one_records_in_training_alone(tmp_path: Path) -> None:
    """And never where a caller has switched gradients off."""
    before, _ = CASES["forward and generation in one"]
    model = run(mended(MODULE, PREFIX + dedented(before), tmp_path))["Talker"]()
    model.head = torch.nn.Embedding(5, 5)
    ids = torch.zeros(1, 2, dtype=torch.long)
    assert model(ids).requires_grad
    assert not model.eval()(ids).requires_grad
    model.train()
    with torch.no_grad():
        assert not model(ids).requires_grad


DECLINES = {
    "nothing there": ("x = 1  # HERE", "nothing at this place"),
    "a switch that is on": (
        """
        def f(x):
            with torch.set_grad_enabled(True):  # HERE
                return x
        """,
        "nothing at this place",
    ),
    "a switch by condition": (
        """
        class M(nn.Module):
            def forward(self, x):
                with torch.set_grad_enabled(self.training):  # HERE
                    return self.f(x)
        """,
        "nothing at this place",
    ),
    "a switch with a name": (
        """
        def f(x):
            with torch.no_grad() as off:  # HERE
                return g(x, off)
        """,
        "gives the switch a name",
    ),
    "computing and writing in one statement": (
        """
        class M(nn.Module):
            def forward(self, x):
                with torch.no_grad():  # HERE
                    for part in x:
                        y = self.score(part)
                        self.usage.add_(y)
                return y
        """,
        "both computes and writes",
    ),
    "statistics under two contexts": (
        """
        class M(nn.Module):
            def forward(self, x):
                with torch.autocast("cpu"), torch.no_grad():  # HERE
                    y = self.score(x)
                    self.usage.add_(y)
                return y
        """,
        "also writes into the module's state",
    ),
    "a free function that draws": (
        """
        @torch.no_grad()  # HERE
        def talk(model, ids):
            for _ in range(3):
                ids = torch.cat([ids, model(ids)[:, -1:].argmax(-1)], dim=1)
            return ids
        """,
        "cannot ask whether it is trained",
    ),
}


@pytest.mark.parametrize("name", DECLINES)
def test_it_declines(name: str, tmp_path: Path) -> None:
    """What is not a switch, or not clear, is left alone."""
    body, reason = DECLINES[name]
    assert reason in declined(MODULE, PREFIX + dedented(body), tmp_path)

"""GD301: the expert dimension is picked by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.remedies.mending import PREFIX, again, declined, dedented, mended, run

MODULE = "shapes.transposed_gate"
CLASS = PREFIX + dedented(
    """
    class Soft(nn.Module):
        def __init__(self, width=6, count=4):
            super().__init__()
            self.to_gate = nn.Linear(width, count)
            self.nets = nn.ModuleList(nn.Linear(width, width) for _ in range(count))

        def forward(self, h):
    """
)

# name: (what stands in forward, what must stand in its place).
CASES = {
    "zip over T": (
        """
        share = F.softmax(self.to_gate(h), dim=-1)
        return sum(w.unsqueeze(-1) * net(h) for w, net in zip(share.T, self.nets))  # HERE
        """,
        "zip(share.unbind(-1), self.nets)",
    ),
    "counted": (
        """
        share = self.to_gate(h).softmax(-1)
        total = 0
        for number, part in enumerate(share.T):  # HERE
            total = total + part[..., None] * self.nets[number](h)
        return total
        """,
        "enumerate(share.unbind(-1))",
    ),
    "reversed by permute": (
        """
        share = self.to_gate(h).softmax(-1).permute(2, 1, 0)  # HERE
        return sum(share[i].unsqueeze(-1) * net(h) for i, net in enumerate(self.nets))
        """,
        "share = self.to_gate(h).softmax(-1).movedim(-1, 0)",
    ),
    "batch and time swapped": (
        """
        share = self.to_gate(h).softmax(-1)
        share = share.transpose(0, 1)  # HERE
        return sum(share[i].unsqueeze(-1) * net(h) for i, net in enumerate(self.nets))
        """,
        "share = share.movedim(-1, 0)",
    ),
    "a function of torch": (
        """
        by_net = torch.transpose(self.to_gate(h).softmax(-1), 0, 2)  # HERE
        return sum(by_net[i].unsqueeze(-1) * net(h) for i, net in enumerate(self.nets))
        """,
        "torch.movedim(self.to_gate(h).softmax(-1), -1, 0)",
    ),
    "one at a time": (
        """
        share = self.to_gate(h).softmax(-1)
        total = torch.zeros_like(h)
        for e in range(len(self.nets)):
            total = total + share.T[e].unsqueeze(-1) * self.nets[e](h)  # HERE
        return total
        """,
        "share[..., e].unsqueeze(-1)",
    ),
    "taken apart": (
        """
        share = self.to_gate(h).softmax(-1)
        first, *rest = share.swapaxes(0, -1)  # HERE
        total = first[..., None] * self.nets[0](h)
        for part, net in zip(rest, self.nets[1:]):
            total = total + part[..., None] * net(h)
        return total
        """,
        "first, *rest = share.unbind(-1)",
    ),
    "last two swapped": (
        """
        share = self.to_gate(h).softmax(-1)
        return sum(w[..., None] * net(h) for w, net in zip(share.mT, self.nets))  # HERE
        """,
        "zip(share.unbind(-1), self.nets)",
    ),
    "a sum in parentheses": (
        """
        a = self.to_gate(h)
        return sum(w[..., None] * f(h) for w, f in zip((a + a).softmax(-1).T, self.nets))  # HERE
        """,
        "zip((a + a).softmax(-1).unbind(-1), self.nets)",
    ),
    "over several lines": (
        """
        share = self.to_gate(h).softmax(-1)
        return sum(
            w.unsqueeze(-1) * net(h)
            for w, net in zip(
                share.T,  # HERE
                self.nets,
            )
        )
        """,
        "                share.unbind(-1),\n",
    ),
}


def source(body: str) -> str:
    """A whole file with this body for the mixture's forward."""
    lines = dedented(body).rstrip().splitlines()
    return CLASS + "".join(f"        {line}\n" for line in lines)


@pytest.mark.parametrize("name", CASES)
def test_the_mended_mixture_equals_a_dense_one(name: str, tmp_path: Path) -> None:
    """At a batch unlike the length, where the sick one fails, and at equal ones."""
    body, line = CASES[name]
    new = mended(MODULE, source(body), tmp_path)
    assert line in new
    model = run(new)["Soft"]()
    for batch, length in ((3, 7), (5, 5)):
        h = torch.randn(batch, length, 6)
        share = model.to_gate(h)
        share = ((share + share) if "parentheses" in name else share).softmax(-1)
        answers = torch.stack([net(h) for net in model.nets], dim=-2)
        torch.testing.assert_close(model(h), (share.unsqueeze(-1) * answers).sum(-2))


@pytest.mark.parametrize("name", CASES)
def test_a_second_run_changes_nothing(name: str, tmp_path: Path) -> None:
    """What is picked by itself stays."""
    text = source(CASES[name][0])
    new = mended(MODULE, text, tmp_path)
    assert again(MODULE, text, new, tmp_path) == new


def test_matrices_keep_their_meaning(tmp_path: Path) -> None:
    """On a matrix the new form gives what `.T` gave."""
    for body, _ in CASES.values():
        if ".T" in body:
            text = source(body)
            before = run(text.replace("  # HERE", ""))["Soft"]()
            after = run(mended(MODULE, text, tmp_path))["Soft"]()
            after.load_state_dict(before.state_dict())
            h = torch.randn(9, 6)
            torch.testing.assert_close(after(h), before(h))


def test_a_gate_of_a_product_is_not_turned_at_all(tmp_path: Path) -> None:
    """Number by number, both sides keep batch and time where they are."""
    body = "return self.to_gate(h) * torch.sigmoid(self.to_gate(h)).transpose(0, 1)  # HERE"
    new = mended(MODULE, source(body), tmp_path, details={"use": "multiplied"})
    assert "self.to_gate(h) * torch.sigmoid(self.to_gate(h))\n" in new


DECLINES = {
    "no transposition": ("return self.to_gate(h).softmax(-1)  # HERE", "no transposition"),
    "brought to the front rightly": (
        "share = self.to_gate(h).permute(2, 0, 1)  # HERE",
        "no transposition",
    ),
    "keys of an attention": (
        "att = h @ h.transpose(-2, -1)  # HERE",
        "no transposition",
    ),
    "each part turned back": (
        """
        return sum(w.T[..., None] * net(h) for w, net in zip(self.to_gate(h).T, self.nets))  # HERE
        """,
        "transposes each part again",
    ),
    "a shape that is not known": (
        "share = self.to_gate(h).permute(*self.order)  # HERE",
        "no transposition",
    ),
}


@pytest.mark.parametrize("name", DECLINES)
def test_it_declines(name: str, tmp_path: Path) -> None:
    """What is right, or not clear, is left alone."""
    body, reason = DECLINES[name]
    assert reason in declined(MODULE, source(body), tmp_path)

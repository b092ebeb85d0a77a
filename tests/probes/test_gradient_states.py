"""What became of each parameter after forward and backward."""

from __future__ import annotations

from pathlib import Path

from tests.probes.test_gradient_flow import HEAD, measured
from tests.specimen.making import specimen

STATES = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_experts=8):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))
        self.router = nn.Linear(dim, n_experts)
        self.q, self.k = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.late = nn.Linear(dim, dim)
        self.gate = nn.Parameter(torch.zeros(dim))
        self.tower = nn.Linear(dim, dim)
        self.frozen = nn.Linear(dim, dim).requires_grad_(False)
        self.times_zero = nn.Linear(dim, dim)
        self.functional = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx, image=None):
        x = self.e(idx)
        choice = self.router(x).softmax(-1)
        best, which = choice.max(-1)
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            if (which == n).any():
                y[which == n] = expert(x[which == n])
        x = x + best[..., None] * y + self.gate * self.late(x) + self.frozen(x)
        x = F.scaled_dot_product_attention(self.q(x), self.k(x), x, is_causal=True)
        x = F.linear(x, self.functional.weight, self.functional.bias) + 0 * self.times_zero(x)
        return self.out(x)
"""


def test_each_parameter_is_told_by_its_state(tmp_path: Path) -> None:
    """Idle towers did not run, frozen ones are frozen, gates at zero let through when moved."""
    found = measured(tmp_path, "", head=STATES, tail="")
    states = {each.name: (each.state, each.ran) for each in found.parameters}
    assert states["tower.weight"] == ("none", False)
    assert states["frozen.weight"] == ("frozen", True)
    assert states["times_zero.weight"] == ("zero", True)
    flowing = (["e", "late", "gate", "functional", "router", "out", "q"], ("flows", True))
    for name in flowing[0]:
        key = name if name == "gate" else f"{name}.weight"
        assert states[key] == flowing[1], key
    assert all(states[f"experts.{n}.weight"] == ("flows", True) for n in range(5))
    assert found.cuts == ()


def test_a_part_that_few_batches_need_gets_more_of_them(tmp_path: Path) -> None:
    """An expert for one token out of a hundred waits for that token."""
    work = (
        "    def work(self, x):\n        return x + (self.f(x) if self.rare else 0)\n"
        "    def forward(self, idx):\n        self.rare = bool((idx == RARE).any())\n"
        "        return self.out(self.work(self.e(idx)))\n"
    )
    made = specimen(tmp_path, HEAD + work.replace("RARE", "0"))
    early = {int(n) for seed in range(3) for n in made.make_inputs(3, 7, seed)["idx"].flatten()}
    late = {int(n) for seed in range(3, 8) for n in made.make_inputs(3, 7, seed)["idx"].flatten()}
    text = work.replace("RARE", str(min(late - early)))
    states = {each.name: each.state for each in measured(tmp_path, text, tail="").parameters}
    assert states["f.weight"] == "flows"


def test_a_crash_in_backward_is_told_with_its_stage(tmp_path: Path) -> None:
    """Forward runs, backward does not."""
    work = "    def work(self, x):\n        y = x.sigmoid()\n        y.add_(1)\n        return y\n"
    found = measured(tmp_path, work)
    assert found.crash is not None
    assert found.crash.stage == "backward"


def test_numbers_that_are_not_finite_are_a_state(tmp_path: Path) -> None:
    """Sqrt has an infinite slope at zero."""
    found = measured(
        tmp_path, "    def work(self, x):\n        return x + (0 * self.g(x)).sqrt()\n"
    )
    assert "non-finite" in {each.state for each in found.parameters}


def test_a_parameter_that_holds_nothing_is_passed_over(tmp_path: Path) -> None:
    """A table of no rows has no largest gradient, and keeps no place from being measured."""
    head = HEAD.replace(
        "super().__init__()", "super().__init__()\n        self.none = nn.Parameter(torch.empty(0))"
    )
    work = "    @torch.no_grad()\n    def work(self, x):\n        return x + self.none.sum()\n"
    found = measured(tmp_path, work, head=head)
    assert found.crash is None
    assert [cut.parameters_gained for cut in found.cuts] == [("e.weight",)]
    assert "none" not in [each.name for each in found.parameters]

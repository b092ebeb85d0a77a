"""Which parameters have gradients, and what the places cost that stop them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from gptdoctor.core.measurements.gradient_flow import GradientCut, GradientFlow
from gptdoctor.probes.gradient_flow import PROBE
from gptdoctor.probes.instruments.counterfactuals import gradient_difference
from tests.specimen.making import line_of, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.f, self.g = nn.Linear(dim, dim), nn.Linear(dim, 1)
        self.gate = nn.Parameter(torch.zeros(1))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("turns", torch.linspace(0, 1, dim))
        self.out = nn.Linear(dim, vocab_size)
        self.out.weight.data.mul_(1.0)

"""
TAIL = (
    "\n    def forward(self, idx):\n        x = self.e(idx)\n        x = self.work(x) + self.gate\n"
    "        return self.out(x + self.f(x) + 0 * self.g(x))\n"
)


def measured(folder: Path, work: str, head: str = HEAD, tail: str = TAIL) -> GradientFlow:
    """The measurement of a model that does `work` in its forward."""
    found = PROBE.measure(specimen(folder, head + work + tail))
    assert isinstance(found, GradientFlow)
    return found


def only_cut(found: GradientFlow) -> GradientCut:
    """The one place that stops gradients."""
    assert len(found.cuts) == 1, found.cuts
    return found.cuts[0]


SICK = {
    "decorator": (
        "no_grad",
        "    @torch.no_grad()  # here\n    def weight(self, x):\n        return self.g(x) / 2\n"
        "    def work(self, x):\n        return x * self.weight(x)\n",
    ),
    "bare-decorator": (
        "no_grad",
        "    @torch.no_grad  # here\n    def weight(self, x):\n        return self.g(x).sigmoid()\n"
        "    def work(self, x):\n        return x * self.weight(x)\n",
    ),
    "with-block": (
        "no_grad",
        "    def work(self, x):\n        with torch.no_grad():  # here\n            w = self.g(x)\n"
        "        return x * w\n",
    ),
    "inference-mode": (
        "inference_mode",
        "    @torch.inference_mode()  # here\n    def weight(self, x):\n        return self.g(x)\n"
        "    def work(self, x):\n        return x + self.weight(x)\n",
    ),
    "inference-mode-block": (
        "inference_mode",
        "    def work(self, x):\n        with torch.inference_mode():  # here\n"
        "            w = self.g(x)\n"
        "        return x + w\n",
    ),
    "set-grad-enabled-block": (
        "set_grad_enabled",
        "    def work(self, x):\n        with torch.set_grad_enabled(False):  # here\n"
        "            w = self.g(x)\n        return x * w\n",
    ),
    "set-grad-enabled-decorator": (
        "set_grad_enabled",
        "    @torch.set_grad_enabled(False)  # here\n    def weight(self, x):\n"
        "        return self.g(x)\n    def work(self, x):\n        return x * self.weight(x)\n",
    ),
    "set-grad-enabled-call": (
        "set_grad_enabled",
        "    def work(self, x):\n        torch.set_grad_enabled(False)  # here\n"
        "        w = self.g(x)\n"
        "        torch.set_grad_enabled(True)\n        return x * w\n",
    ),
    "detach": (
        "detach",
        "    def work(self, x):\n        return x * self.g(x).detach()  # here\n",
    ),
    "behind-a-gate-that-starts-at-zero": (
        "no_grad",
        "    def work(self, x):\n        with torch.no_grad():  # here\n            w = self.g(x)\n"
        "        return x + self.gate * w\n",
    ),
}


@pytest.mark.parametrize("form", SICK)
def test_what_a_place_costs_is_measured_without_it(tmp_path: Path, form: str) -> None:
    """The parameters that act through it alone gain a gradient, others get another one."""
    operation, work = SICK[form]
    made = specimen(tmp_path, HEAD + work + TAIL.replace(" + 0 * self.g(x)", ""))
    found = PROBE.measure(made)
    assert isinstance(found, GradientFlow)
    cut = only_cut(found)
    assert cut.measured, cut.reason
    assert cut.operation == operation
    assert cut.parameters_gained == ("g.weight", "g.bias")
    assert cut.line == line_of(made, "# here")
    states = {each.name: each for each in found.parameters}
    assert states["g.weight"].state == "none"
    assert states["g.weight"].ran
    if "gate" not in form:
        assert cut.parameters_changed > 0
        assert cut.largest_change > 1e-3


HARMLESS = {
    "only-compared": (
        "    def work(self, x):\n        with torch.no_grad():\n"
        "            doubt = x.softmax(-1).amax(-1)\n"
        "        return torch.where((doubt > 0.02)[..., None], x, 2 * x)\n"
    ),
    "running-mean-in-place": (
        "    def work(self, x):\n        with torch.no_grad():\n"
        "            self.mean.mul_(0.9).add_(x.mean((0, 1)), alpha=0.1)\n"
        "        return x - self.mean\n"
    ),
    "running-mean-assigned": (
        "    def work(self, x):\n        with torch.no_grad():\n"
        "            self.mean = 0.9 * self.mean + 0.1 * x.mean((0, 1))\n"
        "        return x - self.mean\n"
    ),
    "copy-for-the-next-chunk": (
        "    def work(self, x):\n        self.last = x[:, -1].detach()\n        return x\n"
    ),
}


@pytest.mark.parametrize("form", HARMLESS)
def test_a_place_that_costs_nothing_is_measured_to_cost_nothing(tmp_path: Path, form: str) -> None:
    """Comparisons, running averages and what is kept for later carry no gradient anyway."""
    cut = only_cut(measured(tmp_path, HARMLESS[form]))
    assert cut.measured, cut.reason
    assert (cut.parameters_gained, cut.parameters_changed, cut.largest_change) == ((), 0, 0.0)


UNLISTED = {
    "table-of-constants": (
        "    def work(self, x):\n        with torch.no_grad():\n            t = self.turns.cos()\n"
        "        return x * t\n"
    ),
    "mask": (
        "    def work(self, x):\n        with torch.no_grad():\n            keep = x > 0\n"
        "        return x * keep\n"
    ),
    "inside-torch": (  # which bounds the rows that it looks up under a no_grad of its own
        "    def work(self, x):\n        first = torch.zeros(1, dtype=torch.long)\n"
        "        return x + F.embedding(first, self.f.weight, max_norm=0.1)\n"
    ),
    "recording-block": (
        "    def work(self, x):\n        with torch.set_grad_enabled(True), torch.enable_grad():\n"
        "            return x * 2\n"
    ),
    "never-run": "    @torch.no_grad()\n    def generate(self, x):\n        return self.g(x)\n"
    "    def work(self, x):\n        return x\n",
}


@pytest.mark.parametrize("form", UNLISTED)
def test_a_place_with_no_gradient_to_lose_is_not_listed(tmp_path: Path, form: str) -> None:
    """Nothing that runs there has inputs on the graph, or it is torch's own affair."""
    assert measured(tmp_path, UNLISTED[form]).cuts == ()


def test_two_places_in_a_row_are_told_apart_from_harmless_ones(tmp_path: Path) -> None:
    """Undoing either alone changes nothing: that is said, and neither is called measured."""
    work = (
        "    @torch.no_grad()\n    def weight(self, x):\n        return self.g(x)\n"
        "    def work(self, x):\n        return x * self.weight(x).detach()\n"
    )
    found = measured(tmp_path, work, tail=TAIL.replace(" + 0 * self.g(x)", ""))
    assert [cut.operation for cut in found.cuts] == ["no_grad", "detach"]
    assert not any(cut.measured for cut in found.cuts)
    assert all("undone as well" in cut.reason for cut in found.cuts)


def test_a_cache_does_not_carry_a_graph_into_the_next_batch(tmp_path: Path) -> None:
    """Without its inference_mode a cache holds on to the graph; each batch has its own copy."""
    head = HEAD.replace("self.gate =", "self.cache = torch.zeros(8, 32, dim)\n        self.gate =")
    work = (
        "    @torch.inference_mode()\n    def work(self, x):\n"
        "        self.cache[: len(x), : x.size(1)] = self.g(x) * x\n"
        "        return self.cache[: len(x), : x.size(1)] + x\n"
    )
    cut = only_cut(measured(tmp_path, work, head=head))
    assert cut.measured, cut.reason
    assert "g.weight" in cut.parameters_gained


def test_a_place_that_cannot_be_undone_says_why(tmp_path: Path) -> None:
    """A weight that is overwritten needs its no_grad: nothing is concluded from the crash."""
    work = (
        "    def work(self, x):\n        with torch.no_grad():\n            w = self.f(x)\n"
        "            w[:] = 0\n            leaf = self.g.weight.view(-1)\n"
        "            leaf += w.sum()\n"
        "        return x\n"
    )
    cut = only_cut(measured(tmp_path, work))
    assert cut.parameters_gained == ()


def test_a_forward_without_any_gradients_is_no_crash(tmp_path: Path) -> None:
    """Every parameter lacks its gradient, and the place gives it back to all of them."""
    found = measured(
        tmp_path,
        "    def work(self, x):\n        return x\n",
        tail=TAIL.replace("    def forward", "    @torch.no_grad()\n    def forward"),
    )
    assert found.crash is None
    assert {each.state for each in found.parameters} == {"none"}
    assert len(only_cut(found).parameters_gained) >= 5


def test_the_process_is_left_as_it_was(tmp_path: Path) -> None:
    """Torch's contexts work as before, and its compiler was not loaded for nothing."""

    def state() -> tuple[object, ...]:
        contexts = torch.no_grad.__enter__, torch.set_grad_enabled.__init__
        return *contexts, torch.nn.Module.__setattr__, "torch._dynamo" in sys.modules

    before = state()
    measured(tmp_path, SICK["set-grad-enabled-call"][1])
    assert before == state()
    assert torch.is_grad_enabled()


def test_rounding_is_no_change() -> None:
    """A key's bias has no gradient but noise; a difference counts from the threshold on."""
    before = {"w": torch.tensor([1.0]), "bias": torch.tensor([1e-9]), "new": None}
    after = {"w": torch.tensor([1.0 + 1e-6]), "bias": torch.tensor([-2e-9]), "new": None}
    assert not gradient_difference(before, after, 1e-5)
    found = gradient_difference(before, after | {"w": torch.tensor([1.1])}, 1e-5)
    assert (found.changed, found.largest) == (1, pytest.approx(0.1 / 1.1))
    found = gradient_difference(before, after | {"new": torch.tensor([0.5])}, 1e-5)
    assert found.gained == ("new",)


TRIPS = {
    "list": ("tolist", "x + torch.tensor(self.f(x).tolist())"),
    "array": ("detach", "x + torch.from_numpy(self.f(x).detach().numpy())"),
    "copied": ("detach", "x + torch.tensor(self.f(x).detach().cpu().numpy())"),
}


@pytest.mark.parametrize("form", TRIPS)
def test_a_way_through_lists_and_arrays_is_a_partial_cut(tmp_path: Path, form: str) -> None:
    """The gradient that comes back without it is another one."""
    operation, work = TRIPS[form]
    cut = only_cut(measured(tmp_path, f"    def work(self, x):\n        return {work}\n"))
    assert (cut.operation, cut.use, cut.measured) == (operation, "", True)
    assert cut.parameters_changed
    assert not cut.parameters_gained


def test_a_list_for_a_log_costs_nothing(tmp_path: Path) -> None:
    """No gradient changes with what is only kept, and a number is no way of the data."""
    work = (
        "    def work(self, x):\n        self.log = x.tolist()\n"
        "        self.shown = self.f(x).detach().numpy()\n        return x\n"
    )
    assert all(not cut.parameters_changed for cut in measured(tmp_path, work).cuts)


DEEP = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim, n_layers):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_layers))
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.e(idx)
        for index, layer in enumerate(self.layers):
            y = layer(x)
            if index > 2:
                {}
            x = x + y
        return self.out(x)
"""


@pytest.mark.parametrize(
    ("line", "gained"), [("y = y.detach()", 6), ("self.last = y.detach()", 0)], ids=["data", "log"]
)
def test_a_branch_for_layers_that_the_specimen_lacks(
    tmp_path: Path, line: str, gained: int
) -> None:
    """A deeper instance comes to it, and is told."""
    found = PROBE.measure(specimen(tmp_path, DEEP.format(line)))
    assert isinstance(found, GradientFlow)
    cut = only_cut(found)
    assert len(cut.parameters_gained) == gained
    assert "n_layers=6" in cut.build
    assert cut.of_parameters == 3 + 2 * 6


WEIGHED = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.e, self.out = nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size)
        self.f, self.g = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, idx, targets=None):
        x = self.e(idx)
        logits = self.out(x + self.f(x))
        if targets is None:
            return logits
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        with torch.no_grad():
            {}
"""
USES = {
    "a-focal-weight": (
        "focal = 1 - loss.neg().exp()\n        return (focal * loss).mean()",
        "weight",
    ),
    "a-weight-of-log-shares": (
        "sure = logits.softmax(-1).amax(-1)\n"
        "        picked = logits.log_softmax(-1).gather(-1, targets[..., None]).squeeze(-1)\n"
        "        return -(picked * sure).mean()",
        "weight",
    ),
    "a-goal": (
        "aim = x.tanh()\n        return loss.mean() + F.mse_loss(x, aim + 1)",
        "target",
    ),
    "data": (
        "y = x.tanh()\n"
        "        again = self.out(x + y)\n"
        "        return F.cross_entropy(again.flatten(0, 1), targets.flatten()) + loss.mean()",
        "",
    ),
}


@pytest.mark.parametrize("form", USES)
def test_what_is_made_without_gradients_is_told_by_its_use(tmp_path: Path, form: str) -> None:
    """A weight of a loss, or a goal, is why no_grad is there; data is what is lost."""
    work, use = USES[form]
    cut = only_cut(PROBE.measure(specimen(tmp_path, WEIGHED.format(work))))
    assert cut.parameters_changed
    assert (cut.parameters_gained, cut.use) == ((), use)

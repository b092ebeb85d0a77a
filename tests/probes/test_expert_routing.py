"""Experts whose results are lost, and those whose results are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.expert_routing import ExpertList, ExpertRouting
from gptdoctor.probes.expert_routing import PROBE
from tests.specimen.making import line_of, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_experts=8, top_k=2, n_layers=2):
        super().__init__()
        self.k = top_k
        self.e = nn.Embedding(vocab_size, dim)
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_layers))
        self.router = nn.Linear(dim, n_experts)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.e(idx)
        for layer in self.layers:
            x = x + layer(x)
        weight, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        return self.out(x + self.mixed(x, weight, chosen))

    def mixed(self, x, weight, chosen):
"""
# Each writes over what an earlier choice wrote; the line that does so ends with "# here".
SICK = {
    "mask-in-a-loop-over-choices": (
        "setitem",
        """
        y = torch.zeros_like(x)
        for k in range(self.k):
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                if mask.any():
                    y[mask] = expert(x[mask]) * weight[..., k][mask][:, None]  # here
        return y
""",
    ),
    "rows-of-a-flat-view": (
        "setitem",
        """
        flat, y = x.flatten(0, 1), torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1) == n).any(-1).nonzero().squeeze(-1)
            y.view(-1, x.size(-1))[row] = expert(flat[row])  # here
        return y
""",
    ),
    "index-copy": (
        "index_copy",
        """
        flat = x.flatten(0, 1)
        y = torch.zeros_like(flat)
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1) == n).any(-1).nonzero().squeeze(-1)
            y.index_copy_(0, row, expert(flat[row]))  # here
        return y.view_as(x)
""",
    ),
    "index-put-without-accumulate": (
        "index_put",
        """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y = y.index_put((mask,), expert(x[mask]))  # here
        return y
""",
    ),
    "scatter": (
        "scatter",
        """
        flat = x.flatten(0, 1)
        y = torch.zeros_like(flat)
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1) == n).any(-1).nonzero().expand(-1, x.size(-1))
            y.scatter_(0, row, expert(flat.gather(0, row)))  # here
        return y.view_as(x)
""",
    ),
    "masked-scatter": (
        "masked_scatter",
        """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y.masked_scatter_(mask[..., None], expert(x[mask]))  # here
        return y
""",
    ),
    "where": (
        "where",
        """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1, keepdim=True)
            y = torch.where(mask, expert(x), y)  # here
        return y
""",
    ),
    "into-a-copy": (
        "setitem",
        """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y = y.clone()
            y[mask] = expert(x[mask])  # here
        return y
""",
    ),
}
HEALTHY = {
    "accumulated": """
        y = torch.zeros_like(x)
        for k in range(self.k):
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                y[mask] += expert(x[mask]) * weight[..., k][mask][:, None]
        return y
""",
    "read-before-it-is-written": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y[mask] = y[mask] + expert(x[mask])
        return y
""",
    "index-add": """
        flat = x.flatten(0, 1)
        y = torch.zeros_like(flat)
        for n, expert in enumerate(self.experts):
            row, k = (chosen.flatten(0, 1) == n).nonzero(as_tuple=True)
            y.index_add_(0, row, expert(flat[row]) * weight.flatten(0, 1)[row, k, None])
        return y.view_as(x)
""",
    "accumulating-put": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y.index_put_((mask,), expert(x[mask]), accumulate=True)
        return y
""",
    "one-choice-for-each-token": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = chosen[..., 0] == n
            y[mask] = expert(x[mask])
        return y
""",
    "one-choice-in-place-of-the-input": """
        x = x.clone()
        for n, expert in enumerate(self.experts):
            mask = chosen[..., 0] == n
            x[mask] = expert(x[mask])
        return x
""",
    "a-new-buffer-for-each-choice": """
        y = torch.zeros_like(x)
        for k in range(self.k):
            part = torch.zeros_like(x)
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                part[mask] = expert(x[mask])
            y = y + weight[..., k, None] * part
        return y
""",
    "one-buffer-read-after-each-choice": """
        y, part = torch.zeros_like(x), torch.zeros_like(x)
        for k in range(self.k):
            part = part.detach().clone()
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                part[mask] = expert(x[mask])
            y = y + weight[..., k, None] * part
        return y
""",
    "a-slot-for-each-choice": """
        parts = x.new_zeros(*x.shape[:2], self.k, x.size(-1))
        for k in range(self.k):
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                parts[:, :, k][mask] = expert(x[mask])
        return (parts * weight[..., None]).sum(2)
""",
    "several-rounds": """
        for _ in range(3):
            y = x.clone()
            for n, expert in enumerate(self.experts):
                mask = chosen[..., 0] == n
                y[mask] = expert(x[mask])
            x = y
        return x
""",
    "dense": """
        gate = self.router(x).softmax(-1)
        return sum(gate[..., n, None] * f(x) for n, f in enumerate(self.experts))
""",
    "dense-with-weights-of-zero": """
        gate = torch.zeros_like(self.router(x)).scatter(-1, chosen, weight)
        return sum(gate[..., n, None] * f(x) for n, f in enumerate(self.experts))
""",
    "dense-and-picked": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y[mask] += expert(x)[mask]
        return y
""",
    "where-into-a-sum": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1, keepdim=True)
            y = y + torch.where(mask, expert(x), torch.zeros_like(x))
        return y
""",
    "no-rows-for-some": """
        flat = x.flatten(0, 1)
        y = flat.clone()
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1)[:, 0] == n).nonzero().squeeze(-1)[: n]
            y[row] = expert(flat[row])
        return y.view_as(x)
""",
    "capacity": """
        flat = x.flatten(0, 1)
        y = torch.zeros_like(flat)
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1) == n).any(-1).nonzero().squeeze(-1)[:2]
            y = y.index_add(0, row, expert(flat[row]))
        return y.view_as(x)
""",
}


def experts(folder: Path, text: str) -> tuple[ExpertList, ...]:
    """The lists of experts of a model that mixes as `text` does."""
    found = PROBE.measure(specimen(folder, HEAD + text))
    assert isinstance(found, ExpertRouting)
    return found.lists


@pytest.mark.parametrize("form", SICK)
def test_results_that_are_written_over_are_counted_at_their_line(tmp_path: Path, form: str) -> None:
    """21 tokens go to two experts each, and half of what those computed is lost."""
    operation, text = SICK[form]
    made = specimen(tmp_path, HEAD + text)
    measured = PROBE.measure(made)
    assert isinstance(measured, ExpertRouting)
    (found,) = measured.lists
    assert (found.name, found.experts) == ("experts", 5)
    assert [(each.line, each.operation) for each in found.overwrites] == [
        (line_of(made, "# here"), operation)
    ]
    assert found.overwrites[0].rows == 21
    assert found.overwrites[0].symbol == found.symbol == "Model.mixed"
    assert found.rows_lost == 21


@pytest.mark.parametrize("form", HEALTHY)
def test_results_that_reach_the_output_are_not_lost(tmp_path: Path, form: str) -> None:
    """Added up, read in between, disjoint, recurrent, or weighted by zero on purpose."""
    (found,) = experts(tmp_path, HEALTHY[form])
    assert found.name == "experts"
    assert found.overwrites == ()
    assert found.rows_lost == 0
    assert found.rows_run >= 5


def test_results_that_a_name_loses_are_lost_rows_without_an_overwrite(tmp_path: Path) -> None:
    """`y = ...` in a loop keeps the last expert: no tensor is written over."""
    text = "\n        for f in self.experts:\n            y = f(x)\n        return y\n"
    (found,) = experts(tmp_path, text)
    assert (found.rows_run, found.rows_lost, found.overwrites) == (105, 84, ())


def test_layers_are_no_experts(tmp_path: Path) -> None:
    """They are called in a row, each on what derives from the one before."""
    assert experts(tmp_path, "\n        return x\n") == ()


def test_experts_that_serve_another_output_are_left_out(tmp_path: Path) -> None:
    """As the heads of other positions are: nothing of theirs could reach these logits."""
    text = "\n        self.aside = [f(x) for f in self.experts]\n        return x\n"
    assert experts(tmp_path, text) == ()


def test_a_router_that_starts_at_zero_is_moved(tmp_path: Path) -> None:
    """Ties send every token to the same two experts, which is enough to see the loss."""
    text = SICK["mask-in-a-loop-over-choices"][1]
    head = HEAD.replace(
        "self.experts =", "nn.init.zeros_(self.router.weight)\n        self.experts ="
    )
    found = PROBE.measure(specimen(tmp_path, head + text))
    assert isinstance(found, ExpertRouting)
    assert found.lists[0].overwrites[0].rows == 21


def test_experts_in_a_dictionary_count_as_well(tmp_path: Path) -> None:
    """Under their keys."""
    head = HEAD.replace(
        "nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))",
        "nn.ModuleDict({f'e{n}': nn.Linear(dim, dim) for n in range(n_experts)})",
    )
    text = SICK["mask-in-a-loop-over-choices"][1].replace("self.experts)", "self.experts.values())")
    found = PROBE.measure(specimen(tmp_path, head + text))
    assert isinstance(found, ExpertRouting)
    assert found.lists[0].overwrites[0].rows == 21


def test_a_second_layer_of_experts_is_not_blamed_for_the_first(tmp_path: Path) -> None:
    """What derives from experts of an earlier block may be written over: a cache, a buffer."""
    text = """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y[mask] += expert(x[mask])
        return y


class Outer(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.inner = Model(vocab_size, dim, 5)

    def forward(self, idx):
        z = self.inner(idx)
        twice = torch.zeros_like(z)
        twice[:] = z
        twice[:] = 2 * z
        return twice
"""
    from tests.specimen.making import build

    _, made = build(tmp_path, HEAD + text, name="Outer")
    assert made is not None
    measured = PROBE.measure(made)
    assert isinstance(measured, ExpertRouting)
    assert [found.overwrites for found in measured.lists] == [()]

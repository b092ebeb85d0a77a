"""Models whose weights are left on the meta device until pretrained ones are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.specimen.making import build

DENSE = '{"vocab": 999, "dim": 64, "hidden": 256, "layers": 12, "act": "gelu"}'
SPARSE = '{"vocab": 999, "dim": 64, "hidden": 256, "layers": 12, "act": "gelu", "n_experts": 64}'
TABLES = {
    "names": f"SMALL = {DENSE}\nLARGE = {SPARSE}\n",
    "table": f'SIZES = {{"small": {DENSE}, "large": {SPARSE}}}\n',
    "two with experts": f"SMALL = {DENSE}\nLARGE = {SPARSE}\nHUGE = dict(LARGE, top_k=2)\n",
}
DRAWN = """
class Experts(nn.Module):
    def __init__(self, n, dim, hidden):
        super().__init__()
        self.router = nn.Linear(dim, n)
        self.up = nn.ModuleList(nn.Linear(dim, dim, device="meta") for _ in range(n))

    def forward(self, x):
        every = torch.stack([up(x) for up in self.up], -1)
        return (every * self.router(x).softmax(-1).unsqueeze(-2)).sum(-1)
"""
UNDRAWN = """
class Experts(nn.Module):
    def __init__(self, n, dim, hidden):
        super().__init__()
        self.router = nn.Linear(dim, n)
        self.up = nn.Parameter(torch.empty(n, dim, dim, device="meta"))

    def forward(self, x):
        return torch.einsum("btd,edh,bte->bth", x, self.up, self.router(x).softmax(-1))
"""
MODEL = """
class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.emb = nn.Embedding(config["vocab"], config["dim"])
        self.layers = nn.ModuleList()
        for _ in range(config["layers"]):
            if "n_experts" in config and config["n_experts"] > 0:
                self.layers.append(Experts(config["n_experts"], config["dim"], config["hidden"]))
            else:
                self.layers.append(nn.Linear(config["dim"], config["dim"]))
        self.act = getattr(nn.functional, config["act"])
        self.head = nn.Linear(config["dim"], config["vocab"])

    def forward(self, ids):
        x = self.emb(ids)
        for layer in self.layers:
            x = x + self.act(layer(x))
        return self.head(x)
"""


@pytest.mark.parametrize("table", sorted(TABLES))
def test_of_several_configurations_one_with_weights_is_taken(tmp_path: Path, table: str) -> None:
    """The keys of those without are not given to it, or it would be one of them."""
    construction, made = build(tmp_path, TABLES[table] + UNDRAWN + MODEL)
    assert construction.outcome == "built"
    assert "n_experts" not in construction.build
    assert made is not None
    assert not any(each.is_meta for each in made.model.parameters())
    with made.remade(layers=4) as deeper:
        assert deeper is not None
        assert len(deeper.layers) == 4


def test_one_with_experts_that_have_weights_is_taken_before_one_without(tmp_path: Path) -> None:
    """It has more that may be wrong."""
    text = (TABLES["names"] + UNDRAWN + MODEL).replace(', device="meta"', "")
    construction, _ = build(tmp_path, text)
    assert "n_experts" in construction.build


def test_layers_that_can_draw_their_weights_do_so(tmp_path: Path) -> None:
    """The code that is printed does it too."""
    construction, made = build(tmp_path, f"LARGE = {SPARSE}\n" + DRAWN + MODEL)
    assert construction.outcome == "built"
    assert made is not None
    weights = list(made.model.parameters())
    assert all(each.isfinite().all() and each.abs().sum() > 0 for each in weights)
    again = eval(construction.build, vars(__import__(type(made.model).__module__)))
    assert not any(each.is_meta for each in again.parameters())


def test_weights_that_nobody_tells_how_to_draw_leave_it_unexamined(tmp_path: Path) -> None:
    """That it cannot be run as it is made says nothing of the code; it is told once."""
    construction, made = build(tmp_path, f"LARGE = {SPARSE}\n" + UNDRAWN + MODEL)
    assert construction.outcome == "not-built"
    assert construction.crash is None
    assert made is None
    assert len(construction.tried) == 1
    assert "meta device, without numbers, such as layers.0.up" in construction.tried[0]


def test_a_method_of_the_users_that_makes_the_weights_is_called(tmp_path: Path) -> None:
    """It knows how they are to be drawn."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=999, dim=64):
        super().__init__()
        with torch.device("meta"):
            self.emb = nn.Embedding(vocab_size, dim)
            self.scale = nn.Parameter(torch.empty(dim))
            self.head = nn.Linear(dim, vocab_size)

    def init_weights(self, device="cpu"):
        self.to_empty(device=device)
        for each in self.parameters():
            nn.init.normal_(each, std=0.02)

    def forward(self, ids):
        return self.head(self.emb(ids) * self.scale)
"""
    construction, made = build(tmp_path, text)
    assert construction.outcome == "built"
    assert "model.init_weights(" in construction.build
    assert made is not None
    assert all(each.std() < 0.1 for each in made.model.parameters())


def test_a_device_without_numbers_is_no_default_of_ours(tmp_path: Path) -> None:
    """The constructor fills its weights by itself where it is given a real one."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=999, dim=64, init_device="meta"):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, dim, device=init_device)
        self.scale = nn.Parameter(torch.ones(dim, device=init_device))

    def forward(self, ids):
        return (self.emb(ids) * self.scale) @ self.emb.weight.T
"""
    construction, made = build(tmp_path, text)
    assert "init_device='cpu'" in construction.build
    assert made is not None
    assert torch.equal(made.model.scale, torch.ones(64))


def test_a_shared_weight_without_numbers_is_not_torn_in_two(tmp_path: Path) -> None:
    """To fill both would make another model of it."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=999, dim=64):
        super().__init__()
        with torch.device("meta"):
            self.emb = nn.Embedding(vocab_size, dim)
            self.head = nn.Linear(dim, vocab_size, bias=False)
        self.head.weight = self.emb.weight

    def forward(self, ids):
        return self.head(self.emb(ids))
"""
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "not-built"

"""Weights and tables that are set in a loop, by a helper, in a tuple or behind an `if`."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = "import torch\nfrom torch import nn\nimport copy\n\n\n"

CASES = {
    "GD103 a dictionary that a loop fills": """
        class Net(nn.Module):
            def __init__(self, tasks, dim):
                super().__init__()
                heads = {}
                for name, labels in tasks.items():
                    heads[name] = nn.Linear(dim, labels)
                self.heads = heads  # here
            def forward(self, x, task):
                return self.heads[task](x)
    """,
    "GD103 a tuple of a list": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                blocks = []
                for _ in range(3):
                    blocks.append(nn.Sequential(nn.Linear(dim, dim), nn.ReLU()))
                self.blocks = tuple(blocks)  # here
            def forward(self, x):
                for block in self.blocks:
                    x = block(x)
                return x
    """,
    "GD103 a tuple of a list that is registered": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                blocks = []
                for _ in range(3):
                    blocks.append(nn.Sequential(nn.Linear(dim, dim), nn.ReLU()))
                self.known = nn.ModuleList(blocks)
                self.blocks = tuple(blocks)
            def forward(self, x):
                for block in self.blocks:
                    x = block(x)
                return x
    """,
    "GD103 a tuple of what is given": """
        class Net(nn.Module):
            def __init__(self, dim, blocks):
                super().__init__()
                self.mix = nn.Linear(dim, dim)
                self.blocks = tuple(blocks)
            def forward(self, x):
                for block in self.blocks:
                    x = block(x)
                return self.mix(x)
    """,
    "GD103 a dictionary that is registered": """
        class Net(nn.Module):
            def __init__(self, tasks, dim):
                super().__init__()
                heads = {}
                for name, labels in tasks.items():
                    heads[name] = nn.Linear(dim, labels)
                self.heads = heads
                self.known = nn.ModuleDict(heads)
            def forward(self, x, task):
                return self.heads[task](x)
    """,
    "GD103 a dictionary of numbers": """
        class Net(nn.Module):
            def __init__(self, tasks, dim):
                super().__init__()
                sizes = {}
                for name, labels in tasks.items():
                    sizes[name] = labels
                self.sizes = sizes
                self.mix = nn.Linear(dim, dim)
            def forward(self, x, task):
                return self.mix(x)[: self.sizes[task]]
    """,
    "GD104 the weights of a loop's layers": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(3))
                self.register_buffer("mask", torch.ones(dim, dim).tril())
            def forward(self, x):
                for number, layer in enumerate(self.layers):
                    layer.weight = nn.Parameter(layer.weight * self.mask)  # here
                    x = layer(x)
                return x
    """,
    "GD104 the weight of a copy": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.layer = nn.Linear(dim, dim)
            def forward(self, x):
                layer = copy.deepcopy(self.layer)
                layer.weight = nn.Parameter(layer.weight / layer.weight.norm())
                return layer(x)
    """,
    "GD104 weights that are new once": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(3))
                self.ready = False
            def forward(self, x):
                for layer in self.layers:
                    if not self.ready:
                        layer.weight = nn.Parameter(layer.weight / layer.weight.norm())
                    x = layer(x)
                self.ready = True
                return x
    """,
    "GD104 weights that a constructor sets": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(3))
                for layer in self.layers:
                    layer.weight = nn.Parameter(layer.weight / dim)
            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x
    """,
    "GD117 forward under a name": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.cell = nn.GRUCell(dim, dim)
            def forward(self, x, state):
                step = self.cell.forward  # here
                for at in range(x.size(1)):
                    state = step(x[:, at], state)
                return state
    """,
    "GD117 a forward that is put back": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.cell = nn.GRUCell(dim, dim)
            def wrap(self, other):
                before = self.cell.forward
                self.cell.forward = lambda *given: other(before(*given))
            def forward(self, x, state):
                return self.cell(x, state)
    """,
    "GD117 a forward that is handed on": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.cell = nn.GRUCell(dim, dim)
            def forward(self, x, state):
                before = self.cell.forward
                traced = torch.compile(before)
                return traced(x, state)
    """,
    "GD106 a key that nobody asks for": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.parts = nn.ModuleDict({
                    "up": nn.Linear(dim, dim),
                    "skip": nn.Linear(dim, dim),  # here
                    "act": nn.ReLU(),
                })
            def forward(self, x):
                return self.parts["up"](x)
    """,
    "GD106 a key that nobody asks for by a local name": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.parts = nn.ModuleDict({
                    "up": nn.Linear(dim, dim),
                    "skip": nn.Linear(dim, dim),  # here
                })
            def forward(self, x):
                net = self.parts
                return net["up"](x)
    """,
    "GD106 keys that are asked for by a name": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.parts = nn.ModuleDict({
                    "up": nn.Linear(dim, dim),
                    "skip": nn.Linear(dim, dim),
                })
            def forward(self, x, which):
                return self.parts[which](self.parts["up"](x))
    """,
    "GD106 keys that are gone through": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.parts = nn.ModuleDict({
                    "up": nn.Linear(dim, dim),
                    "skip": nn.Linear(dim, dim),
                })
            def forward(self, x):
                for part in self.parts.values():
                    x = part(x)
                return x
    """,
    "GD106 a key that is an attribute": """
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.parts = nn.ModuleDict({
                    "up": nn.Linear(dim, dim),
                    "skip": nn.Linear(dim, dim),
                })
            def forward(self, x):
                return self.parts["up"](x) + self.parts.skip(x)
    """,
    "GD107 a copy in a method that an option calls": """
        class Net(nn.Module):
            def __init__(self, words, dim, tied):
                super().__init__()
                self.wte = nn.Embedding(words, dim)
                self.head = nn.Linear(dim, words, bias=False)
                if tied:
                    self.tie_weights()
            def tie_weights(self):
                with torch.no_grad():
                    self.head.weight.copy_(self.wte.weight)  # here
            def forward(self, ids):
                return self.head(self.wte(ids))
    """,
    "GD107 a start in a method that an option calls": """
        class Net(nn.Module):
            def __init__(self, words, dim, warm):
                super().__init__()
                self.wte = nn.Embedding(words, dim)
                self.head = nn.Linear(dim, words, bias=False)
                if warm:
                    self.start_near()
            def start_near(self):
                with torch.no_grad():
                    self.head.weight.copy_(self.wte.weight)
            def forward(self, ids):
                return self.head(self.wte(ids))
    """,
    "GD107 a tie in a method that an option calls": """
        class Net(nn.Module):
            def __init__(self, words, dim, tied):
                super().__init__()
                self.wte = nn.Embedding(words, dim)
                self.head = nn.Linear(dim, words, bias=False)
                if tied:
                    self.tie_weights()
            def tie_weights(self):
                self.head.weight = self.wte.weight
            def forward(self, ids):
                return self.head(self.wte(ids))
    """,
    "GD115 several tables of a helper": """
        def tables(dim, longest):
            angles = torch.outer(torch.arange(longest).float(), torch.arange(dim) / dim)
            return angles.cos(), angles.sin()
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.mix = nn.Linear(dim, dim)
                self.cos, self.sin = tables(dim, 64)  # here
            def forward(self, x):
                x = self.mix(x)
                cos, sin = self.cos[: x.size(1)], self.sin[: x.size(1)]
                return x * cos - x * sin
    """,
    "GD115 several tables that are moved": """
        def tables(dim, longest):
            angles = torch.outer(torch.arange(longest).float(), torch.arange(dim) / dim)
            return angles.cos(), angles.sin()
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.mix = nn.Linear(dim, dim)
                self.cos, self.sin = tables(dim, 64)
            def forward(self, x):
                x = self.mix(x)
                cos, sin = self.cos.to(x.device), self.sin.to(x.device)
                return x * cos - x * sin
    """,
    "GD115 a table and a number": """
        def tables(dim, longest):
            angles = torch.outer(torch.arange(longest).float(), torch.arange(dim) / dim)
            return angles.cos(), dim
        class Net(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.mix = nn.Linear(dim, dim)
                cos, self.size = tables(dim, 64)
                self.register_buffer("cos", cos)
            def forward(self, x):
                return self.mix(x) * self.cos / self.size
    """,
}


@pytest.mark.parametrize("name", CASES)
def test_weights_by_other_ways(name: str) -> None:
    """Only the lines that are marked are told."""
    text = HEAD + plain(CASES[name])
    assert lines_of(name[:5], text) == marked(text)

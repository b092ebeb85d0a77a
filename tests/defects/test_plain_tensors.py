"""What the rules about plain tensors of a constructor see in text."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of


def net(value: str, result: str) -> str:
    """A network that keeps a tensor and returns an expression."""
    return (
        "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n\n"
        "class Net(nn.Module):\n    def __init__(self, dim, device=None):\n"
        f"        super().__init__()\n        self.t = {value}  # here\n"
        "        self.mix = nn.Linear(dim, dim)\n"
        "        self.places = nn.Embedding(dim, dim)\n"
        "        self.network = network(dim)\n\n"
        "    def table(self, n):\n        t = torch.arange(n)\n        return t / n\n\n"
        "    def moved(self, n):\n        return torch.arange(n).to(self.mix.weight)\n\n"
        f"    def forward(self, x):\n        h = self.mix(x)\n        {result}\n\n\n"
        "def table(n):\n    return torch.linspace(0, 1, n).exp()\n\n\n"
        "def same(t):\n    return t * 2\n"
    )


TABLES = {
    "added": ("torch.arange(dim)", "return h + self.t"),
    "a part": ("torch.linspace(0, 1, dim)[None]", "return h * self.t[:, :3]"),
    "in a product": ("torch.eye(dim)", "return torch.matmul(h, self.t)"),
    "as a mask": ("torch.ones(dim, dim).triu(1)", "return h.masked_fill(self.t == 1, 0)"),
    "by name": ("torch.arange(dim)", "t = self.t.float()\n        return h + t"),
    "told by its shape too": (
        "torch.arange(dim)",
        "print(tuple(self.t.shape))\n        return h + self.t",
    ),
    "listed": ("torch.tensor([1.0, 2.0])", "return h * self.t"),
    "told by its size too": ("torch.arange(dim)", "return h * self.t / self.t.size(0)"),
    "by a method": ("self.table(dim)", "return h * self.t"),
    "by a function": ("table(dim).view(1, -1)", "return h * self.t"),
    "into a layer": ("torch.arange(dim)", "return h + self.places(self.t)"),
}
FITTING = {
    "moved": ("torch.arange(dim)", "return h + self.t.to(h)"),
    "moved by name": ("torch.arange(dim)", "t = self.t\n        return h + t.to(h.device)"),
    "a device": ("torch.arange(dim, device=device)", "return h + self.t"),
    "a number": ("torch.tensor(dim)", "return h * self.t"),
    "an index": ("torch.arange(dim)", "return h[self.t]"),
    "numbers": ("torch.arange(dim)", "return h + self.t.tolist()[0]"),
    "handed on": ("torch.arange(dim)", "return rotate(h, self.t)"),
    "among its own": ("torch.arange(dim)", "return h + float((self.t * 2).sum())"),
    "round and round": (
        "torch.arange(dim)",
        "t = self.t\n        t = t[:3]\n        t = t[1:]\n        return t.shape",
    ),
    "set again": ("torch.arange(dim)", "self.t = self.t.to(h)\n        return h + self.t"),
    "no tensor": ("dim * 2", "return h + self.t"),
    "moved by a method": ("self.moved(dim)", "return h + self.t"),
    "by a function that is given one": ("same(device)", "return h + self.t"),
    "into a layer, moved": ("torch.arange(dim)", "return h + self.places(self.t.to(h.device))"),
    "a size": ("torch.arange(dim)", "return h * self.t.size(0)"),
    "into a network": ("torch.arange(dim)", "return h + self.network(self.t)"),
}


@pytest.mark.parametrize(("value", "result"), TABLES.values(), ids=TABLES)
def test_tables_that_stay_behind(value: str, result: str) -> None:
    """A computed tensor that meets the data where it lies."""
    text = net(value, result)
    rules = ("GD109", "GD115")
    assert [line for rule in rules for line in lines_of(rule, text)] == marked(text)


@pytest.mark.parametrize(("value", "result"), FITTING.values(), ids=FITTING)
def test_tables_that_go_along(value: str, result: str) -> None:
    """What is moved, or needs not be."""
    text = net(value, result)
    assert lines_of("GD115", text) == []
    assert lines_of("GD109", text) == []


def test_random_numbers_are_weights() -> None:
    """They are told as weights, unless a name or a comment says that they stay."""
    text = net("torch.randn(dim)", "return h * self.t")
    assert lines_of("GD109", text) == marked(text)
    assert lines_of("GD115", text) == []
    assert lines_of("GD109", text.replace("# here", "# fixed")) == []
    assert lines_of("GD109", text.replace("self.t", "self.noise")) == []


LOSSES = "return F.cross_entropy(h, h.argmax(-1), weight=self.t)"


def test_weights_of_a_loss_stay_behind() -> None:
    """A table that a loss is given meets the logits there."""
    text = net("torch.tensor([1.0, 2.0])", LOSSES)
    assert lines_of("GD115", text) == marked(text)
    assert lines_of("GD115", text.replace("weight=self.t", "weight=self.t.to(h)")) == []


def test_zeros_are_weights_beside_tokens_and_as_summands() -> None:
    """By the names that such weights have."""
    text = net("torch.zeros(1, 1, dim)", "return torch.cat([self.t.expand(3, -1, -1), h], 1)")
    for name in ("self.cls", "self.query", "self.b"):
        named = text.replace("self.t", name)
        assert lines_of("GD109", named) == marked(named)
    assert lines_of("GD109", text.replace("self.t", "self.seen")) == []


def test_ones_are_weights_by_their_name() -> None:
    """A scale of ones is a weight; ones under another name may be anything."""
    text = net("torch.ones(dim)", "return h * self.t")
    assert lines_of("GD109", text) == []
    named = text.replace("self.t", "self.scale")
    assert lines_of("GD109", named) == marked(named)


ASKING = {
    "in the call": ("torch.zeros(dim, requires_grad=True)", "return h + self.bias"),
    "afterwards": ("torch.ones(dim).requires_grad_()", "return self.bias * h.to(h.dtype)"),
    "cast where it is used": (
        "torch.ones(dim).requires_grad_()",
        "return self.bias.to(torch.float32) * h",
    ),
    "told by its type": (
        "torch.ones(dim).requires_grad_()",
        "h = h.to(self.bias.dtype)\n        return self.bias * h",
    ),
    "filled by nn.init": (
        "nn.init.normal_(torch.empty(dim, requires_grad=True))",
        "return h * self.bias",
    ),
}
ELSEWHERE = {
    "moved": ("torch.ones(dim).requires_grad_()", "return h * self.bias.to(h)"),
    "made for a device": (
        "nn.init.normal_(torch.empty(dim, device=device))",
        "return h * self.bias",
    ),
    "a parameter": ("nn.Parameter(torch.ones(dim).requires_grad_())", "return h * self.bias"),
    "of a layer": ("nn.init.normal_(self.mix.weight)", "return h * self.bias"),
}


@pytest.mark.parametrize(("value", "result"), ASKING.values(), ids=ASKING)
def test_a_tensor_that_asks_for_a_gradient_is_no_parameter(value: str, result: str) -> None:
    """No optimizer is given it, whatever it asks for."""
    text = net(value, result).replace("self.t", "self.bias")
    assert lines_of("GD103", text) == marked(text)
    assert lines_of("GD109", text) == []


@pytest.mark.parametrize(("value", "result"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_weights_that_are_taken_care_of(value: str, result: str) -> None:
    """What is moved, or registered, is left alone."""
    assert lines_of("GD109", net(value, result).replace("self.t", "self.bias")) == []


FILLED = {
    "at random": ("nn.init.xavier_uniform_(torch.empty(dim, dim))", "return h @ self.bias + h"),
    "flat": ("nn.init.zeros_(torch.empty(dim))", "return h + self.bias"),
    "cast where it is used": ("torch.ones(dim)", "return self.bias.to(torch.float32) * h"),
    "told by its type": (
        "torch.ones(dim)",
        "h = h.to(self.bias.dtype)\n        return self.bias * h",
    ),
}


@pytest.mark.parametrize(("value", "result"), FILLED.values(), ids=FILLED)
def test_what_fills_a_tensor_tells_its_kind(value: str, result: str) -> None:
    """A cast, or a look at its type, leaves it where it is."""
    text = net(value, result).replace("self.t", "self.bias")
    assert lines_of("GD109", text) == marked(text)


def test_a_weight_that_may_be_missing() -> None:
    """None where it is switched off is no second tensor; another tensor is."""
    text = net("torch.ones(dim).requires_grad_()", "return h * self.bias").replace(
        "self.t = torch.ones(dim).requires_grad_()  # here",
        "if dim:\n            self.bias = torch.ones(dim).requires_grad_()  # here\n"
        "        else:\n            self.bias = None",
    )
    assert lines_of("GD103", text) == marked(text)
    assert (
        lines_of("GD103", text.replace("= None\n        self.mix", "= dim\n        self.mix")) == []
    )


LATER = {
    "by nn.init": "nn.init.xavier_uniform_(self.t)",
    "by itself": "self.t.normal_(std=0.02)",
    "in a chain": "torch.empty(dim).uniform_(-1, 1)",
}


@pytest.mark.parametrize("filling", LATER.values(), ids=LATER)
def test_what_is_filled_at_random_later_is_a_weight(filling: str) -> None:
    """By a statement below, or by what is called on it."""
    text = net("torch.empty(dim)", "return h * self.t")
    if "empty" in filling:
        text = text.replace("torch.empty(dim)", filling)
    else:
        text = text.replace("# here\n", f"# here\n        {filling}\n")
    assert lines_of("GD109", text) == marked(text)
    assert lines_of("GD109", net("torch.empty(dim)", "return h * self.t")) == []


HIDDEN = {
    "behind calls in place": "torch.empty(dim).normal_(std=0.1).requires_grad_()",
    "scaled": "torch.ones(dim, requires_grad=True) * 0.02",
    "by name": "start",
}


@pytest.mark.parametrize("value", HIDDEN.values(), ids=HIDDEN)
def test_weights_that_ask_for_a_gradient_in_a_roundabout_way(value: str) -> None:
    """Under a local name, or behind what was done to them."""
    text = net(value, "return h * self.t").replace(
        "        self.t", "        start = torch.ones(dim, requires_grad=True)\n        self.t", 1
    )
    assert lines_of("GD103", text) == marked(text)

"""What the rules about parameters that are replaced and results that are written over see."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a = nn.Linear(dim, dim)
        self.act = nn.ReLU()
        self.w = nn.Parameter(torch.ones(dim))
        self.late = None

"""


def net(body: str, method: str = "forward") -> str:
    """A network with a method of these statements."""
    inside = "\n".join(f"        {line}" for line in plain(body).splitlines())
    return f"{HEAD}    def {method}(self, x):\n{inside}\n"


REPLACED = {
    "a product": "self.w = self.w * 2  # here\nreturn x * self.w",
    "a call of torch": "self.w = torch.clamp(self.w, 0, 1)  # here\nreturn x * self.w",
    "by name": "w = self.w.detach()\nself.w = w  # here\nreturn x * self.w",
    "a new parameter": "self.w = nn.Parameter(x.mean(0))  # here\nreturn x * self.w",
    "a layer's weight": "self.a.weight = nn.Parameter(x)  # here\nreturn self.a(x)",
    "a new layer": "self.a = nn.Linear(3, 3)  # here\nreturn self.a(x)",
    "in training": "if self.training:\n    self.w = self.w + 1  # here\nreturn x * self.w",
    "made late": "if self.late is None:\n    self.late = nn.Parameter(x)\nreturn x * self.late",
    "made again on demand": "if len(self.w) != 3:\n    self.w = nn.Parameter(x)\nreturn x",
    "its numbers": "self.w.data = self.w.data.clamp(0, 1)\nreturn x * self.w",
    "an activation": "self.act = nn.GELU()\nreturn self.act(x)",
    "a plain attribute": "self.seen = x * 2\nreturn x",
    "whatever a function gives": "self.w = self.make(x)\nreturn x * self.w",
}


@pytest.mark.parametrize("body", REPLACED.values(), ids=REPLACED)
def test_parameters_that_forward_replaces(body: str) -> None:
    """A tensor, a new parameter or a new layer in the place of one of the constructor's."""
    text = net(body)
    assert lines_of("GD104", text) == marked(text)


def test_a_method_that_replaces_is_no_forward() -> None:
    """Whoever calls it may make a new optimizer."""
    assert lines_of("GD104", net("self.w = nn.Parameter(x)", "resize")) == []


REFUSED = {
    "in a method": "self.w = torch.zeros(3)  # here",
    "a layer's weight": "self.a.weight = torch.randn(3, 3) * 0.02  # here",
    "where a setting asks for it": "if x:\n    self.a.bias = torch.zeros(3)  # here",
    "of a layer that is told": "if isinstance(x, nn.Linear):\n"
    "    nn.init.zeros_(x.bias)\n    x.weight = torch.empty(3, 3).normal_()  # here",
    "of one of several": "if isinstance(x, nn.LayerNorm):\n    x.weight.data.fill_(1)\n"
    "elif isinstance(x, (nn.Linear, nn.Embedding)) and self.late:\n"
    "    x.weight = torch.zeros_like(x.weight)  # here",
    "handed back": "self.w = nn.init.zeros_(self.w)\nself.a.weight = nn.init.ones_(self.a.weight)",
    "its numbers": "self.a.weight.data = torch.zeros(3, 3)",
    "deleted before": "del self.a.weight\nself.a.weight = torch.zeros(3, 3)",
    "of anything": "x.weight = torch.zeros(3)",
    "of a layer of somebody's": "if isinstance(x, Quantized):\n    x.weight = torch.zeros(3)",
    "what a function gives": "self.a.weight = make(3)",
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_tensors_that_torch_refuses_for_a_parameter(body: str) -> None:
    """In whatever method: a TypeError when it is called."""
    text = net(body, "start")
    assert lines_of("GD104", text) == marked(text)


def test_a_constructor_that_gives_a_tensor() -> None:
    """To a layer that it just made."""
    text = HEAD.rstrip() + "\n        self.a.weight = torch.eye(dim)  # here\n"
    assert lines_of("GD104", text) == marked(text)


WRITTEN = {
    "added": "y = torch.sigmoid(self.a(x))\ny += 1  # here\nreturn y",
    "a method": "y = self.a(x).tanh()\ny.mul_(2)  # here\nreturn y",
    "rows": "y = F.softmax(self.a(x), -1)\ny[:, 0] = 0  # here\nreturn y",
    "a part": "y = self.a(x).exp()\ny[0] *= 2  # here\nreturn y",
    "inplace": "y = F.relu(self.a(x))\nz = F.dropout(y, 0.1, inplace=True)  # here\nreturn z",
    "of the argument": "y = x.sqrt()\ny /= 2  # here\nreturn y",
    "a parameter": "self.w *= 0.5  # here\nreturn x * self.w",
    "anew": "y = torch.sigmoid(self.a(x))\ny = y + 1\nreturn y",
    "after it was made anew": "y = self.a(x).exp()\ny = y.clone()\ny += 1\nreturn y",
    "before": "y = self.a(x)\ny += 1\ny = y.exp()\nreturn y",
    "one of two": "y = self.a(x)\nif x.sum():\n    y = y.exp()\ny += 1\nreturn y",
    "a sum": "y = self.a(x) + 1\ny += 1\nreturn y",
    "no weights": "y = torch.arange(3).exp()\ny += 1\nreturn self.a(x) * y",
    "without gradients": "with torch.no_grad():\n    y = self.a(x).exp()\n    y += 1\nreturn y",
    "its numbers": "y = self.a(x).exp()\ny.data.mul_(2)\nreturn y",
    "a number": "n = 0\nn += 1\nreturn self.a(x) * n",
    "numbers of a parameter": "self.w.data *= 0.5\nreturn x * self.w",
}


@pytest.mark.parametrize("body", WRITTEN.values(), ids=WRITTEN)
def test_results_that_are_written_over(body: str) -> None:
    """A result that backward needs, or a parameter, written into."""
    text = net(body)
    assert lines_of("GD105", text) == marked(text)


def test_a_parameter_may_be_written_without_gradients() -> None:
    """That is what no_grad is for."""
    text = net("with torch.no_grad():\n    self.w *= 0.5\nreturn x * self.w")
    assert lines_of("GD105", text) == []


RENEWED = {
    "by setattr": (
        "setattr(self, 'w', nn.Parameter(self.w.abs()))  # here\nreturn x * self.w",
        "pass",
    ),
    "by a method": ("self.keep(x)\nreturn x", "self.w = nn.Parameter(self.w.clamp(0, 1))  # here"),
    "by a method and setattr": (
        "self.keep(x)\nreturn x",
        "if len(self.w) == len(x):\n    return\n"
        "w = F.pad(self.w, (0, 1))\nsetattr(self, 'w', nn.Parameter(w))  # here",
    ),
    "of itself, on demand": (
        "if len(self.w) != 3:\n    self.w = nn.Parameter(self.w[:3])  # here\nreturn x",
        "pass",
    ),
    "made late by a method": (
        "self.keep(x)\nreturn x",
        "if len(self.w) != len(x):\n    self.w = nn.Parameter(x)",
    ),
    "by a method that forward does not call": ("return x", "self.w = nn.Parameter(self.w[:3])"),
    "another attribute": ("setattr(self, 'seen', x * 2)\nreturn x", "pass"),
    "of another": ("setattr(x, 'w', nn.Parameter(self.w))\nreturn x", "pass"),
}


@pytest.mark.parametrize(("body", "method"), RENEWED.values(), ids=RENEWED)
def test_parameters_that_are_made_of_themselves(body: str, method: str) -> None:
    """In forward and in what it calls, whatever was asked before."""
    text = net(body) + net(method, "keep").removeprefix(HEAD)
    assert lines_of("GD104", text) == marked(text)


IN_PLACE = {
    "an activation": ("nn.ReLU(inplace=True)", True),
    "a dropout with a rate": ("nn.Dropout(0.1, inplace=True)", True),
    "a dropout with any rate": ("nn.Dropout(dim, inplace=True)", False),
    "a copy": ("nn.ReLU()", False),
    "a copy by a setting": ("nn.ReLU(inplace=False)", False),
}


@pytest.mark.parametrize(("layer", "writes"), IN_PLACE.values(), ids=IN_PLACE)
def test_layers_that_write_into_what_they_are_given(layer: str, writes: bool) -> None:
    """A result that backward needs must not be given to them."""
    text = net("y = torch.tanh(self.a(x))\nz = self.act(y)  # here\nreturn z")
    text = text.replace("nn.ReLU()", layer)
    assert lines_of("GD105", text) == (marked(text) if writes else [])
    plain_input = text.replace("torch.tanh(self.a(x))", "self.a(x)")
    assert lines_of("GD105", plain_input) == []


PRODUCTS = {
    "a factor": "y = self.a(x)\nz = y * self.b(x)\ny += 1  # here\nreturn y + z",
    "of a matrix product": "y = self.a(x)\nz = y @ self.b(x)\ny *= 2  # here\nreturn y + z",
    "with a number": "y = self.a(x)\nz = y * 3\ny += 1\nreturn y + z",
    "a summand": "y = self.a(x)\nz = y + self.b(x)\ny += 1\nreturn y + z",
    "with what learns nothing": "y = self.a(x)\nz = y * torch.arange(3)\ny += 1\nreturn y + z",
}


@pytest.mark.parametrize("body", PRODUCTS.values(), ids=PRODUCTS)
def test_factors_that_are_written_over(body: str) -> None:
    """The gradient of the other factor is computed from this one."""
    text = net(body).replace(
        "        self.act", "        self.b = nn.Linear(dim, dim)\n        self.act"
    )
    assert lines_of("GD105", text) == marked(text)


GIVEN = {
    "after a norm": "x = x + 1\nx += self.mix(self.norm(x))  # here\nreturn x",
    "after a layer": "y = self.a(x)\nx[:, 0] = 0  # here\nreturn y + x",
    "by a method": "y = self.a(x)\nx.mul_(2)  # here\nreturn y + x",
    "rows of a buffer": (
        "s = x.new_zeros(3, 4)\n"
        "for t in range(2):\n    s[t + 1] = torch.tanh(self.a(s[t]))  # here\n"
        "return s"
    ),
    "a state": (
        "h = x.new_zeros(4)\nfor t in range(2):\n    h += torch.tanh(self.a(h))  # here\nreturn h"
    ),
    "before": "x = x + 1\nx += 1\nreturn self.a(x)",
    "made anew": "y = self.a(x)\nx = x.clone()\nx += 1\nreturn x + y",
    "a copy": "y = self.a(x.clone())\nx += 1\nreturn x + y",
    "of an activation that keeps its result": "y = self.act(x)\nx += 1\nreturn x + y",
    "rows by a tensor": "s = x.new_zeros(3, 4)\ns[x] = self.a(s[x])\nreturn s",
    "rows of another": "s = x.new_zeros(3, 4)\nfor t in x:\n    s[0] = self.a(t)\nreturn s",
    "in another branch": "if self.late:\n    y = self.a(x)\nelse:\n    x += 1\n    y = x\nreturn y",
    "returned before": "if self.late:\n    return self.a(x)\nx += 1\nreturn x",
    "only compared": "y = self.a(x) > 0\nx += 1\nreturn x * y",
    "a dictionary": "y = self.a(x['a'])\nx['b'] = y\nreturn x",
    "without gradients": "with torch.no_grad():\n    y = self.a(x)\n    x += 1\nreturn x",
    "a count": "n = 0\nfor one in x:\n    n += 1\nreturn self.a(x) * n",
}


@pytest.mark.parametrize("body", GIVEN.values(), ids=GIVEN)
def test_what_a_layer_was_given_and_needs(body: str) -> None:
    """The gradient of its weight is computed from it."""
    made = "        self.norm, self.mix = nn.LayerNorm(dim), nn.Linear(dim, dim)\n"
    text = net(body).replace("        self.late", f"{made}        self.late")
    assert lines_of("GD105", text) == marked(text)

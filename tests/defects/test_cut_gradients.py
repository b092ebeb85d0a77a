"""What the rules about values that leave the graph see in text."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import numpy as np
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a = nn.Linear(dim, dim)
        self.b = nn.Linear(dim, dim)
        self.teacher = nn.Linear(dim, dim)
        self.w = nn.Parameter(torch.ones(dim))

    def forward(self, x, target=None):
"""


def net(body: str) -> str:
    """A network whose forward has these statements."""
    return HEAD + "\n".join(f"        {line}" for line in plain(body).splitlines()) + "\n"


CUTS = {
    "detach": "return self.b(x) + self.a(x).detach()  # here",
    "by name": "y = self.a(x)\nz = y.detach()  # here\nreturn self.b(x) * z",
    "item": "s = self.a(x).mean().item()  # here\nreturn self.b(x) * s",
    "float": "return self.b(x) * float(self.a(x).mean())  # here",
    "data": "return F.linear(self.b(x), self.a.weight.data)  # here",
    "a parameter": "return self.b(x) * self.w.detach()  # here",
    "made a tensor again": "return self.b(x) * torch.tensor(self.a(x).mean())  # here",
    "lists": "y = self.a(x).tolist()  # here\nreturn self.b(x) + torch.tensor(y)",
    "through NumPy": (
        "y = np.sort(self.a(x).detach().numpy())  # here\nreturn self.b(x) + torch.from_numpy(y)"
    ),
    "used otherwise too": "y = self.a(x)\nreturn y + self.b(y.detach())",
    "only logged": "self.log = self.a(x).mean().item()\nreturn self.b(x)",
    "printed": "print(self.a(x).mean().item())\nreturn self.b(x)",
    "a teacher": "return self.b(x) + self.teacher(x).detach()",
    "a target": "return F.mse_loss(self.b(x), self.a(x).detach())",
    "meant": "# stop gradient\nreturn self.b(x) + self.a(x).detach()",
    "without gradients": "with torch.no_grad():\n    y = self.b(x) + self.a(x).detach()\nreturn y",
    "straight through": "y = self.a(x)\nq = y.round()\nreturn self.b(y + (q - y).detach())",
    "when evaluated": "if not self.training:\n    return self.a(x).detach()\nreturn self.b(x)",
    "a shape": "return self.b(x).view(int(self.a.weight.data.shape[0]), -1)",
    "an input": "return self.b(x.detach())",
}


@pytest.mark.parametrize("body", CUTS.values(), ids=CUTS)
def test_layers_whose_results_all_leave_the_graph(body: str) -> None:
    """Reported where the model goes on with the value, and the layer has no other use."""
    text = net(body)
    assert lines_of("GD102", text) == marked(text)


def test_a_use_in_another_method_is_another_way() -> None:
    """A layer that another method calls may learn there."""
    text = net("return self.b(x) + self.a(x).detach()") + (
        "\n    def loss(self, x):\n        return self.a(x).sum()\n"
    )
    assert lines_of("GD102", text) == []


def test_a_layer_that_is_used_from_outside_is_left_alone() -> None:
    """Whoever holds the model may train the layer."""
    text = net("return self.b(x) + self.a(x).detach()") + "\n\ndef train(m):\n    m.a(1).sum()\n"
    assert lines_of("GD102", text) == []


ATTENTION = """\
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.o_proj = nn.Linear(dim, dim)

    def forward(self, x, cos, sin, cache=None):
        q = self.q_proj(x)
        k = self.k_proj(x)
        v = self.v_proj(x)
        v.clamp_(min=-1.0)
        q, k = rotate(q, k, cos, sin)
        if cache is not None:
            k, v = cache.update(k, v, 0)
        out, attn_weights = attend(self, q, k, v, scale=q.shape[-1] ** -0.5)
        out = out.reshape(*x.shape[:-1], -1).contiguous()
        out = self.o_proj(out.data)  # here
        return out, attn_weights
"""
OTHER_WAYS = {
    "another reader of the values": ("return out, attn_weights", "return out + v, attn_weights"),
    "no map of an attention": ("attn_weights", "state"),
    "not cut": (".data", ""),
}


def test_projections_before_an_attention_are_lost_with_its_result() -> None:
    """Names that are bound again, and several at once, are followed; its map is looked at only."""
    assert lines_of("GD102", ATTENTION) == marked(ATTENTION)


@pytest.mark.parametrize(("part", "other"), OTHER_WAYS.values(), ids=OTHER_WAYS)
def test_projections_with_another_way_out_are_left_alone(part: str, other: str) -> None:
    """Where something else is made of what the attention was, too."""
    assert lines_of("GD102", ATTENTION.replace(part, other)) == []


def test_the_norm_of_a_tensor_is_no_layer() -> None:
    """`x.norm(dim=-1)` elsewhere in the file names a method of tensors, and no layer `norm`."""
    text = ATTENTION.replace("q_proj", "norm").replace("out.data", "out")
    text = text.replace("self.norm(x)", "self.norm(x).detach()  # here").replace(
        "self.o_proj(out)  # here", "self.o_proj(out)"
    )
    assert lines_of("GD102", f"{text}\n\ndef f(x):\n    return x.norm(dim=-1)\n") == marked(text)
    assert lines_of("GD102", f"{text}\n\ndef f(m, x):\n    return m.norm(x)\n") == []

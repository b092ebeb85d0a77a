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


ROUNDABOUT = {
    "a function of torch": "return self.b(x) + torch.detach(self.a(x))  # here",
    "a comprehension": "y = [self.a(one).detach() for one in x]  # here\nreturn self.b(x) + y[0]",
    "layers of a list": (
        "y = [one(x).detach() for one in self.list]  # here\nreturn self.b(torch.cat(y))"
    ),
    "several in turn": (
        "y = [self.a(one) for one in x]\n"
        "p, q = (one.data for one in y)  # here\n"
        "return self.b(p + q)"
    ),
    "by a helper": "return self.b(self.helped(x).detach())  # here",
    "both states": (
        "_, (h, c) = self.lstm(x)\nh, c = h.detach(), c.detach()  # here\nreturn self.b(x) + h + c"
    ),
    "all states": (
        "_, state = self.lstm(x)\n"
        "state = tuple(one.detach() for one in state)  # here\n"
        "return self.b(x) + state[0]"
    ),
    "one of both states": "_, (h, c) = self.lstm(x)\nreturn self.b(x) + h.detach() + c",
    "states for the next call": (
        "y, (h, c) = self.lstm(x)\nself.kept = (h.detach(), c.detach())\nreturn self.b(y)"
    ),
    "states of the last call": (
        "state = tuple(one.detach() for one in target)\nreturn self.b(self.lstm(x, state)[0])"
    ),
    "targets of two views": (
        "y = [self.helped(one) for one in x]\n"
        "z = [one.detach() for one in y]\n"
        "return F.mse_loss(self.b(y[0]), z[1])"
    ),
    "a helper that others call": "y = self.helped(x)\nreturn self.b(y) + self.helped(x).detach()",
}


@pytest.mark.parametrize("body", ROUNDABOUT.values(), ids=ROUNDABOUT)
def test_layers_that_are_lost_in_a_roundabout_way(body: str) -> None:
    """Comprehensions, helpers, and results that leave the graph at several places together."""
    made = (
        "        self.lstm = nn.LSTM(dim, dim)\n"
        "        self.list = nn.ModuleList([nn.Linear(dim, dim)])\n"
    )
    helper = "\n    def helped(self, x):\n        return self.a(x).relu()\n"
    text = net(body).replace("        self.w =", f"{made}        self.w =")
    text += helper if "helped" in body else ""
    assert lines_of("GD102", text) == marked(text)


NUMBERS = {
    "taken as it is": "return self.b(x) + torch.as_tensor(self.a(x), dtype=torch.float64)",
    "several at once": (
        "y = self.a(x)\nreturn self.b(x) * torch.as_tensor([y.mean(), y.std()]).sum()  # here"
    ),
    "a new tensor like another": "return self.b(x) * x.new_tensor(self.a(x).mean())  # here",
    "its form is asked for": (
        "y = self.a(x)\nz = np.fft.rfft(y.detach().numpy())  # here\n"
        "return self.b(torch.from_numpy(z).to(y))"
    ),
    "its values are asked for": (
        "y = self.a(x)\nz = np.fft.rfft(y.detach().numpy())\n"
        "return self.b(torch.from_numpy(z).add(y))"
    ),
}


@pytest.mark.parametrize("body", NUMBERS.values(), ids=NUMBERS)
def test_a_tensor_that_is_taken_as_it_is_keeps_its_graph(body: str) -> None:
    """`as_tensor` of a tensor is that tensor; of a list of several it takes the numbers."""
    text = net(body)
    assert lines_of("GD102", text) == marked(text)


COPIES = {
    "a tensor": "y = self.a(x)\nreturn y + self.b(torch.tensor(y))  # here",
    "a tensor like another": "y = self.a(x)\nreturn y + self.b(x.new_tensor(y))  # here",
    "a list": "y = self.a(x)\nreturn y + self.b(torch.Tensor(y.tolist()))  # here",
    "an array": (
        "y = self.a(x)\nz = y.detach().cpu().numpy()\n"
        "z = torch.from_numpy(z)  # here\nreturn y + self.b(z)"
    ),
    "an array of a list": (
        "y = self.a(x)\nreturn y + self.b(torch.tensor(np.array(y.tolist())))  # here"
    ),
    "several tensors": (
        "y = self.a(x)\ns = torch.tensor([y.mean(), y.std()])  # here\nreturn y * s.sum()"
    ),
    "a weight": ("y = self.b(self.a(x))\nreturn F.linear(y, torch.tensor(self.b.weight))  # here"),
    "all that a layer made": "return self.b(x) + torch.tensor(self.a(x))",  # GD102's
    "a tensor that is taken as it is": "y = self.a(x)\nreturn y + self.b(torch.as_tensor(y))",
    "a tensor that is wrapped": "y = self.a(x)\nreturn y + self.b(torch.Tensor(y))",
    "detached by name": "y = self.a(x)\nreturn y + self.b(torch.tensor(y.detach()))",
    "a plain detach": "y = self.a(x)\nreturn y + self.b(y.detach())",
    "an array that is worked with": (
        "y = self.a(x)\nz = np.sort(y.detach().numpy())\nreturn y + self.b(torch.from_numpy(z))"
    ),
    "numbers": "y = self.a(x)\ns = torch.tensor([y.mean().item(), 2.0])\nreturn y * s.sum()",
    "a choice": "y = self.a(x)\ni = torch.tensor(y.argmax(-1).tolist())\nreturn self.b(y)[i]",
    "a size": "y = self.a(x)\nreturn self.b(y) * torch.tensor(y.shape[-1]).rsqrt()",
    "what the caller gave": "y = torch.tensor(x)\nreturn self.b(self.a(y)) + self.a(x)",
    "if it is none": (
        "y = self.a(x)\nz = self.b(y)\nif not isinstance(z, torch.Tensor):\n"
        "    z = torch.tensor(z)\nreturn y + z"
    ),
    "lengths": (
        "y, n = nn.utils.rnn.pad_packed_sequence(self.a(x))\n"
        "return self.b(y) / torch.tensor(n).float()"
    ),
    "only logged": "y = self.a(x)\nprint(torch.tensor(y.tolist()))\nreturn self.b(y)",
    "a metric": "y = self.a(x)\nreturn self.b(y), torch.tensor(y.tolist())",
    "a target": "y = self.a(x)\nreturn F.mse_loss(self.b(y), torch.tensor(y.tolist()))",
    "said": "y = self.a(x)\n# no gradient by this\nreturn y + self.b(torch.tensor(y))",
    "a state of before": "y = self.a(x)\nmemory = torch.tensor(y)\nreturn y + self.b(memory)",
    "when evaluated": (
        "y = self.a(x)\nif not self.training:\n    return self.b(torch.tensor(y))\nreturn y"
    ),
    "without gradients": (
        "y = self.a(x)\nwith torch.no_grad():\n    z = torch.tensor(y)\nreturn self.b(y) * (z > 0)"
    ),
}


@pytest.mark.parametrize("body", COPIES.values(), ids=COPIES)
def test_copies_of_a_tensors_numbers_stop_a_part_of_its_gradient(body: str) -> None:
    """Nobody means that; a detach somebody may mean."""
    text = net(body)
    assert lines_of("GD108", text) == marked(text)


def test_a_copy_of_what_a_caller_made() -> None:
    """A block is given what the layers before it made."""
    text = net("y = self.block(self.a(x))\nreturn self.b(y)").replace(
        "        self.a =", "        self.block = Block(dim)\n        self.a ="
    )
    text += (
        "\n\nclass Block(nn.Module):\n    def __init__(self, dim):\n"
        "        super().__init__()\n        self.mix = nn.Linear(dim, dim)\n\n"
        "    def forward(self, h):\n"
        "        return h + self.mix(torch.tensor(h))  # here\n"
    )
    assert lines_of("GD108", text) == marked(text)
    assert lines_of("GD108", text.replace("self.block(self.a(x))", "self.a(x)")) == []

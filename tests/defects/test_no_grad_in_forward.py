"""GD101, no-grad-in-forward: which switches are reported, and what measurements say of them."""

from __future__ import annotations

import pytest

from gptdoctor.core.findings import Status
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.gradient_flow import GradientCut, GradientFlow
from gptdoctor.defects.gradients.no_grad_in_forward import read_flow
from tests.defects.marks import marked
from tests.defects.records import NO_RECORD
from tests.defects.scanning import lines_of, scan_files

HEAD = """\
import contextlib
import torch
import torch.nn.functional as F
from torch import inference_mode, nn, no_grad as without
import torch.autograd.grad_mode as modes


class Net(nn.Module):
    def __init__(self, dim, teacher=None):
        super().__init__()
        self.a = nn.Linear(dim, dim)
        self.b = nn.Linear(dim, dim)
        self.drop = nn.Dropout(0.1)
        self.scale = nn.Parameter(torch.ones(dim))
        self.register_buffer("mean", torch.zeros(dim))
        self.stack = nn.ModuleList([nn.Linear(dim, dim) for _ in range(2)])
        self.ema_a = nn.Linear(dim, dim)
        self.fixed = nn.Linear(dim, dim).requires_grad_(False)
        self.given = teacher

"""
FIRST = HEAD.count("\n") + 1  # the line on which a snippet's first line lands

REPORTED = {
    "decorator on a helper": ("@torch.no_grad()\ndef h(self, x): return self.a(x)", [0]),
    "decorator without a call": ("@torch.no_grad\ndef h(self, x): return self.a(x)", [0]),
    "imported under another name": ("@without()\ndef h(self, x): return self.a(x)", [0]),
    "long name": ("@modes.no_grad()\ndef h(self, x): return self.a(x)", [0]),
    "inference mode": ("@inference_mode()\ndef h(self, x): return self.a(x)", [0]),
    "set_grad_enabled as a decorator": (
        "@torch.set_grad_enabled(False)\ndef h(self, x): return self.a(x)",
        [0],
    ),
    "second decorator": ("@staticmethod\n@torch.no_grad()\ndef h(x): return x.softmax(-1)", [1]),
    "a parameter": ("@torch.no_grad()\ndef h(self, x): return x.detach() * self.scale", [0]),
    "layers of a list": (
        "@torch.no_grad()\ndef h(self, x):\n"
        "    for f in self.stack:\n        x = f(x)\n    return x",
        [0],
    ),
    "results kept in a list": (
        "@torch.no_grad()\ndef h(self, x):\n    out = []\n    for f in self.stack:\n"
        "        out.append(f(x))\n    return torch.stack(out).sum(0)",
        [0],
    ),
    "best value of topk": ("@torch.no_grad()\ndef h(self, x): return self.a(x).topk(1)[0]", [0]),
    "unpacked values": (
        "@torch.no_grad()\ndef h(self, x):\n    v, i = self.a(x).max(-1)\n    return v[..., None]",
        [0],
    ),
    "through another helper": (
        "@torch.no_grad()\ndef g(self, x): return self.a(x)\ndef h(self, x): return self.g(x) * 2",
        [0],
    ),
}

BLOCKS = {
    "with block": ("with torch.no_grad():\n    w = self.a(x)\nreturn x * w", [0]),
    "second of two items": (
        "with torch.autocast('cpu'), torch.no_grad():\n    w = self.a(x)\nreturn x * w",
        [0],
    ),
    "a context that has a name": (
        "quiet = torch.no_grad()\nwith quiet:\n    w = self.a(x)\nreturn x * w",
        [1],
    ),
    "result inside": ("with torch.no_grad():\n    return self.a(x)", [0]),
    "kept on the instance": (
        "with torch.no_grad():\n    self.w = self.a(x)\nreturn x * self.other()\n"
        "def other(self):\n    return self.w",
        [0],
    ),
    "written into a tensor": (
        "out = torch.zeros_like(x)\nwith torch.no_grad():\n    out[:, 0] = self.a(x)[:, 0]\n"
        "return self.b(out)",
        [1],
    ),
    "used in the next pass of a loop": (
        "w = 0\nfor _ in range(3):\n    x = x + w * self.b(x)\n    with torch.no_grad():\n"
        "        w = self.a(x)\nreturn x",
        [3],
    ),
    "compared only, which a run has to refute": (
        "with torch.no_grad():\n    p = self.a(x)\nreturn torch.where(p > 0, self.b(x), x)",
        [0],
    ),
    "statement": (
        "torch.set_grad_enabled(False)\nw = self.a(x)\ntorch.set_grad_enabled(True)\nreturn x * w",
        [0],
    ),
    "the weight of a loss of something else": (
        "nll = F.cross_entropy(self.b(x), x.argmax(1), reduction='none')\n"
        "with torch.no_grad():\n    w = self.a(x).mean(-1)\nreturn (w * nll).mean()",
        [1],
    ),
    "a goal that other layers make": (
        "with torch.no_grad():\n    goal = self.a(x)\nreturn F.mse_loss(self.b(x), goal)",
        [0],
    ),
    "added beside": (
        "y = self.a(x)\nwith torch.no_grad():\n    z = self.a(x + 1)\nreturn self.b(y + z)",
        [1],
    ),
    "only while training": (
        "w = 0\nif self.training:\n    with torch.no_grad():\n        w = self.a(x)\nreturn x * w",
        [2],
    ),
}

LEFT_ALONE = {
    "integers": "with torch.no_grad():\n    i = self.a(x).argmax(-1)\nreturn self.b(x)[i]",
    "second of a pair": (
        "with torch.no_grad():\n    _, i = self.a(x).topk(2)\nreturn self.b(x).gather(-1, i)"
    ),
    "comparison inside": (
        "with torch.no_grad():\n    m = self.a(x) > 0\nreturn self.b(x).masked_fill(m, 0)"
    ),
    "detached where it is used": (
        "with torch.no_grad():\n    q = self.a(x)\nreturn x + (q - x).detach()"
    ),
    "running average": (
        "with torch.no_grad():\n    self.mean.lerp_(x.mean(0), 0.1)\nreturn self.a(x)"
    ),
    "parameter kept in bounds": (
        "with torch.no_grad():\n    self.scale.clamp_(0, 1)\nreturn x * self.scale"
    ),
    "only a log": (
        "y = self.a(x)\nwith torch.no_grad():\n    e = y.softmax(-1).mean()\nprint(e)\nreturn y"
    ),
    "a metric beside the result": (
        "y = self.a(x)\nwith torch.no_grad():\n    e = y.softmax(-1).mean()\nreturn y, e"
    ),
    "metrics in a table": (
        "y = self.a(x)\nwith torch.no_grad():\n    e = y.mean()\ninfo = {}\ninfo['e'] = e\n"
        "return self.b(y)"
    ),
    "shapes and devices": (
        "with torch.no_grad():\n    m = torch.ones(x.shape, device=x.device)\nreturn self.a(x) * m"
    ),
    "positions": (
        "with torch.no_grad():\n    p = torch.arange(x.size(1)).float().cos()\n"
        "return self.a(x) * p[:, None]"
    ),
    "teacher by name": (
        "with torch.no_grad():\n    t = self.ema_a(x)\nreturn F.mse_loss(self.a(x), t)"
    ),
    "frozen layer": "with torch.no_grad():\n    f = self.fixed(x)\nreturn self.a(f)",
    "network given from outside": "with torch.no_grad():\n    f = self.given(x)\nreturn self.a(f)",
    "said in a comment": (
        "# the encoder stays frozen\nwith torch.no_grad():\n    f = self.a(x)\nreturn self.b(f)"
    ),
    "in evaluation only": (
        "if not self.training:\n    with torch.no_grad():\n        return self.a(x)\n"
        "return self.a(x)"
    ),
    "after the training part has returned": (
        "if self.training:\n    return self.a(x)\nwith torch.no_grad():\n    return self.a(x)"
    ),
    "behind a switch": (
        "if self.freeze_first:\n    with torch.no_grad():\n        y = self.a(x)\nelse:\n"
        "    y = self.a(x)\nreturn self.b(y)"
    ),
    "by condition": (
        "with torch.set_grad_enabled(self.training):\n    y = self.a(x)\nreturn self.b(y)"
    ),
    "inference mode switched off": (
        "with torch.inference_mode(False):\n    y = self.a(x)\nreturn self.b(y)"
    ),
    "one-step gradient": (
        "z = x\nwith torch.no_grad():\n    for _ in range(5):\n        z = self.a(z)\n"
        "return self.a(z)"
    ),
    "the weight of a loss": (
        "y = self.a(x)\nnll = F.cross_entropy(y, x.argmax(1), reduction='none')\n"
        "with torch.no_grad():\n    p = y.softmax(-1).amax(-1)\nreturn ((1 - p) ** 2 * nll).mean()"
    ),
    "a goal of the same layers": (
        "with torch.no_grad():\n    goal = self.a(x)\n"
        "return F.kl_div(self.a(x + 1).log_softmax(-1), goal.softmax(-1))"
    ),
    "bound anew before its use": (
        "with torch.no_grad():\n    w = self.a(x)\nw = self.b(x)\nreturn x * w"
    ),
}

NOT_TRAINING = {
    "generate": "@torch.no_grad()\ndef generate(self, x): return self(x).softmax(-1)",
    "weight init": "@torch.no_grad()\ndef reset(self):\n    self.scale.fill_(self.a.weight.mean())",
    "loss for a report": "@torch.no_grad()\ndef estimate(self, x): return self.a(x).mean()",
    "called by generate only": (
        "@torch.no_grad()\ndef generate(self, x): return self.pick(x)\n"
        "@torch.no_grad()\ndef pick(self, x): return self.a(x)"
    ),
    "integer result by its annotation": (
        "@torch.no_grad()\ndef route(self, x) -> torch.LongTensor: return self.a(x)"
    ),
}


def helper(text: str) -> str:
    """A class whose forward uses the helper `h` of the snippet."""
    return HEAD + indented(text) + "\n    def forward(self, x):\n        return x + self.h(x)\n"


def forward(text: str) -> str:
    """A class whose forward has the snippet for its body; `def` lines go on at class level."""
    body, found, rest = text.partition("\ndef ")
    return f"{HEAD}    def forward(self, x):\n{indented(body, 8)}\n{indented(found[1:] + rest)}\n"


def indented(text: str, width: int = 4) -> str:
    """The text, moved to the right."""
    return "\n".join(" " * width + line for line in text.splitlines())


@pytest.mark.parametrize(("text", "lines"), REPORTED.values(), ids=REPORTED)
def test_a_decorated_helper_of_forward_is_reported(text: str, lines: list[int]) -> None:
    """The finding stands on the decorator's line."""
    assert [FIRST + line for line in lines] == lines_of("GD101", helper(text))


@pytest.mark.parametrize(("text", "lines"), BLOCKS.values(), ids=BLOCKS)
def test_a_block_whose_values_are_used_is_reported(text: str, lines: list[int]) -> None:
    """The finding stands on the line of `with`, or of the statement."""
    assert [FIRST + 1 + line for line in lines] == lines_of("GD101", forward(text))


@pytest.mark.parametrize("text", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_a_block_that_loses_no_gradient_is_left_alone(text: str) -> None:
    """Nothing is reported where no gradient is lost, or where it is meant."""
    assert lines_of("GD101", forward(text)) == []


@pytest.mark.parametrize("text", NOT_TRAINING.values(), ids=NOT_TRAINING)
def test_what_training_does_not_call_is_left_alone(text: str) -> None:
    """Only what forward or a training step reaches can lose a gradient."""
    end = "\n    def forward(self, x):\n        return self.b(x)\n"
    assert lines_of("GD101", HEAD + indented(text) + end) == []


CALLS = {
    "a blank before the bracket": ("self.h (x)", True),
    "the called value in brackets": ("(self.h)(x)", True),
    "a comment before the bracket": ("(self.h  # why\n                (x))", True),
    "over two lines": ("self.h \\\n                (x)", True),
    "handed on": ("checkpoint(self.h, x)", True),
    "handed on over lines": ("checkpoint(\n            self.h\n            , x)", True),
    "a longer name": ("self.hh(x)", False),
    "no call": ("x if self.h else x", False),
}


@pytest.mark.parametrize(("call", "found"), CALLS.values(), ids=CALLS)
def test_a_call_is_one_however_it_is_written(call: str, found: bool) -> None:
    """Which functions call another is asked of their text first, so the text may look any way."""
    text = helper("@torch.no_grad()\ndef h(self, x): return self.a(x)")
    text = text.replace("self.h(x)", call)
    assert lines_of("GD101", text) == ([FIRST] if found else [])


def test_forward_itself_is_reported() -> None:
    """A forward that is decorated as a whole learns nothing."""
    text = HEAD + "    @torch.no_grad()\n    def forward(self, x):\n        return self.a(x)\n"
    assert lines_of("GD101", text) == [FIRST]


def test_a_rotary_embedding_is_left_alone() -> None:
    """Tables made of positions and a buffer have no gradient; x gives its dtype only."""
    text = """\
import torch
from torch import nn

class Rotary(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("inv_freq", 1 / 1e4 ** (torch.arange(0, dim, 2) / dim))

    @torch.no_grad()
    def forward(self, x, position_ids):
        angle = position_ids[..., None].float() * self.inv_freq.to(x.device)
        emb = torch.cat((angle, angle), dim=-1)
        return emb.cos().to(dtype=x.dtype), emb.sin().to(dtype=x.dtype)
"""
    assert lines_of("GD101", text) == []


def test_an_autograd_function_is_left_alone() -> None:
    """It brings a backward of its own."""
    text = """\
import torch

class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        with torch.no_grad():
            y = x * 2
        return y
"""
    assert lines_of("GD101", text) == []


def test_a_helper_in_another_file_is_reported_by_its_caller() -> None:
    """The call from the model's forward makes a helper part of training."""
    helper_file = (
        "import torch\n\n@torch.no_grad()\ndef entropy(logits):\n"
        "    p = logits.softmax(-1)\n    return -(p * p.log()).sum(-1)\n"
    )
    model = (
        "from torch import nn\nfrom package.measures import entropy\n\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a = nn.Linear(4, 4)\n    def forward(self, x):\n"
        "        return x * entropy(self.a(x)).unsqueeze(-1)\n"
    )
    files = {
        "package/__init__.py": "",
        "package/measures.py": helper_file,
        "package/net.py": model,
    }
    assert ("GD101", 3) in scan_files(files)
    files["package/net.py"] = model.replace("x * entropy(self.a(x)).unsqueeze(-1)", "self.a(x)")
    assert [one for one in scan_files(files) if one[0] == "GD101"] == []


def cut(**values: object) -> GradientCut:
    """A measured cut without harm, changed by `values`."""
    plain: dict[str, object] = {
        "path": "model.py",
        "symbol": "Net.h",
        "line": 9,
        "operation": "no_grad",
        "measured": True,
        "parameters_gained": (),
        "parameters_changed": 0,
        "largest_change": 0.0,
    }
    return GradientCut(**{**plain, **values})  # type: ignore[arg-type]


def flow(*cuts: GradientCut, crash: Crash | None = None) -> GradientFlow:
    """A measurement with these cuts."""
    return GradientFlow(
        objective="own loss", loss=4.0, batch=3, length=7, parameters=(), cuts=cuts, crash=crash
    )


CONVICTED = {
    "a parameter gains a gradient": (cut(parameters_gained=("a.weight",)), Status.CONFIRMED),
    "a gradient changes": (cut(parameters_changed=3, largest_change=0.2), Status.CONFIRMED),
    "a change within rounding": (cut(parameters_changed=3, largest_change=1e-7), Status.REFUTED),
    "nothing changes": (cut(), Status.REFUTED),
}


@pytest.mark.parametrize(("one", "status"), CONVICTED.values(), ids=CONVICTED)
def test_a_measured_cut_is_judged_at_its_place(one: GradientCut, status: Status) -> None:
    """The counterfactual decides, place by place, before what holds for the rest."""
    first, *rest = read_flow(flow(one), NO_RECORD)
    assert (status, "Net.h", 9) == (first.status, first.place.symbol, first.place.line)  # type: ignore[union-attr]
    assert [(other.status, other.place) for other in rest] == [(Status.REFUTED, None)]


@pytest.mark.parametrize(
    "one", [cut(operation="detach"), cut(measured=False)], ids=["detach", "not measured"]
)
def test_other_cuts_are_not_judged(one: GradientCut) -> None:
    """A detach is another matter, and what was not measured stays open."""
    assert all(found.place is None for found in read_flow(flow(one), NO_RECORD))


def test_a_crash_convicts_nobody() -> None:
    """A run that failed says nothing of gradients."""
    crash = Crash(stage="backward", kind="RuntimeError", message="boom")
    assert list(read_flow(flow(cut(parameters_gained=("a",)), crash=crash), NO_RECORD)) == []


def test_weights_that_are_set_have_no_gradient_to_lose() -> None:
    """What `weight.data` is set to is no part of any graph: a projection onto a bound."""
    text = """
import torch
from torch import nn

class Bounded(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 4)

    def bounded(self):
        with torch.no_grad():
            return self.table.weight.clone().renorm(2, 0, 1.0)

    def forward(self, ids):
        {use}
        return self.table(ids)
"""
    silent = text.format(use="self.table.weight.data = self.bounded()")
    assert lines_of("GD101", silent) == []
    told = text.format(use="return self.bounded()[ids]")
    assert lines_of("GD101", told) == [11]


def test_states_that_are_taken_apart_leave_the_block() -> None:
    """`_, (h, c) = lstm(x)` gives names to parts of a part."""
    text = """\
import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.lstm = nn.LSTM(dim, dim)
        self.head = nn.Linear(dim, 2)

    def forward(self, x):
        with torch.no_grad():  # here
            _, (h, c) = self.lstm(x)
        return self.head(h[-1])
"""
    assert lines_of("GD101", text) == marked(text)
    assert lines_of("GD101", text.replace("h[-1]", "x")) == []

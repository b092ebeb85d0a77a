"""GD118: a network puts its own tensors on a device that it names itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.forward_path import runs_in_forward
from gptdoctor.source.named_devices import device_of, is_first

CODE = "GD118"
# Functions of torch that make a tensor where they are told to.
MAKING = (
    "zeros ones empty full arange linspace eye rand randn randint tensor as_tensor randperm "
    "zeros_like ones_like rand_like randn_like tril_indices triu_indices new_zeros new_ones "
    "new_full new_empty new_tensor"
)
# The old types of tensors on a GPU: `torch.cuda.FloatTensor`.
TYPES = ("FloatTensor", "LongTensor", "HalfTensor", "ByteTensor", "BoolTensor", "IntTensor")
# A condition that speaks of devices has looked at what there is.
ASKED = re.compile(r"cuda|device|mps|xpu|npu|hpu|available|backend", re.I)


def see_call(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`.cuda()`, `.to("cuda")` or `device="cuda"` in a forward."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    told = _told(node)
    if told is not None and not told:
        return  # as most calls, of which the method need not be looked for
    method = visit.function
    if method is None or (told and not any(_may_name(one, method) for one in told)):
        return
    owner = visit.owner
    function = visit.flow if owner is not None and runs_in_forward(method, owner) else None
    if owner is None or function is None:
        return
    device = device_of(visit.project, node, function)
    if device is None or not is_first(device, node, function):
        return
    if _has_asked(visit) or not visit.project.is_network(owner):
        return
    here = device.function == function  # else the place of the call tells more
    location = visit.module.location(device.node if here else node)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol,
        message=(
            f"`{device.text}` names a device in forward: on any other one, or on a second GPU, the "
            f"tensors do not meet; take the device of an input or a parameter."
        ),
        details={"device": device.text},
        extent=(location.line, location.end_line),
    )


def _told(call: ast.Call) -> list[ast.expr] | None:
    """What a call is told by which it may name a device; None where it names one by itself."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name == "cuda" or name in TYPES:
        return None
    given = [one.value for one in call.keywords if one.arg in ("device", None)]
    return given + call.args[:1] if name == "to" else given


def _may_name(value: ast.expr, method: FunctionNode) -> bool:
    """Whether a value may be a device's name: `x.device` and what a caller gives are none."""
    if isinstance(value, ast.Name):
        return all(one.arg != value.id for one in method.args.args)
    return not isinstance(value, ast.Attribute) or self_attribute(value) is not None


def _has_asked(visit: Visit) -> bool:
    """Whether a condition around the place, or a with block, looks at devices."""
    tests = [text_of(one.test) for one in visit.parents if isinstance(one, ast.If | ast.IfExp)]
    blocks = [
        text_of(item.context_expr)
        for one in visit.parents
        if isinstance(one, ast.With)
        for item in one.items
    ]
    return any(ASKED.search(text) for text in (*tests, *blocks))


SICK = """\
import torch
from torch import nn


class Places(nn.Module):
    def __init__(self, width=32, longest=64):
        super().__init__()
        self.table = nn.Embedding(longest, width)

    def forward(self, x):
        steps = torch.arange(x.size(1), device="cuda")
        return x + self.table(steps)
"""

DEFECT = Defect(
    code=CODE,
    name="device-hard-coded",
    severity=Severity.LOW,
    summary="A forward pass names the device of its tensors itself.",
    explanation=(
        '`forward`, or a method that it calls, says `.cuda()`, `.to("cuda")` or `device="cuda"`. '
        "Code that asks first whether such a device is there, code outside of networks, and "
        "devices that are taken from a tensor or a setting are not meant."
    ),
    harm=(
        "The model runs on that device alone: not on a CPU, not on another accelerator, and with "
        "several GPUs the tensors of all but the first process lie on the wrong one."
    ),
    confirmed_by=(
        "Where the device is missing, the model that was run fails at this line, and is said to "
        "need it. No probe measures it apart."
    ),
    sick=SICK,
    healed=SICK.replace('"cuda"', "x.device"),
    suspects={calls("cuda", "to", *MAKING.split(), *TYPES): see_call},
)

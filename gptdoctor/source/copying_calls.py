"""Calls that give a new tensor and leave what they are given as it was."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.tensors import is_tensor

# Methods that modules have as well, where they work in place: the receiver must be a tensor.
SHARED = frozenset(["to", "cuda", "cpu", "float", "half", "bfloat16", "double", "type"])
# Methods of tensors alone.  What takes time to compute is left out: it may be timed.
OWN = frozenset(
    {
        *("masked_fill", "masked_scatter", "index_fill", "unsqueeze", "contiguous", "detach"),
        *("requires_grad", "view", "reshape", "permute", "transpose", "clamp", "clip", "squeeze"),
        *("expand", "fill_diagonal", "swapaxes", "flatten", "index_copy", "index_add", "scatter"),
        *("scatter_add", "clamp_min", "clamp_max", "nan_to_num", "long", "bool", "int"),
    }
)
# Methods whose name says of what they are, so that the receiver need not be known.
UNMISTAKEN = frozenset(
    {
        *("masked_fill", "masked_scatter", "index_fill", "unsqueeze", "squeeze", "permute"),
        *("log_softmax", "softmax"),
    }
)
NAMED = frozenset({"softmax", "log_softmax"})  # of these, networks have methods of their own
# What a network works with: in its own methods nothing is timed.
COMPUTING = frozenset(
    {
        *("relu", "gelu", "silu", "elu", "leaky_relu", "tanh", "sigmoid", "softmax", "softplus"),
        *("log_softmax", "dropout", "normalize", "layer_norm", "pad", "exp", "log", "sqrt", "neg"),
        *("abs", "add", "sub", "mul", "div", "pow", "square", "tril", "triu", "roll", "flip"),
        *("round", "floor", "rsqrt", "cat", "stack", "lerp", "where", "addcmul", "repeat"),
    }
)
# Layers without a state: to call one changes nothing but what it gives.
STATELESS = re.compile(
    r"^torch\.nn\.(Linear|Embedding|LayerNorm|RMSNorm|GroupNorm|Softmax|LogSoftmax|Flatten"
    r"|Dropout\w*|(Leaky)?ReLU6?|GELU|SiLU|ELU|SELU|Tanh|Sigmoid|Softplus|Hardswish|Conv[123]d)$"
)
FUNCTIONS = re.compile(
    r"^torch\.(clamp|clip|masked_fill|unsqueeze|squeeze|transpose|permute|reshape|flatten|where"
    r"|nan_to_num|detach|swapaxes|movedim|index_fill|masked_scatter)$"
)
_HOMES = frozenset({"torch", "torch.nn.functional", "torch.special"})
NAMES = SHARED | OWN | {"where", "movedim"}
CALLED = (NAMES | UNMISTAKEN | COMPUTING) - {"requires_grad"}


def is_copying(call: ast.Call, frame: Frame, *, in_network: bool) -> bool:
    """Whether a call leaves what it is given as it was, and gives a tensor."""
    if any(one.arg in ("out", "inplace") for one in call.keywords):
        return False
    qualified = frame.module.names.called(call) or ""
    if FUNCTIONS.match(qualified) or (in_network and _computes(call, qualified)):
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    name, receiver = call.func.attr, call.func.value
    if name in NAMED and isinstance(receiver, ast.Name | ast.Attribute) and _is_own(receiver):
        return is_tensor(receiver, frame)  # `self.ctc.softmax(x)` is a method of somebody's
    if name in UNMISTAKEN and call.args:
        return frame.module.names.called(call) != f"torch.{name}"
    known = name in NAMES or (in_network and name in COMPUTING)
    return known and is_tensor(receiver, frame)


def _is_own(receiver: ast.expr) -> bool:
    """`self`, or something that it holds."""
    return text_of(receiver).partition(".")[0] == "self"


def is_idle_layer(call: ast.Call, frame: Frame) -> bool:
    """Whether a call runs layers of torch's that keep nothing of what they are given."""
    made = frame.attribute_values(call.func) if self_attribute(call.func) else []
    return bool(made) and all(
        isinstance(one, ast.Call)
        and STATELESS.match(frame.module.names.called(one) or "")
        and not _is_in_place(one)
        for one in made
    )


def _computes(call: ast.Call, qualified: str) -> bool:
    """A function of torch's that computes something new."""
    home, _, name = qualified.rpartition(".")
    return home in _HOMES and name in COMPUTING and not _is_in_place(call)


def _is_in_place(call: ast.Call) -> bool:
    """Whether a call may be told to work in place: `F.relu(x, True)`, `nn.ReLU(inplace=True)`."""
    given = [*call.args, *(one.value for one in call.keywords if one.arg == "inplace")]
    return any(isinstance(one, ast.Constant) and one.value is True for one in given)

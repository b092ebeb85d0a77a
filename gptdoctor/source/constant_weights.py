"""Initialisations that set the weights of all linear layers of a model to one number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.names import called_name
from gptdoctor.source.statements import statements_below

FILLS = ("constant_", "zeros_", "ones_", "fill_", "zero_")
_OF_INIT = frozenset({"constant_", "zeros_", "ones_"})
# With one of these in the same text, weights may be drawn after all, or come from elsewhere.
DRAWN = re.compile(
    r"normal_?\(|uniform_?\(|xavier|glorot|kaiming|orthogonal|eye_?\(|dirac|sparse_\(|randn|\brand\b"
    r"|randint|load_state_dict|reset_parameters|empty\(|\bcopy_\(|\)\.\w*init_weights\(|exponential_"
)
_LAYERS = frozenset(
    {"torch.nn.Linear", "torch.nn.Embedding"} | {f"torch.nn.Conv{one}d" for one in (1, 2, 3)}
)
_RECURRENT = re.compile(r"\b(LSTM|GRU|RNN)\(")
_BENDS = re.compile(r"LSTM|GRU|RNN|ReLU|GELU|Tanh|SiLU|Sigmoid|relu|gelu|tanh|silu|sigmoid")
# Classes that may start at zero beside what is drawn.
_PART = re.compile(
    r"lora|adapter|gate|modulat|hyper|zero_?(init|conv|mod)|delta|residual", re.IGNORECASE
)
_BIAS = re.compile(r"(zeros|constant|ones)_\(\w+\.bias\b|\.bias(\.data)?\.(zero|fill)_\(")
_MADE = re.compile(r"\bLinear\(")
# Numbers that are easy to compare, on purpose.
TRIED = re.compile(r"\b(unittest|pytest|assert_close|allclose)\b")
_SETS_UP = re.compile(r"init|reset|weight", re.IGNORECASE)
LEAST = 2  # linear layers: one alone is a head or a gate, whose units differ after a step


def fills_all(call: ast.Call, function: Function, parents: tuple[ast.AST, ...]) -> str:
    """The weights that a call sets to one number, if they are those of all linear layers; or ""."""
    target = _filled(call, function)
    if target is None:
        return ""
    around = [one for one in parents if isinstance(one, ast.stmt)]
    inside = around[around.index(function.node) + 1 :] if function.node in around else []
    if isinstance(target, ast.Name):
        every = _over(inside[:-1], target.id, "parameters", function) or _over_named(
            inside, target.id, function
        )
    else:
        every = _is_every_layer(target, inside, function)
    return text_of(target) if every and _is_models_own(function) else ""


def _is_every_layer(target: ast.Attribute, inside: list[ast.stmt], function: Function) -> bool:
    """Whether a weight is that of each linear layer; `inside` are the statements around it."""
    layer = target.value
    if target.attr != "weight" or not isinstance(layer, ast.Name) or len(inside) < LEAST:
        return False
    test, statement = inside[-2:]
    if not isinstance(test, ast.If) or statement not in test.body:
        return False
    if not _asks_for_linear(test, layer.id, function):
        return False
    if not _fills_biases(test) and not _has_no_biases(function.module.text):
        return False
    # An `elif` asks what the layers before it were not: norms and embeddings.
    pairs = pairwise(inside[:-1])
    loops = [one for one, inner in pairs if not (isinstance(one, ast.If) and inner in one.orelse)]
    applied = not loops and _is_applied(function, layer.id)
    return applied or _over(loops, layer.id, "modules", function)


def _is_models_own(function: Function) -> bool:
    """Whether a function is of a whole model, with several layers, and draws nothing.

    A part of one may start at zero: gates, adapters, the last projection of a block.
    """
    module, owner = function.module, function.owner
    whole = module.text if owner is None else owner.text
    whole = whole.replace(f"{function.name}(", "")  # `reset_parameters` may be this one
    if DRAWN.search(whole) or TRIED.search(module.text):
        return False
    if "Embedding(" not in whole and (_PART.search(whole) or not _BENDS.search(whole)):
        return False
    body = whole.partition(":")[2]  # after its own name
    parts = [
        module.segment(one.lineno, one.end_lineno or one.lineno)
        for one in (module.tree.body if owner is not None else [])
        if isinstance(one, ast.ClassDef) and f"{one.name}(" in body
    ]
    parts.append(whole)
    # A recurrent layer has two matrices by itself.
    made = sum(len(_MADE.findall(part)) + 2 * len(_RECURRENT.findall(part)) for part in parts)
    return made >= LEAST


def _filled(call: ast.Call, function: Function) -> ast.Attribute | ast.Name | None:
    """What is filled: `m.weight` of `nn.init.zeros_(m.weight)` and of `m.weight.data.fill_(0)`."""
    name, func = called_name(call), call.func
    qualified = function.module.names.called(call) or ""
    if name in _OF_INIT:
        own = qualified == f"torch.nn.init.{name}" and call.args
        target = call.args[0] if own else None
    else:
        target = func.value if isinstance(func, ast.Attribute) else None
    if isinstance(target, ast.Attribute) and target.attr == "data":
        target = target.value
    return target if isinstance(target, ast.Attribute | ast.Name) else None


def _over(loops: list[ast.stmt], name: str, what: str, function: Function) -> bool:
    """Whether the only thing around is a loop over all modules or parameters of a model.

    A `with torch.no_grad()` around it changes nothing.
    """
    if _SETS_UP.search(function.name) is None:
        return False  # an average of weights, or a sum of them, begins at zero as well
    loops = [one for one in loops if not isinstance(one, ast.With)]
    loop = loops[0] if len(loops) == 1 else None
    if not isinstance(loop, ast.For) or text_of(loop.target) != name:
        return False
    return re.fullmatch(rf"(self|\w*model|net)\.{what}\(\)", text_of(loop.iter)) is not None


def _over_named(inside: list[ast.stmt], name: str, function: Function) -> bool:
    """Whether a loop over all parameters by name fills each with one number, biases apart.

    Told of what is not the bias's branch: `if "bias" in name: zero, else: one`.
    """
    inside = [one for one in inside if not isinstance(one, ast.With)]
    loop = inside[0] if inside else None
    if not isinstance(loop, ast.For) or _SETS_UP.search(function.name) is None:
        return False
    pair = loop.target.elts if isinstance(loop.target, ast.Tuple) else []
    if [text_of(one) for one in pair[1:]] != [name]:
        return False
    if re.fullmatch(r"(self|\w*model|net)\.named_parameters\(\)", text_of(loop.iter)) is None:
        return False
    done = [one for one in statements_below(loop) if not isinstance(one, ast.If)]
    filled = [one.value for one in done if isinstance(one, ast.Expr)]
    calls = [one for one in filled if isinstance(one, ast.Call) and called_name(one) in FILLS]
    targets = [_filled(one, function) for one in calls]
    if len(calls) != len(done) or any(one is None or text_of(one) != name for one in targets):
        return False
    tests = [one for one in inside[1:-1] if isinstance(one, ast.If)]
    return not any("bias" in text_of(one.test) and inside[-1] in one.body for one in tests)


def _asks_for_linear(test: ast.If, name: str, function: Function) -> bool:
    """Whether a branch is for each linear layer, embeddings perhaps as well, and for no other."""
    asked = test.test
    if not isinstance(asked, ast.Call) or text_of(asked.func) != "isinstance":
        return False
    given = asked.args
    return text_of(given[0]) == name and _is_layer(given[-1], function)


def _fills_biases(branch: ast.If) -> bool:
    """Whether the biases become alike as well: drawn ones tell the units apart."""
    return any(_BIAS.search(text_of(one)) for one in branch.body)


def _has_no_biases(text: str) -> bool:
    """Whether all linear layers of a file are made without biases."""
    return len(re.findall(r"\bLinear\([^()]*\bbias=False", text)) == len(_MADE.findall(text))


def _is_layer(kinds: ast.expr, function: Function) -> bool:
    known = {function.module.names.qualified(one) or "" for one in _kinds(kinds)}
    return "torch.nn.Linear" in known and known <= _LAYERS


def _kinds(kinds: ast.expr) -> Iterator[ast.expr]:
    if isinstance(kinds, ast.Tuple):
        yield from kinds.elts
    elif isinstance(kinds, ast.BinOp):
        yield from (*_kinds(kinds.left), *_kinds(kinds.right))
    else:
        yield kinds


def _is_applied(function: Function, name: str) -> bool:
    """Whether a function is handed to `apply`, which calls it with each layer."""
    if function.parameter_names[:1] != (name,):
        return False
    pattern = rf"\b(self|\w*model|net)\.apply\((self\.|cls\.)?{re.escape(function.name)}\)"
    return re.search(pattern, function.module.text) is not None

"""GD707: a default that every call shares is changed by the calls that use it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import Role

CODE = "GD707"
_BUILT = frozenset({"list", "dict", "set", "defaultdict", "deque", "OrderedDict"})
# Defaults that nothing changes; None stands for one that is not there.
_FIXED = frozenset({ast.Constant, ast.Name, ast.Attribute, ast.UnaryOp, type(None)})
_CHANGING = frozenset(
    {"append", "extend", "insert", "update", "add", "setdefault", "pop", "appendleft"}
)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.FunctionDef) or not (node.args.defaults or node.args.kw_defaults):
        return
    # None and numbers are nearly all of them.
    if all(one.__class__ in _FIXED for one in (*node.args.defaults, *node.args.kw_defaults)):
        return
    shared = list(_shared(node.args))
    owner = visit.owner if shared else None
    if owner is None or not visit.project.is_network(owner):
        return
    function = functions_of(visit.project, visit.module)[node]
    for argument, default in shared:
        changed = _changed(argument.arg, function) if function.method else None
        if changed is not None:
            yield Suspicion(
                rule=CODE,
                location=visit.module.location(default),
                symbol=function.symbol,
                message=(
                    f"`{argument.arg}` is made once, when the function is defined, and "
                    f"`{ast.unparse(changed)}` leaves what it puts there to all later calls"
                ),
                extent=(node.lineno, node.end_lineno or node.lineno),
            )


def _shared(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr]]:
    """The parameters whose defaults can be changed."""
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    pairs.extend((one, default) for one, default in named if default is not None)
    for one, default in pairs:
        built = isinstance(default, ast.Call) and isinstance(default.func, ast.Name)
        made = built and isinstance(default, ast.Call) and getattr(default.func, "id", "") in _BUILT
        if made or isinstance(default, ast.List | ast.Dict | ast.Set):
            yield one, default


def _changed(name: str, function: Function) -> ast.AST | None:
    """Where the default itself is changed, and not what the name holds by then."""
    for node in own_nodes(function.node):
        read = _receiver(node)
        if read is not None and read.id == name:
            place = (read.lineno, read.col_offset)
            bindings = function.bindings.reaching(name, place)
            if any(one.role is Role.ARGUMENT for one in bindings):
                return node
    return None


def _receiver(node: ast.AST) -> ast.Name | None:
    """The name of what a node changes: cache.append(x), cache[i] = x, cache += [x]."""
    target: ast.AST | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        target = node.func.value if node.func.attr in _CHANGING else None
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        target = node.targets[0].value
    elif isinstance(node, ast.AugAssign):
        target = node.target
    return target if isinstance(target, ast.Name) else None


SICK = """\
import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids, past=[]):
        x = self.wte(input_ids)
        past.append(x.detach())
        return self.lm_head(self.mix(torch.cat(past, dim=1))[0][:, -x.size(1) :])

    def loss(self, input_ids):
        logits = self(input_ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), input_ids[:, 1:].flatten())
"""
HEALED = SICK.replace("past=[]", "past=()").replace("past.append(x.detach())", "past = [*past, x]")

DEFECT = Defect(
    code=CODE,
    name="mutable-default",
    severity=Severity.HIGH,
    summary="A list or table that is a parameter's default is changed by the calls that use it.",
    explanation=(
        "Python makes a default once, when it reads the definition. A network's method appends to "
        "such a list, or writes into such a table, and the next call that is given none finds it "
        "there. Not meant: a default that is only read, or copied before it is changed."
    ),
    harm=(
        "Keys, states or losses of one batch reach the next, of one text another, and their "
        "graphs are kept until memory runs out."
    ),
    confirmed_by=(
        "No probe measures it by itself: where it moves what a call gives, the probe "
        "repeated-calls shows it as a state that is left over (GD807)."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={ast.FunctionDef: _suspect},
)

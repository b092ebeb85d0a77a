"""GD707: a default that every call shares is changed by the calls that use it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit
from gptdoctor.source.classes import ClassInfo, self_assignments, self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import Role, without_subscripts
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

CODE = "GD707"
_BUILT = frozenset({"list", "dict", "set", "defaultdict", "deque", "OrderedDict", "Counter"})
# Tensors that are made of nothing but sizes: they are changed in place alone.
_TENSORS = frozenset({"zeros", "ones", "empty", "full", "tensor", "rand", "randn"})
# Defaults that nothing changes; None stands for one that is not there.
_FIXED = frozenset({ast.Constant, ast.Name, ast.Attribute, ast.UnaryOp, type(None)})
_CHANGING = frozenset(
    {"append", "extend", "insert", "update", "add", "setdefault", "pop", "appendleft", "remove"}
    | {"extendleft", "popleft", "popitem", "clear", "discard", "reverse", "sort"}
)
# What is left there on purpose: results that are kept for the next call.
_KEPT = re.compile(r"cache|memo|registry|_seen|visited|_counter")
# How a function looks that works on models, batches or tensors, and is no helper of a program.
_OF_MODELS = re.compile(r"\b(model|net|loader|batch|logits|loss|optimizer|torch|nn|F)\b")

_TRAINING = re.compile(r"self\.(model|net|network)\b|\.backward\(|optimizer|loader")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.FunctionDef) or not (node.args.defaults or node.args.kw_defaults):
        return
    # None and numbers are nearly all of them.
    if _FIXED.issuperset(map(type, (*node.args.defaults, *node.args.kw_defaults))):
        return
    shared = list(_shared(node.args, visit.module))
    if not shared:
        return
    function = functions_of(visit.project, visit.module)[node]
    owner = function.owner if function.method else None
    if owner is None and not _OF_MODELS.search(function.text):
        return
    for argument, default in shared:
        changed = _changed(argument.arg, function) or _changed_later(argument.arg, function)
        if changed is None or (owner is None and _KEPT.search(argument.arg)):
            continue
        if owner is not None and not _is_of_models(owner, visit.project):
            continue
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


def _is_of_models(owner: ClassInfo, project: Project) -> bool:
    """Whether a class is a network, or trains one; other classes are a linter's matter."""
    return _TRAINING.search(owner.text) is not None or project.is_network(owner)


def _shared(arguments: ast.arguments, module: SourceModule) -> Iterator[tuple[ast.arg, ast.expr]]:
    """The parameters whose defaults can be changed."""
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    pairs.extend((one, default) for one, default in named if default is not None)
    for one, default in pairs:
        origin, _, last = (module.names.called(default) or "").rpartition(".")
        made = last in _BUILT and origin in ("", "collections", "builtins")
        tensor = last in _TENSORS and origin == "torch"
        if made or tensor or isinstance(default, ast.List | ast.Dict | ast.Set):
            yield one, default


def _changed(name: str, function: Function) -> ast.AST | None:
    """Where the default itself is changed, and not what the name holds by then."""
    for node in own_nodes(function.node):
        read = _changed_by(node)
        if isinstance(read, ast.Name) and read.id == name:
            place = (read.lineno, read.col_offset)
            bindings = function.bindings.reaching(name, place)
            if any(one.role is Role.ARGUMENT for one in bindings):
                return node
    return None


def _changed_later(name: str, function: Function) -> ast.AST | None:
    """Where a method changes the attribute that a constructor keeps the default itself in."""
    owner = function.owner
    if owner is None or function.name != "__init__":
        return None
    kept = {
        attribute
        for attribute, value in self_assignments(function.node)
        if isinstance(value, ast.Name)
        and value.id == name
        and any(one.role is Role.ARGUMENT for one in function.reaching(value))
    }
    kept = {one for one in kept if len(owner.attributes.get(one, [])) == 1}
    for method in owner.methods.values() if kept else ():
        for node in own_nodes(method):
            changed = _changed_by(node)
            if changed is not None and self_attribute(changed) in kept:
                return node
    return None


def _changed_by(node: ast.AST) -> ast.expr | None:
    """What a node changes; what is in a table is left there with it: `totals["loss"] += 1`."""
    receiver = _receiver(node)
    return None if receiver is None else without_subscripts(receiver)


def _receiver(node: ast.AST) -> ast.expr | None:
    """What a node changes: cache.append(x), cache[i] = x, cache += [x], table[k] += 1."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        method = node.func.attr
        in_place = method.endswith("_") and not method.endswith("__")
        return node.func.value if method in _CHANGING or in_place else None
    if isinstance(node, ast.Assign | ast.Delete):
        cut = [one for one in node.targets if isinstance(one, ast.Subscript)]
        return cut[0] if cut else None
    return node.target if isinstance(node, ast.AugAssign) else None


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
        "Python makes a default once, when it reads the definition. A network's method, or a "
        "function that trains or evaluates one, appends to such a list, writes into such a table, "
        "or changes such a tensor in place, and the next call that is given none finds it there; "
        "or a constructor keeps it, and all instances share it. Not meant: a default that is only "
        "read, or copied before it is changed, and one that is called a cache."
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

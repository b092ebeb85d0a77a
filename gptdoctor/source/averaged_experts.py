"""Experts whose results are averaged, beside shares of a router that nothing multiplies them with.

shares = self.gate(x).softmax(-1)
return torch.stack([expert(x) for expert in self.experts], dim=1).mean(dim=1)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_experts import resolved
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes, parents_in
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.flow_turns import number
from gptdoctor.source.matrix_products import equation_of
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.value_ways import keyword, operation

ROUTER = re.compile(r"gat(e|ing)|rout", re.IGNORECASE)
EXPERTS = re.compile(r"expert", re.IGNORECASE)
# What stands between a share and where it is handed out as it is.
_PASSING = (ast.Tuple, ast.Dict, ast.keyword, ast.Attribute)


def shares_beside(call: ast.Call, project: Project, function: Function) -> str:
    """The name of the shares that an average of experts leaves out; "" where it is none."""
    if "softmax" not in function.text and "self." not in function.text:
        return ""
    if not _averages_experts(call, function):
        return ""
    names = set(_shares(project, function))
    if len(names) != 1:
        return ""  # none, or not known which
    name = names.pop()
    return name if not name.startswith("_") and _is_beside(name, function) else ""


def _averages_experts(call: ast.Call, function: Function) -> bool:
    """Whether the results of a list of experts are added up, or stacked and averaged."""
    if isinstance(call.func, ast.Name) and call.func.id == "sum":
        return len(call.args) == 1 and _is_of_experts(call.args[0])
    made = operation(call, function)
    whole = None if made is None else resolved(made[1], function)
    if made is not None and isinstance(whole, ast.Call) and equation_of(whole):
        return _is_of_stacked(whole, _dimension(call, made[1]))
    stacked = operation(whole, function) if isinstance(whole, ast.Call) else None
    if not isinstance(whole, ast.Call) or stacked is None or called_name(whole) != "stack":
        return False
    along, over = _dimension(call, made[1] if made else None), _dimension(whole, stacked[1])
    if along is None or along != (0 if over is None else over):
        return False
    return _is_of_experts(resolved(stacked[1], function))


def _is_of_experts(listed: ast.expr) -> bool:
    """`[expert(x) for expert in self.experts]`: the bare results of all."""
    if not isinstance(listed, ast.ListComp | ast.GeneratorExp) or len(listed.generators) != 1:
        return False
    clause, made = listed.generators[0], listed.elt
    member = clause.target.id if isinstance(clause.target, ast.Name) else ""
    bare = isinstance(made, ast.Call) and getattr(made.func, "id", None) == member
    return bare and EXPERTS.search(self_attribute(clause.iter) or "") is not None


def _is_of_stacked(product: ast.Call, along: int | None) -> bool:
    """Whether a dimension of an einsum's result counts the weights of `self` in their first."""
    before, arrow, after = (equation_of(product) or "").replace(" ", "").partition("->")
    if not arrow or "." in before or along is None or not -len(after) <= along < len(after):
        return False
    pairs = zip(before.split(","), product.args[1:], strict=False)
    stacked = [letters for letters, one in pairs if self_attribute(one) and len(letters) > 2]
    return any(letters[0] == after[along] for letters in stacked)


def _dimension(call: ast.Call, value: ast.expr | None) -> int | None:
    places = [one for one in call.args if one is not value]
    told = places[0] if places else keyword(call, "dim")
    return None if told is None else number(told)


def _shares(project: Project, function: Function) -> Iterator[str]:
    """The names that hold what a softmax made of a router's scores, here or in a method."""
    for name, known in function.bindings.by_name.items():
        one = known[0] if len(known) == 1 else None
        if one is None or one.value is None:
            continue
        if one.role is Role.WHOLE and _is_shares(one.value, function):
            yield name
        own = isinstance(one.value, ast.Call) and self_attribute(one.value.func) is not None
        call = one.value if own and isinstance(one.value, ast.Call) else None
        helper = None if call is None else callee_of(project, function, call)
        if helper is None or not ROUTER.search(helper.name) or len(helper.returned) != 1:
            continue
        given = helper.returned[0]
        if one.role is Role.ITEM and isinstance(given, ast.Tuple) and one.index is not None:
            given = given.elts[one.index] if one.index < len(given.elts) else given
        if called_name(given) == "softmax":
            yield name


def _is_shares(value: ast.expr, function: Function) -> bool:
    """`self.gate(x).softmax(-1)`, `F.softmax(self.router(x), dim=-1)`, in one expression or two."""
    made = operation(value, function) if called_name(value) == "softmax" else None
    scores = None if made is None else resolved(made[1], function)
    called = scores.func if isinstance(scores, ast.Call) else None
    return called is not None and ROUTER.search(self_attribute(called) or "") is not None


def _is_beside(name: str, function: Function) -> bool:
    """Whether shares are handed out at the most, as they are or detached."""
    parents = parents_in(function)
    inner = {id(node) for node in own_nodes(function.node)}
    for load in loads_of(function).get(name, ()):
        if id(load) not in inner:
            return False  # in a function inside this one
        node: ast.AST = load
        while isinstance(parents.get(node), _PASSING) or _is_detached(parents.get(node)):
            node = parents[node]
        if not isinstance(parents.get(node), ast.Return):
            return False
        if node is load:
            return False  # the result itself
    return not any(isinstance(one, ast.Lambda) for one in every_node(function.node))


def _is_detached(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Call) and called_name(node) == "detach" and not node.args

"""Assignments of a network that put something else in the place of a parameter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.constructors import Constructor, constructor_of
from gptdoctor.source.flow_attributes import PARAMETERLESS, PARAMETERS, Learns, attributes_of
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.forward_path import runs_in_forward
from gptdoctor.source.kept import kept
from gptdoctor.source.names import Names, called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.statements import every_statement

# Functions that hand back what they are given, or anything at all.
UNKNOWN = frozenset(
    {"Parameter", "getattr", "pop", "get", "cast", "apply", "UninitializedParameter", "load"}
)
DEEPEST = 3  # from name to name
OWN = ("weight", "bias")  # of a layer of torch
TAKEN_AWAY = re.compile(r"\bdel\b|delattr|_parameters|parametri[sz]|weight_norm|spectral_norm")


@dataclass(frozen=True, eq=False)
class Replacement:
    """One such assignment."""

    statement: ast.Assign
    target: str  # as it is written
    kind: str  # "tensor", "parameter" or "layer"; "refused": a tensor, and nothing was deleted


# `self.NAME = value` and `self.NAME.weight = value`, in what comes before the value.
_SETS_OWN = re.compile(r"self\.\w+(?:\.(?:weight|bias))?[\s\\)]*=(?!=)")


def sets_own(text: str) -> bool:
    """Whether a method, of this text, may give anything to `self.NAME`, or by a name in quotes."""
    return "setattr" in text or _SETS_OWN.search(text) is not None


@kept(8)
def names_parameter(info: ClassInfo) -> bool:
    """Whether a class may make a parameter: else there are weights of its layers alone."""
    return "Parameter" in info.text or is_renamed(info.module, PARAMETERS)


def may_replace(node: FunctionNode) -> bool:
    """Whether a function gives anything to an attribute, as few do but constructors."""
    for one in every_statement(node):
        if isinstance(one, ast.Assign):
            if one.targets[0].__class__ is ast.Attribute:
                return True
        elif isinstance(one, ast.Expr) and called_name(one.value) == "setattr":
            return True
    return False


def replacements(project: Project, info: ClassInfo, node: FunctionNode) -> Iterator[Replacement]:
    """The assignments of a method that replace what the class's constructor made.

    In forward, which runs again and again, these are new parameters and layers too; and so are in
    a method that it calls those which are made of what they replace.  A tensor is refused by torch
    wherever it is given to a parameter's place, unless that was deleted before.
    """
    assigned = list(_assignments(node.body, ()))
    forward = node.name == "forward"
    called = not forward and bool(assigned) and runs_in_forward(node, info)
    if not assigned or not (forward or _is_kept(info)):
        return
    constructor = constructor_of(project, info)
    if constructor is None or not constructor.settled:
        return
    function = functions_of(project, info.module)[node]
    for statement, guards in assigned:
        target = statement.targets[0]
        kind = _kind(target, statement.value, constructor, function)
        sure = forward and not any(map(asks_for_it, guards))
        # What is made of the old one is no late start, whatever was asked before.
        made = kind == "parameter" and (forward or called)
        if kind and (sure or (made and _reads(statement.value, _own(target), function, 0))):
            yield Replacement(statement, text_of(target), kind)
        elif not forward and kind == "tensor" and not _names(_own(target), guards):
            yield Replacement(statement, text_of(target), "refused")


def _is_kept(info: ClassInfo) -> bool:
    """Whether no word of a class takes parameters away, to put something else there."""
    return TAKEN_AWAY.search(info.text) is None


def _assignments(
    body: list[ast.stmt], guards: tuple[ast.expr, ...]
) -> Iterator[tuple[ast.Assign, tuple[ast.expr, ...]]]:
    """`self.NAME = value` and `self.NAME.weight = value`, with the conditions around them."""
    for statement in body:
        if isinstance(statement, ast.Assign):
            if len(statement.targets) == 1 and _own(statement.targets[0]):
                yield statement, guards
        elif isinstance(statement, ast.Expr):
            named = _set_by_name(statement)
            if named is not None:
                yield named, guards
        elif isinstance(statement, ast.If):
            inside = (*guards, statement.test)
            yield from _assignments(statement.body, inside)
            yield from _assignments(statement.orelse, inside)
        elif isinstance(statement, ast.For | ast.With | ast.While):
            yield from _assignments(statement.body, guards)


def _set_by_name(statement: ast.Expr) -> ast.Assign | None:
    """`setattr(self, "NAME", value)` as the assignment that it is."""
    call = statement.value
    if not isinstance(call, ast.Call) or called_name(call) != "setattr" or len(call.args) != 3:
        return None
    owner, name, value = call.args
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return None
    if not isinstance(owner, ast.Name) or owner.id != "self":
        return None
    target = ast.Attribute(value=owner, attr=name.value, ctx=ast.Store())
    ast.copy_location(target, statement)
    return ast.copy_location(ast.Assign(targets=[target], value=value), statement)


def _reads(value: ast.expr, name: str, function: Function, depth: int) -> bool:
    """Whether a value is made of what `self.NAME` holds, through local names."""
    for node in every_node(value):
        if self_attribute(node) == name:
            return True
        if isinstance(node, ast.Name) and depth < DEEPEST:
            values = (one.value for one in function.reaching(node) if one.role is Role.WHOLE)
            if any(one and _reads(one, name, function, depth + 1) for one in values):
                return True
    return False


def _own(target: ast.expr) -> str:
    """NAME of `self.NAME` and of `self.NAME.weight`."""
    if not isinstance(target, ast.Attribute):
        return ""  # as nine of ten
    if target.attr in OWN:
        inner = self_attribute(target.value)
        if inner:
            return inner
    return self_attribute(target) or ""


def _kind(target: ast.expr, value: ast.expr, constructor: Constructor, function: Function) -> str:
    name, whole = _own(target), self_attribute(target) is not None
    made = [one for one in constructor.settings if one.name == name]
    names = constructor.info.module.names
    if len(made) != 1 or not isinstance(made[0].node, ast.Assign | ast.AnnAssign):
        return ""
    qualified = names.called(made[0].value) or ""
    if not qualified.startswith("torch.nn.") or made[0].value is value:
        return ""  # the statement that makes it, as most are
    found = _new(value, names, function, qualified, whole=whole)
    # What learns is dear to find out: asked where all else speaks for it.
    return found if found and _learns(name, constructor) is Learns.YES else ""


def _new(value: ast.expr, names: Names, function: Function, was: str, *, whole: bool) -> str:
    """What a value is beside the one that was made by `was`: of an attribute or its weight."""
    parameter = was.rpartition(".")[2] in PARAMETERS
    new = names.called(value) or ""
    last = new.rpartition(".")[2]
    if whole and not parameter:
        fresh = new.startswith("torch.nn.") and last[:1].isupper() and last not in PARAMETERS
        return "layer" if fresh and not PARAMETERLESS.search(last) else ""
    if whole is not parameter:
        return ""
    if last in PARAMETERS:
        return "parameter"
    return "tensor" if is_tensor(value, function, 0) else ""


def _learns(name: str, constructor: Constructor) -> Learns:
    return attributes_of(constructor.project, constructor.info).learns(name)


def is_tensor(value: ast.expr, function: Function, depth: int) -> bool:
    """Whether an expression makes a tensor for sure, which is no parameter."""
    if isinstance(value, ast.Name) and depth < DEEPEST:
        bindings = function.reaching(value)
        whole = all(one.role is Role.WHOLE for one in bindings)
        values = [one.value for one in bindings if one.value is not None]
        return bool(values) and whole and all(is_tensor(one, function, depth + 1) for one in values)
    if isinstance(value, ast.BinOp):
        return True
    if not isinstance(value, ast.Call) or called_name(value) in UNKNOWN:
        return False
    qualified = function.module.names.called(value) or ""
    if qualified.startswith("torch."):
        # `nn.init.zeros_(w)` hands w back.
        last = qualified.rpartition(".")[2]
        return last.islower() and not last.endswith("_") and last not in UNKNOWN
    if not isinstance(value.func, ast.Attribute):
        return False
    made = value.func.value  # torch.empty(3).normal_(), but no `w.normal_()`
    if isinstance(made, ast.Call | ast.BinOp) and is_tensor(made, function, depth + 1):
        return True
    return _is_method(value.func, depth)


def _is_method(called: ast.Attribute, depth: int) -> bool:
    """Whether a method of a parameter's or a tensor's is called: `self.w.detach()`."""
    root: ast.expr = called.value
    while isinstance(root, ast.Call | ast.Attribute) and self_attribute(root) is None:
        root = root.func if isinstance(root, ast.Call) else root.value
    known = called.attr in ("detach", "clone", "clamp", "float", "half", "view", "contiguous")
    return known and self_attribute(root) is not None


def _names(name: str, guards: tuple[ast.expr, ...]) -> bool:
    """Whether a condition asks for what an attribute holds: it may be None there."""
    return any(self_attribute(node) == name for test in guards for node in every_node(test))


def asks_for_it(test: ast.expr) -> bool:
    """Whether a condition asks for what is there, and not only whether it is training."""
    return text_of(test) not in ("self.training", "not self.training")

"""Assignments that put something else in the place of the weight of a layer with a local name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_attributes import PARAMETERS
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.replaced_parameters import OWN, Replacement, asks_for_it, is_tensor
from gptdoctor.source.statements import own_statements

WEIGHTED = re.compile(r"Linear|Conv\w*\d|Embedding|LayerNorm|RMSNorm|BatchNorm|GroupNorm")


def given_to_layers(function: Function) -> Iterator[Replacement]:
    """Tensors given to `m.weight` where `isinstance(m, nn.Linear)` says what m is."""
    for test in own_statements(function.node):
        name = _layer_named(test.test, function) if isinstance(test, ast.If) else ""
        for statement in test.body if isinstance(test, ast.If) and name else []:
            if not isinstance(statement, ast.Assign) or _owner(statement.targets[0]) != name:
                continue
            if is_tensor(statement.value, function, 0):
                yield Replacement(statement, text_of(statement.targets[0]), "refused")


def remade_for_layers(function: Function) -> Iterator[Replacement]:
    """`layer.weight = nn.Parameter(layer.weight * mask)`: of itself, at each call anew."""
    if "Parameter" not in function.text and not is_renamed(function.module, PARAMETERS):
        return  # as most
    called = function.module.names.called
    for statement in own_statements(function.node):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not isinstance(statement, ast.Assign) or target is None or not _owner(target):
            continue
        if not isinstance(target, ast.Attribute) or not _is_kept_layer(target.value, function):
            continue
        made, old = called(statement.value) or "", text_of(target)
        value = statement.value if made.rpartition(".")[2] in PARAMETERS else None
        if value is None or not any(text_of(node) == old for node in every_node(value)):
            continue
        around = (one for one, _ in function.statements_around(statement))
        tests = [one.test for one in around if isinstance(one, ast.If)]
        if not any(map(asks_for_it, tests)):
            yield Replacement(statement, old, "parameter")


def _is_kept_layer(name: ast.expr, function: Function) -> bool:
    """Whether a name stands for a layer of `self`, one of a list of them included, and no copy."""
    found = function.reaching(name) if isinstance(name, ast.Name) else []
    return bool(found) and all(
        one.value is not None
        and any(map(self_attribute, every_node(one.value)))
        and not (one.role is Role.WHOLE and isinstance(one.value, ast.Call))
        for one in found
    )


def _owner(target: ast.expr) -> str:
    """NAME of `NAME.weight`."""
    own = isinstance(target, ast.Attribute) and target.attr in OWN
    return getattr(target.value, "id", "") if own and isinstance(target, ast.Attribute) else ""


def _layer_named(test: ast.expr, function: Function) -> str:
    """NAME of `isinstance(NAME, nn.Linear)`, of layers of torch whose weight is a parameter."""
    test = test.values[0] if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else test
    if not isinstance(test, ast.Call) or called_name(test) != "isinstance" or len(test.args) != 2:
        return ""
    name, kinds = test.args
    several = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
    made = [function.module.names.qualified(one) or "" for one in several]
    layers = all(
        one.startswith("torch.nn.") and WEIGHTED.match(one.rpartition(".")[2]) for one in made
    )
    return name.id if layers and made and isinstance(name, ast.Name) else ""

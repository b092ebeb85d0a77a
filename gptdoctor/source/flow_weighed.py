"""Weights of a loss that are computed without gradient, while the loss itself keeps its graph."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_escapes import Escapes
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_sources import learned
from gptdoctor.source.flow_targets import start, text_of
from gptdoctor.source.nodes import every_node

# What a factor is called, or was made by, that is a loss for each token or example.
LOSS = re.compile(r"loss|entropy|nll|log_?softmax|log_?p|bce|xent|(^|_)ce(_|$)", re.IGNORECASE)


def weighed(name: str, escapes: Escapes) -> set[str]:
    """What learns through a loss that the value `name` of a stretch is multiplied with.

    A focal weight, or one by confidence, is a number for each token: what it is computed from
    learns by the loss that it weighs.
    """
    function, bound = escapes.function, escapes.bound().get(name, [])
    found: set[str] = set()
    for node in own_nodes(function.node):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            continue
        if escapes.inside(start(node)):
            continue
        for weight, loss in ((node.left, node.right), (node.right, node.left)):
            reads = [one for one in every_node(weight) if getattr(one, "id", None) == name]
            if any(
                binding in bound
                for one in reads
                if isinstance(one, ast.Name)
                for binding in function.reaching(one, carried=True)
            ) and _is_loss(loss, function):
                found |= set(learned(escapes.gradients.of(loss, function)))
    return found


def _is_loss(value: ast.expr, function: Function) -> bool:
    """Whether a factor is a loss, by its own words or those that its name was given."""
    texts = [text_of(value)]
    if isinstance(value, ast.Name):
        bindings = function.reaching(value)
        texts += [text_of(one.value) for one in bindings if one.value is not None]
    return any(map(LOSS.search, texts))

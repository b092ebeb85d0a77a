"""Weights and goals of a loss that are made without gradient, while the loss keeps its graph."""

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
# What compares a prediction with a goal: torch's losses, and what people call them.
COMPARING = re.compile(
    r"loss|entropy|criterion|objective|(^|_)(kl|mse|l1|bce|nll|ce|huber)(_|$)|kl_?div|distill"
    r"|cosine_similarity",
    re.IGNORECASE,
)


def weighed(name: str, escapes: Escapes) -> set[str]:
    """What learns through a loss that the value `name` of a stretch is multiplied with, or a goal.

    A focal weight, or one by confidence, is a number for each token: what it is computed from
    learns by the loss that it weighs.  A goal that stands (of another view, of smoothed guesses)
    is what a prediction of the same layers is drawn to.
    """
    found: set[str] = set()
    for node in own_nodes(escapes.function.node):
        if escapes.inside(start(node)):
            continue
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            for weight, loss in ((node.left, node.right), (node.right, node.left)):
                if _reads(weight, name, escapes) and _is_loss(loss, escapes.function):
                    found |= set(learned(escapes.gradients.of(loss, escapes.function)))
        elif isinstance(node, ast.Call) and _is_goal(node, name, escapes):
            found |= set(learned(escapes.gradients.of(node.args[0], escapes.function)))
    return found


def _is_goal(call: ast.Call, name: str, escapes: Escapes) -> bool:
    """Whether a call compares its first argument with the value `name`: a target that stands."""
    called = call.func
    said = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    named = [one.value for one in call.keywords if one.arg in ("target", "targets")]
    given = [*call.args[1:2], *named]
    goal = any(_reads(one, name, escapes) for one in given)
    return bool(call.args) and goal and COMPARING.search(said) is not None


def _reads(value: ast.expr, name: str, escapes: Escapes) -> bool:
    """Whether an expression is made of what the stretch gave a name."""
    bound = escapes.bound().get(name, [])
    return any(
        binding in bound
        for one in every_node(value)
        if isinstance(one, ast.Name) and one.id == name
        for binding in escapes.function.reaching(one, carried=True)
    )


def _is_loss(value: ast.expr, function: Function) -> bool:
    """Whether a factor is a loss, by its own words or those that its name was given."""
    texts = [text_of(value)]
    if isinstance(value, ast.Name):
        bindings = function.reaching(value)
        texts += [text_of(one.value) for one in bindings if one.value is not None]
    return any(map(LOSS.search, texts))

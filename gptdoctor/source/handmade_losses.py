"""Losses that a function writes out by hand: likelihoods of labels, picked or weighted."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import FunctionNode
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node

# Without one of these no likelihood is in a text.
WORDS = ("log_softmax", "logsumexp", "log_prob", "log(")
_LOGS = frozenset({"log_softmax", "logsumexp"})
_RANGES = frozenset({"arange", "range"})
_PROBABILITIES = frozenset({"softmax", "exp", "sigmoid"})


def handmade_loss(function: FunctionNode) -> str | None:
    """The operation that makes a loss of likelihoods in a function, or None.

    Likelihoods of labels are gathered, indexed or multiplied by a target distribution; of the
    model's own probabilities they are an entropy, and no loss.
    """
    nodes = list(every_node(function))
    calls = {called_name(node) for node in nodes if isinstance(node, ast.Call)}
    logs = calls & _LOGS
    if not logs and not calls & {"log", "log_prob"}:
        return None
    known = dict(_assigned(nodes))
    for node in nodes:
        if logs and _picks(node, known):
            return "gather"
        if logs and _weighs(node, known):
            return "log_softmax"
        if _takes_log_of_pick(node) or _negates_log_prob(node):
            return "log"
    return None


def _assigned(nodes: list[ast.AST]) -> Iterator[tuple[str, set[str]]]:
    """For each name, the operations by which its values are made, the outermost ones."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, set()).add(called_name(node.value))
    yield from found.items()


def _made_by(value: ast.expr, known: dict[str, set[str]]) -> set[str]:
    """By which operations a value is made, behind a minus and behind its name."""
    while isinstance(value, ast.UnaryOp):
        value = value.operand
    if isinstance(value, ast.Name):
        return known.get(value.id, set())
    return {called_name(value)}


def _picks(node: ast.AST, known: dict[str, set[str]]) -> bool:
    """Whether labels pick from what log_softmax gave, or from logits beside a logsumexp."""
    if isinstance(node, ast.Subscript):
        return _is_pick(node) and bool(_made_by(node.value, known) & _LOGS)
    if not isinstance(node, ast.Call) or called_name(node) != "gather":
        return False
    source = node.func.value if isinstance(node.func, ast.Attribute) else None
    if getattr(source, "id", "") == "torch" and node.args:
        source = node.args[0]
    return source is not None and bool(_made_by(source, known) & _LOGS)


def _is_pick(node: ast.Subscript) -> bool:
    """`logp[torch.arange(n), labels]`."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    return len(parts) > 1 and any(called_name(one) in _RANGES for one in parts)


def _weighs(node: ast.AST, known: dict[str, set[str]]) -> bool:
    """Whether logarithms are multiplied by something else than probabilities of the model."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return False
    for one, other in ((node.left, node.right), (node.right, node.left)):
        if "log_softmax" in _made_by(one, known) and not isinstance(other, ast.Constant):
            return not _made_by(other, known) & _PROBABILITIES
    return False


def _takes_log_of_pick(node: ast.AST) -> bool:
    """`probs.gather(-1, labels).log()`, `torch.log(probs[torch.arange(n), labels])`."""
    if not isinstance(node, ast.Call) or called_name(node) != "log":
        return False
    return any(
        called_name(one) == "gather" or (isinstance(one, ast.Subscript) and _is_pick(one))
        for one in every_node(node)
    )


def _negates_log_prob(node: ast.AST) -> bool:
    """`-Categorical(logits=logits).log_prob(labels).mean()`."""
    if not isinstance(node, ast.UnaryOp) or not isinstance(node.op, ast.USub):
        return False
    return any(called_name(one) == "log_prob" for one in every_node(node.operand))

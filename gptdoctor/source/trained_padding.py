"""Padding that a loss trains on: ids are their own targets, and nothing leaves the padding out."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.imports import is_none
from gptdoctor.source.known_networks import network_at
from gptdoctor.source.loss_calls import LossCall
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import calls_below, every_node
from gptdoctor.source.project import Project
from gptdoctor.source.value_ways import Way, fills, keyword, operation, shaped_from, ways_of

# Pads with what ends a text as well, which is to be learned once.
ENDS = re.compile(r"eos|end|sep|bos", re.IGNORECASE)
# Of labels they take some, which may be those that are no padding.
PICKING = frozenset({"masked_select", "index_select", "take", "topk"})
DEEPEST = 20  # values followed back from scores


def padding_trained(loss: LossCall, project: Project) -> str:
    """The padding, as the table of tokens is told it, that a loss trains on; "" where none is."""
    if loss.setting("ignore_index") or loss.setting("weight") or _is_kept_apart(loss):
        return ""
    # Most networks that compute a loss keep no such table: said before their values are followed.
    owner = loss.function.owner
    if owner is not None and "padding_idx" not in owner.text and project.is_network(owner):
        return ""
    if not _has_own_targets(loss):
        return ""
    told = {"" if one is None else _padding(one) for one in _networks(loss, project)}
    padding = told.pop() if len(told) == 1 else ""
    return "" if ENDS.search(padding) else padding


def _networks(loss: LossCall, project: Project) -> list[ClassInfo | None]:
    """The network whose method computes a loss, or those whose scores it is given."""
    owner = loss.function.owner
    if owner is not None and project.is_network(owner):
        return [owner]
    ways = ways_of(loss.scores, loss.function, shaped_from)
    calls = [one.source for one in ways if isinstance(one.source, ast.Call)]
    return [network_at(one.func, loss.function, project) for one in calls]


def _is_kept_apart(loss: LossCall) -> bool:
    """Whether the loss of each position is handed on, to be weighed later."""
    reduction = loss.setting("reduction")
    return reduction is not None and getattr(reduction, "value", None) not in ("mean", "sum")


def _padding(info: ClassInfo) -> str:
    """What the one table of a network that knows padding was told; "" where there is none."""
    if "padding_idx" not in info.text:
        return ""
    told = [keyword(call, "padding_idx") for call in calls_below(info.node) if _is_table(call)]
    given = [text_of(one) for one in told if one is not None and not is_none(one)]
    return given[0] if len(set(given)) == 1 else ""


def _is_table(call: ast.Call) -> bool:
    return called_name(call) == "Embedding"


def _has_own_targets(loss: LossCall) -> bool:
    """Whether the targets of a loss are ids that its scores were computed from, as they came."""
    labels = ways_of(loss.targets, loss.function, _kept_whole)
    scores = ways_of(loss.scores, loss.function, shaped_from)
    made = [one.source for one in scores if isinstance(one.source, ast.Call)]
    if not labels or not made or len(made) < len(scores) or any(map(_is_changed, labels)):
        return False
    begun = {one.binding or _text(one.source) for one in labels}
    return len(begun) == 1 and all(_reads(one, begun, loss.function) for one in made)


def _kept_whole(value: ast.expr, function: Function) -> list[ast.expr]:
    """Back through shapes and slices; what a batch holds under a key is a beginning."""
    made = operation(value, function)
    if made is not None and made[0] in PICKING:
        return []
    by_key = isinstance(value, ast.Subscript) and not _is_slice(value.slice)
    return [] if by_key else shaped_from(value, function)


def _is_changed(way: Way) -> bool:
    """Whether numbers were written into labels on their way, or they begin as something made."""
    filled = any(isinstance(one, ast.expr) and fills(one) for one in way.steps)
    return filled or (way.binding is None and not isinstance(way.source, ast.Subscript | ast.Name))


def _is_slice(index: ast.expr) -> bool:
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return all(isinstance(one, ast.Slice) or _is_number(one) for one in parts)


def _is_number(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and not isinstance(value.value, str)


def _text(value: ast.expr | None) -> str:
    return "" if value is None else text_of(value)


def _reads(scores: ast.expr, begun: set[Binding | str], function: Function) -> bool:
    """Whether scores are computed from what labels begin as."""
    seen: set[Binding] = set()
    queue: list[ast.expr] = [scores]
    while queue and len(seen) < DEEPEST:
        for node in every_node(queue.pop(0)):
            if isinstance(node, ast.Subscript) and text_of(node) in begun:
                return True
            bindings = function.reaching(node, carried=True) if isinstance(node, ast.Name) else []
            if not begun.isdisjoint(bindings):
                return True
            fresh = [one for one in bindings if one not in seen]
            seen.update(fresh)
            queue.extend(one.value for one in fresh if one.value is not None)
    return False

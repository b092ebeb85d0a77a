"""Deterministic choices of a token: argmax and its spellings, and what becomes of the choice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import names_in
from gptdoctor.source.temperature import Frame, draws, last_name, temperature_in

GREEDY = re.compile(r"greedy|determin|argmax|beam|eval_mode|top_?1$", re.IGNORECASE)
SAMPLING = re.compile(r"sampl|stochastic|random|nucleus|multinomial", re.IGNORECASE)
# Calls that put a token into a sequence.
JOINING = frozenset(
    {
        *("cat", "concat", "concatenate", "hstack", "append", "extend", "insert"),
        *("copy_", "scatter_", "index_copy_", "put_"),
    }
)
# Of these the last argument is put in; the others say where: a choice among them marks a place.
STORING = frozenset({"scatter", "scatter_", "index_copy", "index_copy_", "put_", "index_put_"})
# A temperature this near to zero stands for "greedy"; people write 1e-8 to 1e-2.
NEARLY_ZERO = 0.1


@dataclass(frozen=True, eq=False, kw_only=True)
class Pick:
    """One choice of the largest entry."""

    call: ast.Call  # argmax, max, topk, argsort or sort
    whole: ast.expr  # what gives the index: torch.max(x, -1)[1], x.topk(1).indices, the call
    operand: ast.expr  # what is chosen from
    form: str  # the name of what is called
    dim: ast.expr | None
    keepdim: bool


def picks(function: Function) -> Iterator[Pick]:
    """The choices in a function's own text."""
    for node in own_nodes(function.node):
        if isinstance(node, ast.Call) and last_name(node.func) == "argmax":
            yield from _pick(node, node, function)
        elif isinstance(node, ast.Subscript) and _takes_first(node.slice):
            yield from _pick_of_order(node.value, node, function)
        elif isinstance(node, ast.Subscript | ast.Attribute) and _takes_indices(node):
            yield from _pick_of_pair(node.value, node, function)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = node.targets[0].elts
            if len(names) == 2 and not _is_blank(names[1]):
                yield from _pick_of_pair(node.value, node.value, function)


def _takes_indices(node: ast.Subscript | ast.Attribute) -> bool:
    """Whether a node takes the second of a pair: `.indices`, [1] or [-1]."""
    if isinstance(node, ast.Attribute):
        return node.attr == "indices"
    index = node.slice
    if isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub):
        index = index.operand
    return _is_one(index)


def _takes_first(index: ast.expr) -> bool:
    """Whether an index takes the first along the last dimension: [:, 0], [..., :1]."""
    last = index.elts[-1] if isinstance(index, ast.Tuple) and index.elts else None
    if isinstance(last, ast.Slice):
        return last.lower is None and _is_one(last.upper)
    return isinstance(last, ast.Constant) and last.value == 0


def _pick_of_order(value: ast.expr, whole: ast.expr, function: Function) -> Iterator[Pick]:
    """A choice by sorting: the first index of a falling order."""
    if isinstance(value, ast.Subscript | ast.Attribute) and _takes_indices(value):
        value = value.value
    if isinstance(value, ast.Call) and last_name(value.func) in ("argsort", "sort"):
        falling = (one.value for one in value.keywords if one.arg == "descending")
        if any(isinstance(one, ast.Constant) and one.value is True for one in falling):
            yield from _pick(value, whole, function)


def _is_blank(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id.startswith("_")


def _pick_of_pair(value: ast.expr, whole: ast.expr, function: Function) -> Iterator[Pick]:
    """A choice by max or topk, which give values and indices; the pair may have a name."""
    if isinstance(value, ast.Name):
        found = [one.value for one in function.reaching(value) if one.role.value == "whole"]
        value = found[0] if len(found) == 1 and found[0] is not None else value
    if isinstance(value, ast.Call) and last_name(value.func) in ("max", "topk"):
        yield from _pick(value, whole, function)


def _pick(call: ast.Call, whole: ast.expr, function: Function) -> Iterator[Pick]:
    form = last_name(call.func)
    qualified = function.module.names.qualified(call.func) or ""
    arguments = list(call.args)
    keywords = {one.arg: one.value for one in call.keywords}
    if not qualified.startswith(("torch.", "numpy.")):
        if not isinstance(call.func, ast.Attribute):
            return
        arguments.insert(0, call.func.value)
    operand = arguments[0] if arguments else keywords.get("input")
    second = arguments[1] if len(arguments) > 1 else None
    dim = keywords.get("dim", keywords.get("axis", second))
    if form == "topk":
        dim = keywords.get("dim", arguments[2] if len(arguments) > 2 else None)
        if not _is_one(keywords.get("k", second)):
            return
    elif form == "max" and dim is None:
        return  # the largest of all, not an index
    if operand is not None:
        yield Pick(
            call=call,
            whole=whole,
            operand=operand,
            form=form,
            dim=dim,
            keepdim=_keeps(form, whole, keywords.get("keepdim"), arguments),
        )


def _keeps(form: str, whole: ast.expr, keyword: ast.expr | None, arguments: list[ast.expr]) -> bool:
    """Whether the choice keeps the dimension that it chose along."""
    if form in ("argsort", "sort"):
        return isinstance(whole, ast.Subscript) and ":" in ast.unparse(whole.slice)[-3:]
    given = keyword or (arguments[2] if len(arguments) > 2 else None)
    return form == "topk" or (isinstance(given, ast.Constant) and given.value is True)


def _is_one(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value == 1


def joins(pick: Pick, function: Function) -> bool:
    """Whether the choice is put into a sequence, or handed out step by step."""
    nodes = list(own_nodes(function.node))
    names = _carriers(pick, nodes)
    return any(_carries(value, pick, names) for node in nodes for value in _joined(node))


def leaves(pick: Pick, function: Function) -> bool:
    """Whether the choice, and not only a comparison with it, is returned."""
    names = _carriers(pick, list(own_nodes(function.node)))
    return any(_carries(value, pick, names) for value in function.returned)


def returned_beside(pick: Pick, function: Function) -> list[ast.expr]:
    """What a function returns together with the choice."""
    names = _carriers(pick, list(own_nodes(function.node)))
    pairs = [value.elts for value in function.returned if isinstance(value, ast.Tuple)]
    return [one for elements in pairs for one in elements if not _carries(one, pick, names)]


def in_loop(pick: Pick, function: Function) -> bool:
    """Whether the choice is made again and again, as tokens are."""
    around = _parents(function.node, pick.call)
    return any(isinstance(parent, ast.For | ast.While) for parent in around)


def _joined(node: ast.AST) -> list[ast.expr]:
    """What a node stores into a tensor, puts into a sequence or yields."""
    if isinstance(node, ast.Assign):
        stores = any(isinstance(target, ast.Subscript) for target in node.targets)
        return [node.value] if stores else []
    if isinstance(node, ast.Call):
        return _stored(node) if last_name(node.func) in JOINING else []
    return [node.value] if isinstance(node, ast.Yield) and node.value is not None else []


def _stored(call: ast.Call) -> list[ast.expr]:
    """What a call puts into a tensor or a sequence, without the places that it puts it at."""
    if last_name(call.func) not in STORING:
        return call.args
    named = [one.value for one in call.keywords if one.arg in ("src", "source", "value")]
    return named or call.args[-1:]


def _carriers(pick: Pick, nodes: list[ast.AST]) -> set[str]:
    """The names that hold the choice, or something made of it."""
    names: set[str] = set()
    while True:
        before = len(names)
        for node in nodes:
            if isinstance(node, ast.Assign) and _carries(node.value, pick, names):
                targets = [_index_target(target, node, pick) for target in node.targets]
                names.update(one.id for target in targets for one in names_in(target))
            elif isinstance(node, ast.NamedExpr) and _carries(node.value, pick, names):
                names.add(node.target.id)
        if len(names) == before:
            return names


def _index_target(target: ast.expr, statement: ast.Assign, pick: Pick) -> ast.expr:
    """The part of a target that gets the choice: of `best, index = x.max(-1)` the second."""
    pair = isinstance(target, ast.Tuple) and len(target.elts) == 2
    whole = statement.value is pick.call
    return target.elts[1] if pair and whole and isinstance(target, ast.Tuple) else target


def _carries(value: ast.AST, pick: Pick, names: set[str]) -> bool:
    """Whether a value is made of the choice; a comparison with it is not."""
    if value is pick.call or (isinstance(value, ast.Name) and value.id in names):
        return True
    if isinstance(value, ast.Compare | ast.Lambda):
        return False
    # What a model or a loss makes of a token is no token any more.
    if isinstance(value, ast.Call) and last_name(value.func) not in KEEPING:
        return isinstance(value.func, ast.Attribute) and _carries(value.func.value, pick, names)
    if isinstance(value, ast.Call) and last_name(value.func) in STORING:
        return any(_carries(part, pick, names) for part in (value.func, *_stored(value)))
    return any(_carries(child, pick, names) for child in ast.iter_child_nodes(value))


KEEPING = JOINING | frozenset(
    {
        *("int", "tensor", "stack", "unsqueeze", "squeeze", "view", "reshape", "where"),
        *("tolist", "item", "list", "decode", "from_numpy", "as_tensor", "LongTensor"),
    }
)


def is_greedy_by_choice(pick: Pick, frame: Frame) -> bool:
    """Whether the choice stands in a branch that is taken when sampling is not wanted."""
    inner: ast.AST = pick.call
    for parent in _parents(frame.function.node, pick.call):
        if isinstance(parent, ast.If | ast.IfExp):
            meaning = _meaning(parent.test, frame)
            body = parent.body if isinstance(parent.body, list) else [parent.body]
            if inner not in body and inner is not parent.test:
                meaning = None if meaning is None else not meaning
            if meaning:
                return True
        elif isinstance(parent, ast.match_case) and GREEDY.search(ast.unparse(parent.pattern)):
            return True
        inner = parent
    return False


def _parents(function: ast.AST, node: ast.AST) -> list[ast.AST]:
    """The nodes around `node` within a function, innermost first."""
    above = {
        id(child): parent for parent in ast.walk(function) for child in ast.iter_child_nodes(parent)
    }
    found: list[ast.AST] = []
    while id(node) in above and above[id(node)] is not function:
        node = above[id(node)]
        found.append(node)
    return found


def _meaning(test: ast.expr, frame: Frame) -> bool | None:
    """True: the test holds when the choice is to be greedy; False: when sampled; None: neither."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _meaning(test.operand, frame)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        meanings = (_meaning(value, frame) for value in test.values)
        return next((one for one in meanings if one is not None), None)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _meaning_of_comparison(test, frame)
    if isinstance(test, ast.Call) and last_name(test.func) in ("isclose", "allclose"):
        return True if temperature_in(test.args[0], frame) else None
    if temperature_in(test, frame):
        return False  # `if temperature:`
    return _meaning_of_words(test)


def _meaning_of_words(test: ast.AST) -> bool | None:
    text = ast.unparse(test)
    if GREEDY.search(text):
        return True
    return False if SAMPLING.search(text) else None


def _meaning_of_comparison(test: ast.Compare, frame: Frame) -> bool | None:
    left, operator, bound = test.left, test.ops[0], test.comparators[0]
    negated = isinstance(operator, ast.NotEq | ast.IsNot | ast.Gt | ast.GtE)
    if isinstance(left, ast.Constant):  # 0 < temperature
        left, bound = bound, left
        negated = isinstance(operator, ast.NotEq | ast.IsNot | ast.Lt | ast.LtE)
    number = bound.value if isinstance(bound, ast.Constant) else None
    if temperature_in(left, frame):
        near = number is None or (isinstance(number, int | float) and number <= NEARLY_ZERO)
        return not negated if near else None
    if re.search(r"(^|_)k$", ast.unparse(left)) and number == 1:
        return not negated  # top_k == 1
    meaning = _meaning_of_words(test)
    switched_off = number is False or number == 0
    return meaning if meaning is None or negated == switched_off else not meaning


def samples(frame: Frame) -> bool:
    """Whether a function draws random numbers, by itself or through a helper."""
    for node in own_nodes(frame.function.node):
        if draws(node):
            return True
        if isinstance(node, ast.Call):
            helper = frame.entering(node)
            if helper is not None and any(draws(one) for one in own_nodes(helper.function.node)):
                return True
    return False

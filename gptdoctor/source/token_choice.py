"""What becomes of a deterministic choice: whether it is a token, and greedy by choice."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import names_in
from gptdoctor.source.nodes import every_node
from gptdoctor.source.temperature import Frame, draws, last_name, temperature_in
from gptdoctor.source.token_picks import Pick

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
    return bool(loops_around(pick, function))


def loops_around(pick: Pick, function: Function) -> list[ast.For | ast.While]:
    """The loops of a function in which the choice stands, innermost first."""
    around = _parents(function.node, pick.call)
    return [parent for parent in around if isinstance(parent, ast.For | ast.While)]


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
        id(child): parent
        for parent in every_node(function)
        for child in ast.iter_child_nodes(parent)
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

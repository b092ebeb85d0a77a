"""Divisions by a temperature: which of them an expression comes from, and how one is guarded."""

from __future__ import annotations

import libcst as cst

from gptdoctor.remedies.calls import tensor_call
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.flow import bindings, fresh, function_of, has_call, names_in
from gptdoctor.remedies.parsed import ParsedSource, walk
from gptdoctor.remedies.remedy import Request
from gptdoctor.remedies.scores import MOVES, divisor_of, mentions

# Operations that turn scores into what tokens can be drawn by.
WEIGHS = frozenset({"softmax", "exp", "sigmoid"})
# Operations through which probabilities stay probabilities, but for their sum.
FILTERS = frozenset({"masked_fill", "masked_fill_", "where", "clamp", "scatter", "mul"})


def scalings(
    request: Request, function: cst.FunctionDef, temperature: str, scores: cst.BaseExpression
) -> list[cst.CSTNode]:
    """The divisions by the temperature that `scores` comes from, in the order of the text."""
    every = [
        node
        for node in walk(function, cst.BinaryOperation, cst.Call, cst.AugAssign)
        if divisor_of(request, node, temperature) is not None
        or (
            isinstance(node, cst.AugAssign)
            and isinstance(node.operator, cst.DivideAssign)
            and mentions(request, node.value, temperature)
        )
    ]
    source = request.source
    whole = [one for one in every if source.parent(one) not in every]  # `1 / t` of `x * (1 / t)`
    sources = _sources(source, function, scores)
    return [one for one in whole if any(source.inside(one, part) for part in sources)]


def _sources(
    source: ParsedSource, function: cst.FunctionDef, scores: cst.BaseExpression
) -> list[cst.CSTNode]:
    """`scores` and the statements that give its names their values, directly or through others."""
    found: list[cst.CSTNode] = [scores]
    names: set[str] = set()
    queue = sorted(names_in(scores))
    while queue:
        name = queue.pop()
        if name in names:
            continue
        names.add(name)
        for statement in _changing(source, function, name):
            found.append(statement)
            queue.extend(names_in(statement))
    return found


def _changing(source: ParsedSource, function: cst.FunctionDef, name: str) -> list[cst.CSTNode]:
    """What a local name is bound to, and the statements that change it in place."""
    bound = [
        one.statement if one.augmented else one.value
        for one in bindings(function, name)
        if one.value is not None
    ]
    in_place = [
        statement
        for statement in walk(function, cst.Expr)
        if isinstance(call := statement.value, cst.Call)
        and isinstance(call.func, cst.Attribute)
        and call.func.attr.value.endswith("_")
        and source.code(call.func.value) == name
    ]
    return [*bound, *in_place]


def guard_division(request: Request, edits: Edits, node: cst.CSTNode, test: str) -> None:
    """Make one division by the temperature happen only where `test` holds."""
    source = request.source
    if _is_guarded(source, node, test):
        return
    line = source.lone_statement(node)
    small = line.body[0]
    parts = divisor_of(request, node, test.partition(" ")[0])
    whole = isinstance(small, cst.Assign | cst.Expr) and small.value is node
    target = source.code(small.targets[0].target) if isinstance(small, cst.Assign) else None
    if node is small or (whole and _rewrites(source, small, parts)):
        _only_if(edits, line, test)
    elif whole and target is not None and parts is not None and _is_one_name(small):
        margin, newline = source.margin(line), source.newline
        scaled = _with(source, node, parts[0], target)
        lines = [
            f"{target} = {source.code(parts[0])}",
            f"if {test}:",
            f"{source.indent}{target} = {scaled}",
        ]
        edits.replace(line, f"{newline}{margin}".join(lines))
    elif parts is not None:
        _conditional(edits, line, node, parts[0], test)


def _is_guarded(source: ParsedSource, node: cst.CSTNode, test: str) -> bool:
    temperature = test.partition(" ")[0]
    marks = (f"{temperature} > 0", f"{temperature} != 0", f"{temperature} == 0")
    branches = [one for one in source.parents(node) if isinstance(one, cst.If | cst.IfExp)]
    tests = [f"{source.code(branch.test)} " for branch in branches]
    return any(f"{mark} " in found or f"{mark}.0 " in found for mark in marks for found in tests)


def _rewrites(
    source: ParsedSource,
    small: cst.BaseSmallStatement,
    parts: tuple[cst.BaseExpression, cst.BaseExpression] | None,
) -> bool:
    """`x = x / t`, or `x.div_(t)`: without the statement `x` is what it was."""
    if isinstance(small, cst.Assign) and parts is not None:
        return source.code(small.targets[0].target) == source.code(parts[0])
    return isinstance(small, cst.Expr)


def _is_one_name(small: cst.BaseSmallStatement) -> bool:
    return (
        isinstance(small, cst.Assign)
        and len(small.targets) == 1
        and isinstance(small.targets[0].target, cst.Name)
    )


def _only_if(edits: Edits, line: cst.SimpleStatementLine, test: str) -> None:
    """Put a statement under a test, or the test to the one that it stands under by itself."""
    source = edits.source
    block = source.block(line)
    branch = source.parent(block)
    if (
        isinstance(branch, cst.If)
        and branch.orelse is None
        and isinstance(block, cst.IndentedBlock)
        and len(block.body) == 1
    ):
        old = source.code(branch.test)
        binds_less = isinstance(branch.test, cst.BooleanOperation) and isinstance(
            branch.test.operator, cst.Or
        )
        loose = binds_less or isinstance(branch.test, cst.IfExp | cst.Lambda | cst.NamedExpr)
        edits.replace(branch.test, f"({old}) and {test}" if loose else f"{old} and {test}")
        return
    margin = source.margin(line)
    body = f"{source.newline}{margin}{source.indent}{source.code(line)}"
    edits.replace(line, f"if {test}:{body}")


def _conditional(
    edits: Edits,
    line: cst.SimpleStatementLine,
    node: cst.CSTNode,
    inner: cst.BaseExpression,
    test: str,
) -> None:
    source = edits.source
    code = source.code(inner)
    function = function_of(source, node)
    if has_call(inner) and function is not None:
        code = fresh(function, "next_logits", "next_token_logits", "last_logits")
        edits.before(line, [f"{code} = {source.code(inner)}"])
    text = f"{_with(source, node, inner, code)} if {test} else {code}"
    edits.replace(node, text if isinstance(source.parent(node), cst.Arg) else f"({text})")


def _with(source: ParsedSource, node: cst.CSTNode, inner: cst.BaseExpression, code: str) -> str:
    """The text of a node with other text in place of one of its parts."""
    (begin, end), (first, last) = source.span(node), source.span(inner)
    return source.text[begin:first] + code + source.text[last:end]


def is_weights(
    request: Request, node: cst.CSTNode | None, seen: frozenset[str] = frozenset()
) -> bool:
    """Whether an expression holds probabilities, perhaps filtered ones, and not scores."""
    if isinstance(node, cst.BinaryOperation):
        return is_weights(request, node.left, seen)
    if isinstance(node, cst.Subscript):
        return is_weights(request, node.value, seen)
    function = function_of(request.source, node) if node is not None else None
    if isinstance(node, cst.Name) and function is not None and node.value not in seen:
        place, _ = request.source.span(node)
        below = seen | {node.value}
        return any(
            is_weights(request, one.value, below)
            for one in bindings(function, node.value)
            if not one.part and request.source.span(one.statement)[0] < place
        )
    call = tensor_call(request, node)
    if call is None:
        return False
    passes = call.name in MOVES or call.name in FILTERS
    return call.name in WEIGHS or (passes and is_weights(request, call.subject, seen))

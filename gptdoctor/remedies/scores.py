"""From what an argmax sees back to the logits: temperature, softmax and the like taken off.

None of these changes which token is the likeliest, so that the greedy choice may be made on what
is left, and the temperature applied where tokens are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import libcst as cst

from gptdoctor.remedies.calls import TensorCall, integer, tensor_call
from gptdoctor.remedies.flow import Binding, function_of, reaching, uses
from gptdoctor.remedies.parsed import Statement, is_name, walk
from gptdoctor.remedies.remedy import Request

# Methods that move or convert numbers and leave their order alone.
MOVES = frozenset(
    ["float", "double", "half", "bfloat16", "detach", "cpu", "cuda", "to", "clone", "contiguous"]
)
DIVISIONS = frozenset({"div", "div_", "true_divide", "divide"})
TEMPERATURE_WORDS = frozenset({"temp", "temperature", "tau", "heat"})


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What is left, and what was taken off on the way."""

    core: cst.BaseExpression
    moves: str = ""  # text of the methods that move or convert: ".float()"
    scaling: cst.BaseExpression | None = None  # the divisor that holds the temperature
    softmax: TensorCall | None = None
    weights: str | None = None  # the local that held the probabilities, and is free now
    # Statements of locals that served this alone, nearest to the core last.
    steps: tuple[cst.SimpleStatementLine, ...] = ()
    divided: tuple[cst.CSTNode, ...] = field(default=())  # the divisions by the temperature


def peeled(
    request: Request, node: cst.BaseExpression, temperature: str, statement: Statement
) -> Scores:
    """Take off what can be; `statement` is the one that makes the greedy choice."""
    scores = Scores(core=node)
    while True:
        further = _once(request, scores, temperature)
        if further is None:
            further = _through_name(request, scores, temperature, statement)
        if further is None:
            return scores
        scores = further


def _once(request: Request, scores: Scores, temperature: str) -> Scores | None:
    """One operation less, or None."""
    node = scores.core
    divisor = divisor_of(request, node, temperature)
    if divisor is not None:
        if scores.scaling is not None:
            return None
        inner, scaling = divisor
        divided = (*scores.divided, node)
        return replace(scores, core=inner, scaling=scaling, divided=divided)
    call = tensor_call(request, node)
    if call is None:
        return None
    if call.name in ("softmax", "log_softmax") and _over_last(call):
        softmax = call if call.name == "softmax" else scores.softmax
        return replace(scores, core=call.subject, softmax=softmax)
    if call.name == "exp":
        return replace(scores, core=call.subject)
    if call.name in MOVES and not call.function:
        _, end = request.source.span(call.subject)
        text = request.source.text[end : request.source.span(node)[1]]
        return replace(scores, core=call.subject, moves=text + scores.moves)
    return None


def _over_last(call: TensorCall) -> bool:
    return integer(call.argument("dim", 0)) in (-1, 1)


def divisor_of(
    request: Request, node: cst.CSTNode, temperature: str
) -> tuple[cst.BaseExpression, cst.BaseExpression] | None:
    """Numerator and divisor where a node divides by the temperature."""
    if isinstance(node, cst.BinaryOperation):
        if isinstance(node.operator, cst.Divide) and mentions(request, node.right, temperature):
            return node.left, node.right
        if isinstance(node.operator, cst.Multiply):
            for inner, factor in ((node.left, node.right), (node.right, node.left)):
                divisor = _inverted(request, factor)
                if divisor is not None and mentions(request, divisor, temperature):
                    return inner, divisor
    call = tensor_call(request, node)
    if call is not None and call.name in DIVISIONS:
        divisor = call.argument("other", 0)
        if divisor is not None and mentions(request, divisor, temperature):
            return call.subject, divisor
    return None


def _inverted(request: Request, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """`t` of `1 / t`."""
    if not isinstance(node, cst.BinaryOperation) or not isinstance(node.operator, cst.Divide):
        return None
    return node.right if request.source.code(node.left) in ("1", "1.0", "1.") else None


def mentions(request: Request, node: cst.CSTNode, temperature: str) -> bool:
    """Whether an expression holds the temperature."""
    return any(
        request.source.code(one) == temperature for one in walk(node, cst.Name, cst.Attribute)
    )


def _through_name(
    request: Request, scores: Scores, temperature: str, statement: Statement
) -> Scores | None:
    """The value of a local that serves this alone, where more can be taken off it."""
    name, source = scores.core, request.source
    if not isinstance(name, cst.Name):
        return None
    binding = reaching(source, name.value, name)
    if binding is None or binding.value is None or binding.part:
        return None
    line = source.statement(binding.statement)
    alone = isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1
    if not alone or source.block(line) is not source.block(statement):
        return None
    if not isinstance(line, cst.SimpleStatementLine) or _serves_others(request, name, binding):
        return None
    steps = (*scores.steps, line)
    if isinstance(binding.statement, cst.AugAssign):
        return _before_division(request, scores, temperature, binding.statement, steps)
    if not isinstance(binding.statement, cst.Assign) or len(binding.statement.targets) != 1:
        return None
    further = _once(request, replace(scores, core=binding.value), temperature)
    if further is None:
        return None
    weights = name.value if further.softmax is not scores.softmax else scores.weights
    return replace(further, steps=steps, weights=weights)


def _serves_others(request: Request, name: cst.Name, binding: Binding) -> bool:
    """Whether the value that a name has here is read at another place, too."""
    source = request.source
    function = function_of(source, name)
    _, end = source.span(binding.statement)
    for use in uses(function, name.value, source) if function is not None else ():
        after = source.span(use)[0] >= end and use is not name
        if after or reaching(source, name.value, use) is None:
            return True
    return False


def _before_division(
    request: Request,
    scores: Scores,
    temperature: str,
    division: cst.AugAssign,
    steps: tuple[cst.SimpleStatementLine, ...],
) -> Scores | None:
    """The name as it was before `name /= temperature`."""
    divides = isinstance(division.operator, cst.DivideAssign)
    if not divides or not mentions(request, division.value, temperature) or scores.scaling:
        return None
    return replace(
        scores,
        core=division.target,
        scaling=division.value,
        steps=steps,
        divided=(*scores.divided, division),
    )


def temperature_of(request: Request, function: cst.FunctionDef) -> str | None:
    """How the function calls its temperature: a parameter or an attribute, by its name."""
    told = request.finding.details.get("temperature")
    for node in walk(function, cst.Name, cst.Attribute):
        if isinstance(told, str) and request.source.code(node) in (told, f"self.{told}"):
            return request.source.code(node)
    parameters = [one.name for one in walk(function.params, cst.Param)]
    for node in (*parameters, *_divisors(function)):
        last = node.attr if isinstance(node, cst.Attribute) else node
        if TEMPERATURE_WORDS.intersection(last.value.lower().split("_")):
            return request.source.code(node)
    return _only_divisor(request, function)


def _divisors(function: cst.FunctionDef) -> Iterator[cst.Name | cst.Attribute]:
    for division in walk(function, cst.BinaryOperation):
        divisor = division.right
        if isinstance(division.operator, cst.Divide) and isinstance(
            divisor, cst.Name | cst.Attribute
        ):
            yield divisor


def _only_divisor(request: Request, function: cst.FunctionDef) -> str | None:
    """A parameter with a number for its default that something is divided by."""
    numbers = {
        one.name.value
        for one in walk(function.params, cst.Param)
        if isinstance(one.default, cst.Float | cst.Integer)
    }
    found = {node.value for node in _divisors(function) if isinstance(node, cst.Name)} & numbers
    return found.pop() if len(found) == 1 else None


def may_be_none(function: cst.FunctionDef, temperature: str) -> bool:
    """Whether a function takes None for its temperature."""
    return any(
        one.name.value == temperature and is_name(one.default, "None")
        for one in walk(function.params, cst.Param)
    )

"""GD701: say clearly what is needed, before a division by zero or an empty stack does it badly."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gptdoctor.remedies.accepted import accepted_inputs
from gptdoctor.remedies.calls import integer, tensor_call
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.flow import bindings, fresh, function_of, names_in
from gptdoctor.remedies.parsed import ParsedSource, Statement, is_name, walk
from gptdoctor.remedies.refusal import refusal
from gptdoctor.remedies.remedy import Remedy, Request

# What fails on an empty list, or makes nonsense of it.
GATHERS = frozenset({"stack", "cat", "concat", "concatenate", "vstack", "hstack"})
FOLDS = frozenset({"reduce", "sum", "max", "min"})


def _mend(request: Request) -> str:
    source = request.source
    statement = _statement(request)
    function = function_of(source, statement)
    if function is None:
        raise Declined("this place is not in a function")
    edits = Edits(source)
    gathered = _gathered(request, function, statement)
    if isinstance(gathered, cst.ListComp | cst.GeneratorExp):
        name = fresh(function, "parts", "inputs", "features")
        code = source.code(gathered).removeprefix("(").removeprefix("[")
        listed = f"{name} = [{code.removesuffix(')').removesuffix(']')}]"
        edits.replace(gathered, name)
        lines = [listed, *_refusal(request, statement, gathered, f"not {name}")]
        edits.above_comments(statement, lines)
    else:
        test = _emptiness(function, gathered)
        if _refused(source, function, test):
            raise Declined("an empty input is refused already")
        _place(edits, function, statement, _refusal(request, statement, gathered, test), gathered)
    return edits.result()


def _statement(request: Request) -> Statement:
    """The statement at the finding's place, the innermost where several stand there."""
    found = [
        node
        for node in walk(request.source.module, cst.SimpleStatementLine)
        if request.covered(node)
    ]
    if not found:
        raise Declined("nothing at this place gathers inputs")
    return request.source.lone_statement(found[-1])


def _gathered(request: Request, function: cst.FunctionDef, statement: Statement) -> cst.CSTNode:
    """The list, or the counter, that is empty when no input was given."""
    for candidate in _candidates(request, statement):
        if isinstance(candidate, cst.ListComp | cst.GeneratorExp):
            return candidate
        if isinstance(candidate, cst.Name) and bindings(function, candidate.value):
            return candidate
    raise Declined("it is not clear what would be empty here")


def _candidates(request: Request, statement: Statement) -> Iterator[cst.BaseExpression]:
    calls = list(walk(statement, cst.Call))
    for call in calls:  # the count that a sum is divided by is the surest of all
        if is_name(call.func, "len") and call.args:
            yield _plain(call.args[0].value)
    for call in calls:
        operation = tensor_call(request, call)
        if operation is not None and operation.name in GATHERS:
            yield _plain(operation.subject)
        if (request.dotted(call.func) or "").rpartition(".")[2] in FOLDS:
            yield from (_plain(argument.value) for argument in call.args)
    for division in walk(statement, cst.BinaryOperation):
        if isinstance(division.operator, cst.Divide):
            yield division.right


def _plain(node: cst.BaseExpression) -> cst.BaseExpression:
    """`parts` of `list(parts.values())`."""
    while isinstance(node, cst.Call):
        if isinstance(node.func, cst.Attribute) and node.func.attr.value == "values":
            node = node.func.value
        elif isinstance(node.func, cst.Name) and node.func.value in ("list", "tuple") and node.args:
            node = node.args[0].value
        else:
            break
    return node


def _emptiness(function: cst.FunctionDef, gathered: cst.CSTNode) -> str:
    """The test that is true where no input was given."""
    name = gathered.value if isinstance(gathered, cst.Name) else ""
    values = [one.value for one in bindings(function, name)]
    if any(integer(value) == 0 for value in values):
        return f"{name} == 0"
    if any(is_name(value, "None") for value in values):
        return f"{name} is None"
    if all(value is None for value in values):
        return f"len({name}) == 0"  # an argument: a list, or perhaps a tensor, which has no truth
    return f"not {name}"


def _refused(source: ParsedSource, function: cst.FunctionDef, test: str) -> bool:
    """Whether the function stops with an error of its own under the same test."""
    return any(
        source.code(branch.test) == test and any(True for _ in walk(branch.body, cst.Raise))
        for branch in walk(function, cst.If)
    )


def _place(
    edits: Edits,
    function: cst.FunctionDef,
    statement: Statement,
    lines: list[str],
    gathered: cst.CSTNode,
) -> None:
    """Write the refusal before the statement, or in place of an assert that was the only guard."""
    source = edits.source
    asserted = _assertion(source, function, gathered)
    if asserted is None or source.block(asserted) is not source.block(statement):
        edits.above_comments(statement, lines)
        return
    edits.above_comments(asserted, lines)
    edits.delete_lines(asserted)


def _assertion(
    source: ParsedSource, function: cst.FunctionDef, gathered: cst.CSTNode
) -> cst.SimpleStatementLine | None:
    """An assert that asks for nothing but that the list is not empty."""
    for assertion in walk(function, cst.Assert):
        if names_in(assertion.test) - {"len"} == names_in(gathered):
            line = source.parent(assertion)
            if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
                return line
    return None


def _refusal(request: Request, statement: Statement, gathered: cst.CSTNode, test: str) -> list[str]:
    source = request.source
    sentence = _sentence(source, statement, gathered)
    margin = source.margin(statement)
    return refusal(test, "ValueError", sentence, indent=source.indent, margin=margin)


def _sentence(source: ParsedSource, statement: Statement, gathered: cst.CSTNode) -> str:
    function = source.around(statement, cst.FunctionDef)
    owner = source.around(statement, cst.ClassDef)
    if function is None:
        raise Declined("this place is not in a function")
    label = function.name.value
    if owner is not None:
        called = label in ("forward", "__call__")
        label = owner.name.value if called else f"{owner.name.value}.{label}"
    names = accepted_inputs(source, function, gathered)
    if len(names) == 1:
        return f"{label} needs {names[0]}"
    return f"{label} needs at least one " + (f"of {', '.join(names)}" if names else "input")


REMEDY = Remedy(mend=_mend)

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
GATHERS = frozenset({"stack", "cat", "concat", "concatenate", "vstack", "hstack", "pad_sequence"})
FOLDS = frozenset({"reduce", "sum", "max", "min", "mean", "fmean"})


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
        begin, end = source.span(gathered.elt)[0], source.span(gathered.for_in)[1]
        listed = f"{name} = [{source.text[begin:end]}]"
        edits.replace(gathered, name)
        lines = [listed, *_refusal(request, statement, gathered, f"not {name}")]
        edits.above_comments(statement, lines)
        return edits.result()
    if _is_refused(function, gathered):
        raise Declined("an empty input is refused already")
    _place(request, edits, function, statement, gathered)
    return edits.result()


def _statement(request: Request) -> Statement:
    """The statement at the finding's place, the innermost where several stand there.

    Where that is an assert, the one that the assert guards.
    """
    source, told = request.source, request.finding.details.get("operation_line")
    guarded = told if isinstance(told, int) else 0
    found = [
        node
        for node in walk(source.module, cst.SimpleStatementLine)
        if request.within(node)
        if request.covered(node) or source.line(node) <= guarded <= source.last_line(node)
    ]
    if not found:
        raise Declined("nothing at this place gathers inputs")
    return request.source.lone_statement(found[-1])


def _gathered(
    request: Request, function: cst.FunctionDef, statement: Statement
) -> cst.Name | cst.ListComp | cst.GeneratorExp:
    """The list, or the counter, that is empty when no input was given."""
    for candidate in _candidates(request, function, statement):
        if isinstance(candidate, cst.ListComp | cst.GeneratorExp):
            return candidate
        if isinstance(candidate, cst.Name) and bindings(function, candidate.value):
            return candidate
    raise Declined("it is not clear what would be empty here")


def _candidates(
    request: Request, function: cst.FunctionDef, statement: Statement
) -> Iterator[cst.BaseExpression]:
    """What may be empty in a statement, surest first."""
    told = request.finding.details.get("list")
    yield from (name for name in walk(statement, cst.Name) if name.value == told)
    calls = list(walk(statement, cst.Call))
    for call in calls:  # the count that a sum is divided by
        if is_name(call.func, "len") and call.args:
            yield _plain(call.args[0].value)
    for call in calls:
        operation = tensor_call(request, call)
        if operation is not None and operation.name in GATHERS:
            yield _plain(operation.subject)
    for call in calls:
        if (request.dotted(call.func) or "").rpartition(".")[2] in FOLDS:
            given = (_plain(argument.value) for argument in call.args)
            yield from (one for one in given if not _is_parameter(function, one))
    for division in walk(statement, cst.BinaryOperation):
        if isinstance(division.operator, cst.Divide) and _is_counter(function, division.right):
            yield division.right


def _is_parameter(function: cst.FunctionDef, node: cst.BaseExpression) -> bool:
    values = [one.value for one in bindings(function, _name(node))]
    return bool(values) and all(value is None for value in values)


def _is_counter(function: cst.FunctionDef, node: cst.BaseExpression) -> bool:
    return any(integer(one.value) == 0 for one in bindings(function, _name(node)))


def _name(node: cst.BaseExpression) -> str:
    return node.value if isinstance(node, cst.Name) else ""


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


def _emptiness(function: cst.FunctionDef, gathered: cst.Name) -> str:
    """The test that is true where no input was given."""
    name = gathered.value
    if _is_counter(function, gathered):
        return f"{name} == 0"
    if any(is_name(one.value, "None") for one in bindings(function, name)):
        return f"{name} is None"
    if _is_parameter(function, gathered):
        return f"len({name}) == 0"  # a list, or perhaps a tensor, which has no truth
    return f"not {name}"


def _is_refused(function: cst.FunctionDef, gathered: cst.Name) -> bool:
    """Whether the function stops with an error of its own where the list is empty."""
    return any(
        names_in(branch.test) - {"len"} == {gathered.value}
        and any(True for _ in walk(branch.body, cst.Raise))
        for branch in walk(function, cst.If)
    )


def _place(
    request: Request,
    edits: Edits,
    function: cst.FunctionDef,
    statement: Statement,
    gathered: cst.Name,
) -> None:
    """Write the refusal before the statement, or in place of an assert that was the only guard."""
    source = edits.source
    test = _emptiness(function, gathered)
    inputs = set(accepted_inputs(source, function, gathered))
    for line, assertion in _asserts(source, function):
        names = names_in(assertion.test) - {"len", "None", "any", "all"}
        if source.block(line) is source.block(statement) and names in ({gathered.value}, inputs):
            # An assert of the inputs stands where the list is not filled yet.
            asks_inputs = names != {gathered.value}
            told = f"not ({source.code(assertion.test)})" if asks_inputs else test
            edits.above_comments(line, _refusal(request, statement, gathered, told))
            edits.delete_lines(line)
            return
    edits.above_comments(statement, _refusal(request, statement, gathered, test))


def _asserts(
    source: ParsedSource, function: cst.FunctionDef
) -> Iterator[tuple[cst.SimpleStatementLine, cst.Assert]]:
    for assertion in walk(function, cst.Assert):
        line = source.parent(assertion)
        if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
            yield line, assertion


def _refusal(request: Request, statement: Statement, gathered: cst.CSTNode, test: str) -> list[str]:
    source = request.source
    sentence = _sentence(request, statement, gathered)
    margin = source.margin(statement)
    return refusal(test, "ValueError", sentence, indent=source.indent, margin=margin)


def _sentence(request: Request, statement: Statement, gathered: cst.CSTNode) -> str:
    source = request.source
    function = source.around(statement, cst.FunctionDef)
    owner = source.around(statement, cst.ClassDef)
    if function is None:
        raise Declined("this place is not in a function")
    label = function.name.value
    if owner is not None:
        called = label in ("forward", "__call__")
        label = owner.name.value if called else f"{owner.name.value}.{label}"
    names = accepted_inputs(source, function, gathered)
    told = request.finding.details.get("inputs")
    if not names and isinstance(told, tuple):  # those of a caller
        names = [str(name) for name in told]
    if len(names) == 1:
        return f"{label} needs {names[0]}"
    return f"{label} needs at least one " + (f"of {', '.join(names)}" if names else "input")


REMEDY = Remedy(mend=_mend)

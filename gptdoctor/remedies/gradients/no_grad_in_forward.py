"""GD101: let gradients be recorded where a training forward needs them.

The rule: the decorator, the with item or the call goes. Generation that calls the function under
its own `no_grad` stays as it was, because that one still stands. Only where a function draws
tokens itself, so that it is forward and generation in one, gradients are left to `self.training`;
the mode outside is kept, so that a caller's `no_grad` still counts.

Statements that write into the module's own state (statistics, a balance) must not be recorded:
they keep the switch in a block of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import libcst as cst

from gptdoctor.remedies.calls import tensor_call
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.housekeeping import runs, writes_state
from gptdoctor.remedies.imported import drop_unused
from gptdoctor.remedies.parsed import ParsedSource, Span, is_docstring, is_name, walk
from gptdoctor.remedies.remedy import Remedy, Request

SWITCHES = frozenset({"no_grad", "inference_mode"})
DRAWS = frozenset({"multinomial", "argmax"})
APPENDS = frozenset({"cat", "append", "concat"})


@dataclass(frozen=True, kw_only=True)
class Switched:
    """What was found at the place: the expression that switches gradients off."""

    switch: cst.BaseExpression
    kept: bool = False  # its text is still used for a block of housekeeping


def _mend(request: Request) -> str:
    edits = Edits(request.source)
    found = next((one for form in FORMS if (one := form(request, edits)) is not None), None)
    if found is None:
        raise Declined("nothing at this place switches gradients off")
    root = found.switch
    while isinstance(root, cst.Call | cst.Attribute):
        root = root.func if isinstance(root, cst.Call) else root.value
    if isinstance(root, cst.Name) and not found.kept:
        drop_unused(edits, root.value, [found.switch])
    return edits.result()


def _switches_off(request: Request, node: cst.BaseExpression) -> bool:
    """Whether an expression is `no_grad`, `no_grad()`, `set_grad_enabled(False)` and the like."""
    if not isinstance(node, cst.Call):
        return (request.dotted(node) or "").rpartition(".")[2] in SWITCHES
    name = (request.dotted(node.func) or "").rpartition(".")[2]
    only = node.args[0].value if len(node.args) == 1 else None
    if name == "set_grad_enabled":
        return is_name(only, "False")
    return name in SWITCHES and (not node.args or is_name(only, "True"))


def _decorator(request: Request, edits: Edits) -> Switched | None:
    for decorator in walk(request.source.module, cst.Decorator):
        function = request.source.parent(decorator)
        if (
            isinstance(function, cst.FunctionDef)
            and request.here(decorator)
            and _switches_off(request, decorator.decorator)
        ):
            edits.delete_lines(decorator)
            kept = _keep_in_function(request, edits, function, decorator.decorator)
            return Switched(switch=decorator.decorator, kept=kept)
    return None


def _keep_in_function(
    request: Request, edits: Edits, function: cst.FunctionDef, switch: cst.BaseExpression
) -> bool:
    """Wrap what must not always be recorded; whether the old switch is still used for it."""
    source = edits.source
    statements = _after_docstring(_body(function.body))
    if _generates(request, function):
        _wrap(edits, statements, _by_training(request, function))
        return False
    state = [run for kept, run in _checked_runs(statements, source) if kept]
    for run in state:
        _wrap(edits, run, _as_call(source, switch))
    return bool(state)


def _checked_runs(
    statements: Sequence[cst.BaseStatement], source: ParsedSource
) -> list[tuple[bool, list[cst.BaseStatement]]]:
    found = runs(statements, source)
    if any(writes_state(one, source) for kept, run in found if not kept for one in run):
        raise Declined("one statement both computes and writes into the module's state")
    return found


def _body(suite: cst.BaseSuite) -> Sequence[cst.BaseStatement]:
    return suite.body if isinstance(suite, cst.IndentedBlock) else ()


def _after_docstring(statements: Sequence[cst.BaseStatement]) -> Sequence[cst.BaseStatement]:
    return statements[1:] if statements and is_docstring(statements[0]) else statements


def _generates(request: Request, function: cst.FunctionDef) -> bool:
    """Whether a function draws tokens in a loop and appends them."""
    calls = [tensor_call(request, call) for call in walk(function, cst.Call)]
    names = {call.name for call in calls if call is not None}
    loops = any(True for _ in walk(function, cst.For, cst.While))
    return loops and bool(names & DRAWS) and bool(names & APPENDS)


def _by_training(request: Request, function: cst.FunctionDef) -> str:
    aliases = request.module.names.aliases
    torch = next((name for name, origin in aliases.items() if origin == "torch"), None)
    first = function.params.params[0].name.value if function.params.params else ""
    if torch is None or first != "self":
        raise Declined("the function draws tokens itself, and cannot ask whether it is trained")
    return f"{torch}.set_grad_enabled({torch}.is_grad_enabled() and self.training)"


def _as_call(source: ParsedSource, switch: cst.BaseExpression) -> str:
    return source.code(switch) + ("" if isinstance(switch, cst.Call) else "()")


def _wrap(edits: Edits, statements: Sequence[cst.BaseStatement], context: str) -> None:
    """Put statements into a with block."""
    if not statements:
        raise Declined("the function has no lines of its own")
    source = edits.source
    margin = source.margin(statements[0])
    lines = source.lines(statements)
    edits.insert(lines[0], f"{margin}with {context}:{source.newline}")
    edits.shift(lines, margin, margin + source.indent)


def _with_item(request: Request, edits: Edits) -> Switched | None:
    for block in walk(request.source.module, cst.With):
        for item in block.items:
            placed = request.here(block) or request.here(item.item)
            if placed and _switches_off(request, item.item):
                if item.asname is not None:
                    raise Declined("the with statement gives the switch a name")
                return Switched(switch=item.item, kept=_drop_item(edits, block, item))
    return None


def _drop_item(edits: Edits, block: cst.With, item: cst.WithItem) -> bool:
    """Take one item off a with statement; whether a part of the block keeps it."""
    source = edits.source
    statements = _body(block.body)
    if not writes_state(block.body, source):
        if len(block.items) > 1:
            edits.replace_span(_item_span(source, block, item), "")
        else:
            _dissolve(edits, block)
        return False
    if len(block.items) > 1 or not statements:
        raise Declined("the block also writes into the module's state")
    _split(edits, block, _checked_runs(statements, source))
    return True


def _item_span(source: ParsedSource, block: cst.With, item: cst.WithItem) -> Span:
    """An item with the comma that goes with it."""
    place = list(block.items).index(item)
    begin, end = source.span(item.item)
    if place + 1 < len(block.items):
        return begin, source.span(block.items[place + 1].item)[0]
    before = block.items[place - 1]
    last = before.asname.name if before.asname is not None else before.item
    return source.span(last)[1], end


def _dissolve(edits: Edits, block: cst.With) -> None:
    """Take the header of a with statement away, and give its body the header's margin."""
    source = edits.source
    begin, _ = source.span(block)
    statements = _body(block.body)
    if not statements:  # `with torch.no_grad(): x = f(y)`
        edits.replace_span((begin, source.span(block.body)[0]), "")
        return
    header = source.line_start(begin), source.next_line(_colon(source, block))
    edits.replace_span(header, "")
    _, end = source.lines(statements)
    edits.shift((header[1], end), source.margin(statements[0]), source.margin(block))


def _colon(source: ParsedSource, block: cst.With) -> int:
    return source.text.index(":", source.span(block.items[-1])[1])


def _split(
    edits: Edits, block: cst.With, parts: list[tuple[bool, list[cst.BaseStatement]]]
) -> None:
    """Keep a with statement for the parts that write state, and take the others out of it."""
    source = edits.source
    begin, _ = source.span(block)
    header = source.line_start(begin), source.next_line(_colon(source, block))
    if not parts[0][0]:
        edits.replace_span(header, "")
    for number, (kept, run) in enumerate(parts):
        lines = source.lines(run)
        if not kept:
            start = header[1] if number == 0 else lines[0]
            edits.shift((start, lines[1]), source.margin(run[0]), source.margin(block))
        elif number > 0:
            edits.insert(lines[0], source.text[slice(*header)])


def _statement(request: Request, edits: Edits) -> Switched | None:
    """`torch.set_grad_enabled(False)` as a statement, and the one that takes it back."""
    for line in walk(request.source.module, cst.SimpleStatementLine):
        call = _only_expression(line)
        if call is not None and request.here(line) and _switches_off(request, call):
            edits.delete_lines(line)
            back = f"{request.source.code(call).partition('(')[0]}(True)"
            block = request.source.block(line)
            for other in walk(block, cst.SimpleStatementLine):
                value = _only_expression(other)
                later = request.source.line(other) > request.source.line(line)
                same = request.source.block(other) is block and later
                if value is not None and same and request.source.code(value) == back:
                    edits.delete_lines(other)
            return Switched(switch=call)
    return None


def _only_expression(line: cst.SimpleStatementLine) -> cst.BaseExpression | None:
    only = line.body[0] if len(line.body) == 1 else None
    return only.value if isinstance(only, cst.Expr) else None


def _wrapped_function(request: Request, edits: Edits) -> Switched | None:
    """`f = torch.no_grad()(f)`."""
    for call in walk(request.source.module, cst.Call):
        if not isinstance(call.func, cst.Call) or not request.here(call) or len(call.args) != 1:
            continue
        if _switches_off(request, call.func):
            inner = request.source.code(call.args[0].value)
            statement = request.source.lone_statement(call)
            if request.source.code(statement).replace(" ", "").startswith(f"{inner}="):
                edits.delete_lines(statement)
            else:
                edits.replace(call, inner)
            return Switched(switch=call.func)
    return None


FORMS: tuple[Callable[[Request, Edits], Switched | None], ...] = (
    _decorator,
    _with_item,
    _statement,
    _wrapped_function,
)

REMEDY = Remedy(mend=_mend)

"""GD201: weight the answer of every chosen expert, and add it to those of the others.

The buffer starts from zeros, because each row is the sum of what its experts say. An answer that
is not weighted yet gets the router's weight of that choice; where the text does not show which
weights these are, nothing is changed.
"""

from __future__ import annotations

import libcst as cst

from gptdoctor.remedies.calls import tensor_call
from gptdoctor.remedies.choices import Selection, picked_expert, selection_of
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.factors import is_weighted
from gptdoctor.remedies.flow import Binding, bindings, fresh, function_of, names_in
from gptdoctor.remedies.overwrites import Overwrite, add, overwrite_of
from gptdoctor.remedies.parsed import ParsedSource, walk
from gptdoctor.remedies.refusal import LONGEST_LINE
from gptdoctor.remedies.remedy import Remedy, Request
from gptdoctor.remedies.weights import weights_text

ZEROS = frozenset({"zeros_like", "zeros", "new_zeros"})
EMPTY = {"empty_like": "zeros_like", "empty": "zeros", "new_empty": "new_zeros"}


def _mend(request: Request) -> str:
    source = request.source
    write = _overwrite(request)
    function = function_of(source, write.line)
    if function is None:
        raise Declined("this place is not in a function")
    edits = Edits(source)
    selection = _selection(request, write)
    _start_from_zeros(request, edits, function, write, selection)
    value = source.code(write.value)
    if not is_weighted(request, write.value):
        value = _weighted(request, edits, function, write, selection)
    add(edits, write, value)
    if selection is not None:
        _skip_unchosen(edits, write, selection)
    return edits.result()


def _overwrite(request: Request) -> Overwrite:
    """The statement that the finding points at."""
    source, place = request.source, request.finding.location
    found = []
    for line in walk(source.module, cst.SimpleStatementLine):
        inside = place.line <= source.line(line) <= place.end_line or request.covered(line)
        loop = source.around(line, cst.For)
        if inside and loop is not None and request.within(line):
            write = overwrite_of(request, line)
            if write is not None:
                found.append(write)
    written = [one for one in found if one.selectors] or found
    if not written:
        raise Declined("no statement at this place writes over what experts have answered")
    line = request.source.lone_statement(written[0].line)
    if len(written) > 1 and source.line(line) != place.line:
        raise Declined("several statements at this place write what experts answer")
    return written[0]


def _selection(request: Request, write: Overwrite) -> Selection | None:
    """The mask or the rows that the statement writes at, as far as they can be followed."""
    for selector in write.selectors:
        for name in walk(selector, cst.Name):
            found = selection_of(request, name, as_wide=write.masked)
            if found is not None:
                return found
        found = selection_of(request, selector, as_wide=write.masked)
        if found is not None:
            return found
    return None


def _start_from_zeros(
    request: Request,
    edits: Edits,
    function: cst.FunctionDef,
    write: Overwrite,
    selection: Selection | None,
) -> None:
    """Make sure that the buffer holds nothing before the first answer is added."""
    source = request.source
    binding = _made(source, function, write)
    value = binding.value
    text = source.code(value) if value is not None else ""
    call = tensor_call(request, value)
    if text in ("0", "0.0", "0."):
        return
    if call is None or binding.part:
        raise Declined(f"{write.buffer} starts from something that may be meant to be added to")
    if call.name in ZEROS or (call.node.args and _named(request, call.node) in ZEROS):
        return
    if _named(request, call.node) in EMPTY:
        func = call.node.func
        name = func.attr if isinstance(func, cst.Attribute) else func
        edits.replace(name, EMPTY[_named(request, call.node)])
    elif call.name == "clone" and selection is not None and selection.plain:
        # With the k best experts of every token no row keeps what it was a copy of.
        original = source.code(call.subject)
        torch = _torch(request)
        zeros = (
            f"{torch}.zeros_like({original})"
            if torch
            else f"{original}.new_zeros({original}.shape)"
        )
        edits.replace(call.node, zeros)
    else:
        raise Declined(f"{write.buffer} starts from something that may be meant to be added to")


def _named(request: Request, call: cst.Call) -> str:
    """The last part of what a call calls: `torch.zeros(B, T)` has no tensor to be a method of."""
    if isinstance(call.func, cst.Attribute):
        return call.func.attr.value
    return (request.dotted(call.func) or "").rpartition(".")[2]


def _torch(request: Request) -> str:
    aliases = request.module.names.aliases
    return next((name for name, origin in aliases.items() if origin == "torch"), "")


def _made(source: ParsedSource, function: cst.FunctionDef, write: Overwrite) -> Binding:
    """The statement before the loops that makes the buffer."""
    loops = [one for one in source.parents(write.line) if isinstance(one, cst.For | cst.While)]
    begin, _ = source.span(write.line)
    found = [
        one
        for one in bindings(function, write.buffer)
        if source.span(one.statement)[1] <= begin and not source.inside(one.statement, write.line)
    ]
    if not found or found[-1].augmented or not isinstance(found[-1].statement, cst.Assign):
        raise Declined(f"it is not clear what {write.buffer} starts from")
    made = found[-1]
    around = [loop for loop in loops if not source.inside(made.statement, loop)]
    if not around:
        raise Declined(f"{write.buffer} is made anew for every answer")
    outer = next(
        one for one in source.parents(made.statement) if isinstance(one, cst.IndentedBlock)
    )
    if not source.inside(write.line, outer):
        raise Declined(f"it is not clear what {write.buffer} starts from")
    return made


def _weighted(
    request: Request,
    edits: Edits,
    function: cst.FunctionDef,
    write: Overwrite,
    selection: Selection | None,
) -> str:
    """The answer multiplied by the router's weight of this choice."""
    source = request.source
    if selection is None:
        choice = picked_expert(request, write.value)
        if choice is None:
            raise Declined("it is not clear which choice of the router this answer belongs to")
        weight = weights_text(request, edits, function, choice, write.line)
    else:
        weight = weights_text(request, edits, function, selection.choice, write.line)
        pick = selection.pick
        if selection.unused is not None:
            name = fresh(function, "slot", "nth", "choice")
            edits.replace(selection.unused, name)
            pick = pick.replace("{unused}", name)
        weight += pick if write.masked else f"{pick}.unsqueeze(-1)"
    answer = _factor(source, write.value)
    target = source.code(write.line).partition("=")[0].rstrip()
    if len(f"{source.margin(write.line)}{target} += {weight} * {answer}") <= LONGEST_LINE:
        return f"{weight} * {answer}"
    name = fresh(function, "weight", "share", "router_weight")
    edits.before(write.line, [f"{name} = {weight}"])
    return f"{name} * {answer}"


def _factor(source: ParsedSource, node: cst.BaseExpression) -> str:
    text = source.code(node)
    simple = isinstance(node, cst.Name | cst.Call | cst.Attribute | cst.Subscript)
    return text if simple or node.lpar else f"({text})"


def _skip_unchosen(edits: Edits, write: Overwrite, selection: Selection) -> None:
    """Pass by experts that no row was sent to, where the loop does nothing else for them."""
    source = edits.source
    loop = source.around(write.line, cst.For)
    made = selection.statement
    if loop is None or made is None or not isinstance(loop.body, cst.IndentedBlock):
        return
    if "unique" in source.code(loop.iter):  # the loop goes through the chosen ones alone
        return
    body: list[cst.CSTNode] = list(loop.body.body)
    line = source.parent(made)
    if line is None or line not in body or write.line is not body[-1]:
        return
    following = body[body.index(line) + 1 :]
    chain = {selection.name}
    for statement in following:
        assigns = isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1
        if not assigns or (not names_in(statement) & chain and statement is not write.line):
            return
        chain |= names_in(statement)
    test = f"not {selection.name}.any()" if selection.is_mask else f"{selection.name}.numel() == 0"
    edits.after(line, [f"if {test}:", f"{source.indent}continue"])


REMEDY = Remedy(mend=_mend)

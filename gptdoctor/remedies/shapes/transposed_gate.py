"""GD301: pick the expert dimension by itself, and leave the order of the others alone.

`gate.T` of a [B, T, E] gate is [E, T, B]; what is meant is [E, B, T]. On a matrix the new form
gives what the old one gave, so that code which was right keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gptdoctor.remedies.calls import integer, integers, plain_index, tensor_call
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.flow import function_of
from gptdoctor.remedies.parsed import ParsedSource, walk
from gptdoctor.remedies.remedy import Remedy, Request

# How a gate is used that no loop takes apart, as the finding says.
MULTIPLIED = "multiplied"
SWAPS = frozenset({"transpose", "swapaxes", "swapdims"})
ITERATORS = frozenset({"zip", "enumerate", "iter", "list", "tuple", "reversed", "map"})


def _mend(request: Request) -> str:
    node, gate = _transposition(request)
    _check_not_undone(request, node)
    edits = Edits(request.source)
    if request.finding.details.get("use") == MULTIPLIED:  # number by number: no turn at all
        edits.replace(node, request.source.code(gate))
        return edits.result()
    outer = request.source.parent(node)
    index = plain_index(outer)
    if isinstance(outer, cst.Subscript) and outer.value is node and index is not None:
        number = request.source.code(index)
        edits.replace(outer, f"{primary(request.source, gate)}[..., {number}]")
    elif _iterated(request.source, node):
        edits.replace(node, _call(request, node, gate, "unbind", "-1"))
    else:
        edits.replace(node, _call(request, node, gate, "movedim", "-1, 0"))
    return edits.result()


def _transposition(request: Request) -> tuple[cst.BaseExpression, cst.BaseExpression]:
    """The transposition that the finding points at, and what it transposes."""
    source, place = request.source, request.finding.location
    begin, end = (place.line, place.column), (place.end_line, place.end_column)
    found = [
        (node, gate)
        for node, gate in _candidates(request)
        if begin <= (source.line(node), source.column(node)) <= end
    ]

    def unlikely(pair: tuple[cst.BaseExpression, cst.BaseExpression]) -> tuple[bool, bool]:
        # Where the finding names a whole statement, what is gone through part by part is meant.
        node = pair[0]
        return (source.line(node), source.column(node)) != begin, not _iterated(source, node)

    found.sort(key=unlikely)
    if not found:
        raise Declined("no transposition that reverses dimensions stands at this place")
    return found[0]


def _candidates(request: Request) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression]]:
    place, source = request.finding.location, request.source
    for node in walk(source.module, cst.Attribute, cst.Call):
        if not place.covers(source.line(node)) or not request.within(node):
            continue
        gate = _transposed(request, node)
        exact = (source.line(node), source.column(node)) == (place.line, place.column)
        likely = exact or _iterated(source, node) or not _swaps_last_two(request, node)
        if gate is not None and likely:
            yield node, gate


def _transposed(request: Request, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """What `node` transposes, where it does not merely bring the last dimension to the front."""
    if isinstance(node, cst.Attribute):
        return node.value if node.attr.value in ("T", "mT") else None
    call = tensor_call(request, node)
    if call is None:
        return None
    if call.name in SWAPS and len(call.arguments) == 2:
        return call.subject
    if call.name == "permute":
        order = integers([argument.value for argument in call.arguments])
        return call.subject if order and not _brings_last_to_front(order) else None
    return None


def _brings_last_to_front(order: list[int]) -> bool:
    rank = len(order)
    return [place % rank for place in order] == [rank - 1, *range(rank - 1)]


def _swaps_last_two(request: Request, node: cst.BaseExpression) -> bool:
    """Whether it is what attention does to its keys."""
    if isinstance(node, cst.Attribute):
        return node.attr.value == "mT"
    call = tensor_call(request, node)
    pair = {integer(argument.value) for argument in call.arguments} if call else set()
    return pair in ({-1, -2}, {1, 2}, {2, 3})


def _check_not_undone(request: Request, node: cst.BaseExpression) -> None:
    """Raise Declined where the loop over the transposed gate turns each part back."""
    source = request.source
    loop = next(
        (link for link in source.parents(node) if isinstance(link, cst.For | cst.CompFor)), None
    )
    function = function_of(source, node)
    if loop is None or function is None or not source.inside(node, loop.iter):
        return
    targets = {name.value for name in walk(loop.target, cst.Name)}
    for other in walk(function, cst.Attribute, cst.Call):
        subject = _turned(request, other)
        if isinstance(subject, cst.Name) and subject.value in targets:
            raise Declined("the loop transposes each part again")


def _turned(request: Request, node: cst.BaseExpression) -> cst.BaseExpression | None:
    call = tensor_call(request, node)
    if call is not None and call.name == "t":
        return call.subject
    return _transposed(request, node)


def _iterated(source: ParsedSource, node: cst.BaseExpression) -> bool:
    """Whether the only thing done with the expression is to go through it part by part."""
    parent = source.parent(node)
    if isinstance(parent, cst.For | cst.CompFor):
        return parent.iter is node
    if isinstance(parent, cst.Assign):
        target = parent.targets[0].target
        return len(parent.targets) == 1 and isinstance(target, cst.Tuple | cst.List)
    if isinstance(parent, cst.Arg):
        call = source.parent(parent)
        if parent.star == "*":
            return True
        name = call.func if isinstance(call, cst.Call) else None
        return isinstance(name, cst.Name) and name.value in ITERATORS
    return isinstance(parent, cst.StarredElement)


def _call(
    request: Request, node: cst.BaseExpression, gate: cst.BaseExpression, name: str, dims: str
) -> str:
    """`name` called on the gate: as a function of torch where the transposition was one."""
    source = request.source
    call = tensor_call(request, node)
    if call is not None and call.function and isinstance(call.node.func, cst.Attribute):
        return f"{source.code(call.node.func.value)}.{name}({source.code(gate)}, {dims})"
    return f"{primary(source, gate)}.{name}({dims})"


def primary(source: ParsedSource, node: cst.BaseExpression) -> str:
    """The text of an expression, in parentheses where an attribute would bind closer."""
    text = source.code(node)
    simple = isinstance(node, cst.Name | cst.Attribute | cst.Call | cst.Subscript) or node.lpar
    return text if simple else f"({text})"


REMEDY = Remedy(mend=_mend)

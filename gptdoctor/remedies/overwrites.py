"""Statements that write an expert's answer over what is there, and the same that add it."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from gptdoctor.remedies.calls import TensorCall, indices, negated, tensor_call
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.parsed import ParsedSource, is_name
from gptdoctor.remedies.remedy import Request

# What an operation that overwrites is called when it adds.
ADDING = {
    "index_copy": "index_add",
    "index_copy_": "index_add_",
    "scatter": "scatter_add",
    "scatter_": "scatter_add_",
}
PUTS = frozenset({"index_put", "index_put_"})
MASKED = frozenset({"masked_scatter", "masked_scatter_"})


@dataclass(frozen=True, kw_only=True)
class Overwrite:
    """One such statement, taken apart."""

    line: cst.SimpleStatementLine
    buffer: str  # the name of the tensor that is written into
    value: cst.BaseExpression  # the answer that is written
    # What says which rows are written: a mask or rows; none where the whole is bound anew.
    selectors: tuple[cst.BaseExpression, ...]
    call: TensorCall | None  # the operation, where it is no plain assignment
    masked: bool = False  # `value` is as large as the buffer, and a mask picks from it


def overwrite_of(request: Request, line: cst.SimpleStatementLine) -> Overwrite | None:
    """What a statement overwrites, or None where it does no such thing."""
    small = line.body[0]
    if isinstance(small, cst.Assign) and len(small.targets) == 1:
        target = small.targets[0].target
        if isinstance(target, cst.Subscript) and isinstance(target.value, cst.Name):
            return _at_index(line, target, small.value)
        if isinstance(target, cst.Name):
            call = tensor_call(request, small.value)
            found = _by_call(request, line, call) if call is not None else None
            if found is not None and found.buffer == target.value:
                return found
            return Overwrite(
                line=line, buffer=target.value, value=small.value, selectors=(), call=None
            )
    if isinstance(small, cst.Expr):
        call = tensor_call(request, small.value)
        return _by_call(request, line, call) if call is not None else None
    return None


def _at_index(
    line: cst.SimpleStatementLine, target: cst.Subscript, value: cst.BaseExpression
) -> Overwrite | None:
    plain = [one.value for one in indices(target) if isinstance(one, cst.Index)]
    if not isinstance(target.value, cst.Name) or not plain:
        return None
    return Overwrite(
        line=line, buffer=target.value.value, value=value, selectors=tuple(plain), call=None
    )


def _by_call(request: Request, line: cst.SimpleStatementLine, call: TensorCall) -> Overwrite | None:
    if call.name == "where":
        return _by_where(request, line, call)
    selector: cst.BaseExpression | None = None
    value: cst.BaseExpression | None = None
    if call.name in PUTS:
        selector, value = call.argument("indices", 0), call.argument("values", 1)
    elif call.name in ADDING:
        name = "src" if call.name.startswith("scatter") else "source"
        selector, value = call.argument("index", 1), call.argument(name, 2)
    elif call.name in MASKED:
        selector, value = call.argument("mask", 0), call.argument("source", 1)
    if selector is None or value is None or not isinstance(call.subject, cst.Name):
        return None
    parts: tuple[cst.BaseExpression, ...] = (selector,)
    if isinstance(selector, cst.Tuple | cst.List):
        parts = tuple(element.value for element in selector.elements)
    return Overwrite(line=line, buffer=call.subject.value, value=value, selectors=parts, call=call)


def _by_where(
    request: Request, line: cst.SimpleStatementLine, call: TensorCall
) -> Overwrite | None:
    """`buffer = torch.where(mask, value, buffer)`, with the last two in either order."""
    mask, *choices = _where_parts(call)
    small = line.body[0]
    if mask is None or not isinstance(small, cst.Assign):
        return None
    target = request.source.code(small.targets[0].target)
    kept = [one for one in choices if is_name(one, target)]
    written = [one for one in choices if one is not None and one not in kept]
    if len(kept) != 1 or len(written) != 1:
        return None
    selector = negated(mask) or mask
    return Overwrite(
        line=line,
        buffer=target,
        value=written[0],
        selectors=(selector,),
        call=call,
        masked=True,
    )


def _where_parts(
    call: TensorCall,
) -> tuple[cst.BaseExpression | None, cst.BaseExpression | None, cst.BaseExpression | None]:
    if call.function:
        return call.subject, call.argument("input", 0), call.argument("other", 1)
    return call.argument("condition", 0), call.subject, call.argument("other", 1)


def add(edits: Edits, write: Overwrite, value: str) -> None:
    """Make the statement add `value`, the text of what it wrote, to what is there."""
    source = edits.source
    if write.call is None:
        _add_plainly(edits, write, value)
    elif write.call.name == "where":
        other = write.call.argument("other", 1)
        buffer = other if is_name(other, write.buffer) else _where_parts(write.call)[1]
        if buffer is None:
            raise Declined("it is not clear what the mask chooses between")
        text = _replaced(source, write.call.node, {write.value: value, buffer: "0.0"})
        edits.replace(write.line, f"{write.buffer} = {write.buffer} + {text}")
    elif write.call.name in MASKED:
        text = _replaced(source, write.call.node, {write.value: value})
        home, _, rest = text.partition(".masked_scatter")
        zeros = f"torch.zeros_like({write.buffer}).masked_scatter{rest.removeprefix('_')}"
        if home != write.buffer or "torch" not in edits.source.text:
            raise Declined("the masked scatter is not written as a method of its buffer")
        edits.replace(write.line, f"{write.buffer} = {write.buffer} + {zeros}")
    else:
        edits.replace(write.value, value)
        _add_by_name(edits, write.call)


def _add_plainly(edits: Edits, write: Overwrite, value: str) -> None:
    small = write.line.body[0]
    if not isinstance(small, cst.Assign):
        raise Declined("the statement is no assignment")
    target = edits.source.code(small.targets[0].target)
    if write.selectors:
        edits.replace(write.line, f"{target} += {value}")
    else:
        edits.replace(write.line, f"{target} = {target} + {_addend(write.value, value)}")


def _addend(node: cst.BaseExpression, text: str) -> str:
    loose = isinstance(node, cst.IfExp | cst.Lambda | cst.Comparison | cst.BooleanOperation)
    return f"({text})" if loose and not node.lpar else text


def _add_by_name(edits: Edits, call: TensorCall) -> None:
    func = call.node.func
    name = func.attr if isinstance(func, cst.Attribute) else func
    if call.name in ADDING:
        edits.replace(name, ADDING[call.name])
        return
    accumulate = call.argument("accumulate", 2)
    if accumulate is not None:
        edits.replace(accumulate, "True")
    else:
        last = call.node.args[-1].value
        _, end = edits.source.span(last)
        edits.insert(end, ", accumulate=True")


def _replaced(source: ParsedSource, node: cst.CSTNode, texts: dict[cst.BaseExpression, str]) -> str:
    """The text of a node with other texts in place of some of its parts."""
    begin, end = source.span(node)
    pieces: list[str] = []
    for part in sorted(texts, key=source.span):
        first, last = source.span(part)
        pieces += [source.text[begin:first], texts[part]]
        begin = last
    return "".join([*pieces, source.text[begin:end]])

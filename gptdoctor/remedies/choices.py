"""How the rows that an expert answers are picked from the router's choice.

`mask = top_idx[..., k] == e`, `rows, slot = torch.where(picks == e)` and the like: a comparison of
chosen indices with the number of an expert, and what is made of it. Put the router's weights in
the place of its indices, pick the same rows, and what comes out are the weights of these rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import libcst as cst

from gptdoctor.remedies.calls import integer, plain_index, tensor_call
from gptdoctor.remedies.flow import Binding, reaching
from gptdoctor.remedies.origins import DEEPEST, Origin, origin_of
from gptdoctor.remedies.parsed import walk
from gptdoctor.remedies.remedy import Request

# Methods that change the shape of indices and of weights in the same way.
RESHAPES = frozenset(
    [
        "select",
        "squeeze",
        "unsqueeze",
        "view",
        "reshape",
        "flatten",
        "transpose",
        "permute",
        "movedim",
        "contiguous",
    ]
)
# Methods that only change the shape of a list of rows.
FLATTENS = frozenset({"squeeze", "flatten", "view", "reshape", "view_as"})


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The indices that a comparison looks at, and where they come from."""

    indices: cst.Name
    origin: Origin
    form: str  # what is done with the indices before they are compared: "{}[..., k]"
    # A loop `for index in indices.unbind(-1)`, whose weights go by a second loop variable.
    loop: cst.For | None = None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The rows that a comparison picks."""

    choice: Choice
    pick: str  # "[mask]", "[row, slot]", or what a mask gets to be as wide as the answers
    name: str  # of the local that holds the mask or the rows, "" where it is not held
    is_mask: bool
    statement: cst.CSTNode | None  # that binds it
    plain: bool  # the comparison is all: every row that the router gave this expert is picked
    unused: cst.Name | None = None  # a target `_` that must get a name, as "{unused}" in `pick`


@dataclass(frozen=True, kw_only=True)
class _Compared:
    chosen: cst.BaseExpression
    suffix: str = ""
    plain: bool = True


def selection_of(
    request: Request, selector: cst.BaseExpression, *, as_wide: bool
) -> Selection | None:
    """The selection behind the mask or the rows that a statement writes at."""
    name = selector.value if isinstance(selector, cst.Name) else ""
    binding = reaching(request.source, name, selector) if name else None
    rows = _rows(request, binding) if binding is not None else None
    compared = _compared(request, rows[0] if rows is not None else selector, 0)
    choice = choice_of(request, compared.chosen, 0) if compared is not None else None
    if compared is None or choice is None:
        return None
    pick, unused = rows[1:] if rows is not None else (f"[{request.source.code(selector)}]", None)
    return Selection(
        choice=choice,
        pick=compared.suffix if as_wide else pick,
        name=name,
        is_mask=rows is None,
        statement=binding.statement if binding is not None else None,
        plain=compared.plain,
        unused=unused,
    )


def _rows(
    request: Request, binding: Binding
) -> tuple[cst.BaseExpression, str, cst.Name | None] | None:
    """The mask whose true places a name holds, and how these places are written as an index."""
    if binding.value is None or binding.augmented:
        return None
    value = binding.value
    if binding.part:
        mask = _places(request, value)
        names = _targets(binding)
        if mask is None or not names:
            return None
        unused = next((one for one in names if one.value == "_"), None)
        texts = ["{unused}" if one is unused else one.value for one in names]
        return mask, f"[{', '.join(texts)}]", unused
    call = tensor_call(request, value)
    while call is not None and call.name in FLATTENS and not call.function:
        value = call.subject
        call = tensor_call(request, value)
    if isinstance(value, cst.Subscript):
        value = value.value
    mask = _places(request, value)
    return None if mask is None else (mask, f"[{binding.name.value}]", None)


def _targets(binding: Binding) -> list[cst.Name]:
    statement = binding.statement
    target = statement.targets[0].target if isinstance(statement, cst.Assign) else None
    elements = target.elements if isinstance(target, cst.Tuple | cst.List) else ()
    names = [one.value for one in elements if isinstance(one.value, cst.Name)]
    return names if len(names) == len(elements) else []


def _places(request: Request, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """`mask` of `mask.nonzero(as_tuple=True)`, `torch.where(mask)` and the like."""
    call = tensor_call(request, node)
    while call is not None and call.name in ("unbind", "t"):
        call = tensor_call(request, call.subject)
    if call is None:
        return None
    alone = call.name == "where" and not call.arguments
    return call.subject if alone or call.name == "nonzero" else None


def _compared(request: Request, node: cst.BaseExpression, depth: int) -> _Compared | None:
    """The indices that a mask compares with the number of an expert."""
    if depth > DEEPEST:
        return None
    if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
        equal = isinstance(node.comparisons[0].operator, cst.Equal)
        sides = (node.left, node.comparisons[0].comparator)
        found = [one for one in sides if equal and choice_of(request, one, 0) is not None]
        return _Compared(chosen=found[0]) if found else None
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitAnd):
        for side in (node.left, node.right):
            inner = _compared(request, side, depth + 1)
            if inner is not None:
                return replace(inner, plain=False)
        return None
    if isinstance(node, cst.Name):
        binding = reaching(request.source, node.value, node)
        if binding is None or binding.value is None or binding.part or binding.augmented:
            return None
        return _compared(request, binding.value, depth + 1)
    return _compared_within(request, node, depth)


def _compared_within(request: Request, node: cst.BaseExpression, depth: int) -> _Compared | None:
    call = tensor_call(request, node)
    inner: cst.BaseExpression | None = None
    if isinstance(node, cst.Subscript):
        inner = node.value
    elif call is not None and call.name == "eq":
        return _Compared(chosen=call.subject)
    elif call is not None and not call.function:
        inner = call.subject
    found = _compared(request, inner, depth + 1) if inner is not None else None
    return replace(found, suffix=found.suffix + _after(request, inner, node)) if found else None


def _after(request: Request, inner: cst.CSTNode | None, node: cst.CSTNode) -> str:
    """The text of a node behind one of its parts."""
    if inner is None:
        return ""
    return request.source.text[request.source.span(inner)[1] : request.source.span(node)[1]]


def choice_of(request: Request, node: cst.BaseExpression, depth: int) -> Choice | None:
    """Where indices come from that are compared, or that pick an expert from a list."""
    if depth > DEEPEST:
        return None
    if isinstance(node, cst.Name):
        return _choice_of_name(request, node, depth)
    call = tensor_call(request, node)
    inner: cst.BaseExpression | None = None
    if isinstance(node, cst.Subscript) and integer(plain_index(node)) is None:
        inner = node.value
    elif call is not None and call.name in RESHAPES and not call.function:
        inner = call.subject
    found = choice_of(request, inner, depth + 1) if inner is not None else None
    if found is None or found.loop is not None:
        return None
    return replace(found, form=found.form + _after(request, inner, node))


def _choice_of_name(request: Request, name: cst.Name, depth: int) -> Choice | None:
    origin = origin_of(request, name)
    if origin is not None and _chooses(request, origin):
        return Choice(indices=name, origin=origin, form="{}")
    binding = reaching(request.source, name.value, name)
    if binding is None or binding.value is None or binding.augmented:
        return None
    if binding.part == ("each",):
        return _choice_of_loop(request, binding, depth)
    return None if binding.part else choice_of(request, binding.value, depth + 1)


def _chooses(request: Request, origin: Origin) -> bool:
    """Whether an origin is a choice, and not a mere change of shape or a comparison."""
    call = tensor_call(request, origin.call)
    if call is None:
        return origin.values is not None
    if call.name in ("topk", "argmax", "argsort", "sort", "max"):
        return True
    return origin.binding.part == (1,) and call.name not in ("where", "nonzero", "unbind", "chunk")


def _choice_of_loop(request: Request, binding: Binding, depth: int) -> Choice | None:
    """`for index in indices.unbind(-1)`, or the same with a count."""
    call = tensor_call(request, binding.value)
    loop = binding.statement
    last = call is not None and integer(call.argument("dim", 0)) == -1
    if call is None or call.name != "unbind" or not last or not isinstance(loop, cst.For):
        return None
    found = choice_of(request, call.subject, depth + 1)
    if found is None or found.loop is not None or found.form != "{}":
        return None
    if isinstance(loop.target, cst.Tuple):
        counted = isinstance(loop.iter, cst.Call) and request.dotted(loop.iter.func) == "enumerate"
        number = loop.target.elements[0].value
        if not counted:
            return None
        return replace(found, form=f"{{}}[..., {request.source.code(number)}]")
    return replace(found, form="{}", loop=loop)


def picked_expert(request: Request, value: cst.BaseExpression) -> Choice | None:
    """The choice that picks one expert for one token: `self.experts[int(idx[b, t, j])](…)`."""
    for call in _calls(request, value):
        func: cst.BaseExpression | None = call.func
        if isinstance(func, cst.Name):
            binding = reaching(request.source, func.value, func)
            func = binding.value if binding is not None and not binding.part else None
        index = plain_index(func)
        if index is None:
            continue
        for inner in walk(index, cst.Subscript):
            choice = choice_of(request, inner, 0)
            if choice is not None:
                return choice
    return None


def _calls(request: Request, value: cst.BaseExpression) -> list[cst.Call]:
    """The calls in a value, and in the value of the local that it is."""
    if isinstance(value, cst.Name):
        binding = reaching(request.source, value.value, value)
        if binding is not None and binding.value is not None and not binding.part:
            return list(walk(binding.value, cst.Call))
    return list(walk(value, cst.Call))

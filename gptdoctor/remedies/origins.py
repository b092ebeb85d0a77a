"""Where a mixture's choice of experts comes from, and which weights belong to it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

import libcst as cst

from gptdoctor.remedies.calls import TensorCall, integer, plain_index, tensor_call
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.flow import Binding, bindings, dominates, reaching
from gptdoctor.remedies.parsed import is_name, walk
from gptdoctor.remedies.remedy import Request
from gptdoctor.remedies.scores import MOVES

CHOOSES = frozenset({"topk", "sort", "max"})
SHARES = frozenset({"softmax", "sigmoid"})  # scores turned into shares
LINEAR = frozenset({"linear", "matmul", "einsum", "bmm", "mm"})
# Operations that leave shares what they are, but for their scale; then those of another form.
SCALES = MOVES | {"div", "clamp", "clamp_min", "masked_fill", "type_as", "type"}
KEEPS = SCALES | {"view", "reshape"}
# Definitions that refer to each other further than this are loops.
DEEPEST = 8


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The statement that chose the experts."""

    binding: Binding  # of the name of the indices
    call: cst.Call  # topk, argmax, or the router that gives weights and indices
    values: cst.BaseExpression | None  # the target that takes the weights, or what holds both


def origin_of(request: Request, indices: cst.Name) -> Origin | None:
    """The statement that gave a name its indices, by topk or by a router of the project."""
    binding = reaching(request.source, indices.value, indices)
    for _ in range(DEEPEST):
        if binding is None or binding.value is None or binding.augmented:
            return None
        inner = _without_conversion(request, binding.value)
        if not isinstance(inner, cst.Name):
            return _origin(request, binding, inner)
        binding = reaching(request.source, inner.value, inner)
    return None


def _without_conversion(request: Request, node: cst.BaseExpression) -> cst.BaseExpression:
    call = tensor_call(request, node)
    while call is not None and call.name in MOVES | {"long", "int", "detach"}:
        node = call.subject
        call = tensor_call(request, node)
    return node


def _origin(request: Request, binding: Binding, value: cst.BaseExpression) -> Origin | None:
    if binding.part == (1,) and isinstance(value, cst.Call):
        return Origin(binding=binding, call=value, values=_first_target(binding))
    if binding.part:
        return None
    inner = _without_selection(value)
    if isinstance(inner, cst.Call):
        return Origin(binding=binding, call=inner, values=None)
    if isinstance(inner, cst.Name) and inner is not value:
        both = reaching(request.source, inner.value, inner)
        if both is not None and isinstance(both.value, cst.Call) and not both.part:
            return Origin(binding=binding, call=both.value, values=inner)
    return None


def _without_selection(value: cst.BaseExpression) -> cst.BaseExpression:
    """`x` of `x.indices` and of `x[1]`."""
    named = isinstance(value, cst.Attribute) and value.attr.value == "indices"
    second = isinstance(value, cst.Subscript) and integer(plain_index(value)) in (1, -1)
    if isinstance(value, cst.Attribute | cst.Subscript) and (named or second):
        return value.value
    return value


def _first_target(binding: Binding) -> cst.BaseExpression | None:
    statement = binding.statement
    target = statement.targets[0].target if isinstance(statement, cst.Assign) else None
    return target.elements[0].value if isinstance(target, cst.Tuple) else None


def chosen_from(request: Request, origin: Origin) -> TensorCall | None:
    """The topk or the like that an origin is; None where it is a call of something else."""
    call = tensor_call(request, origin.call)
    return call if call is not None and call.name in (*CHOOSES, "argmax", "argsort") else None


def are_shares(request: Request, node: cst.CSTNode | None, depth: int = 0) -> bool:
    """Whether an expression holds the experts' shares (True) or their raw scores (False).

    Raises Declined where the text does not tell.
    """
    if depth > DEEPEST or node is None:
        raise Declined("it is not clear whether the router's scores are shares")
    if isinstance(node, cst.Name):
        binding = reaching(request.source, node.value, node)
        if binding is None or binding.part or binding.augmented:
            raise Declined("it is not clear whether the router's scores are shares")
        return are_shares(request, binding.value, depth + 1)
    if isinstance(node, cst.BinaryOperation):
        if isinstance(node.operator, cst.MatrixMultiply):
            return False
        if are_shares(request, node.left, depth + 1):
            if isinstance(node.operator, cst.Divide | cst.Multiply):
                return True
            raise Declined("the shares are changed before the experts are chosen")
        return False
    return _call_gives_shares(request, node, depth)


def _call_gives_shares(request: Request, node: cst.CSTNode, depth: int) -> bool:
    call = tensor_call(request, node)
    if call is not None:
        if call.name in SHARES:
            return True
        if call.name in LINEAR:
            return False
        if call.name in KEEPS:
            return are_shares(request, call.subject, depth + 1)
        layer = _layer(request, call)
        if layer is not None:
            return layer
    raise Declined("it is not clear whether the router's scores are shares")


def _layer(request: Request, call: TensorCall) -> bool | None:
    """Whether `self.router(x)` gives shares, by what the class assigns to `self.router`."""
    owner = request.source.around(call.node, cst.ClassDef)
    symbol = request.source.symbol(owner) if owner is not None else ""
    info = request.project.classes(request.module).get(symbol)
    if info is None or not is_name(call.subject, "self"):
        return None
    chain = [info, *request.project.bases(info)]
    values = next((one.attributes[call.name] for one in chain if call.name in one.attributes), [])
    texts = [ast.unparse(value) for value in values]
    if any("Softmax" in text or "Sigmoid" in text for text in texts):
        return True
    return False if any("Linear" in text for text in texts) else None


def router_gives_shares(request: Request, call: cst.Call) -> bool:
    """Whether a router that returns weights and indices returns shares as its weights."""
    made = tensor_call(request, call)
    owner = request.source.around(call, cst.ClassDef)
    symbol = request.source.symbol(owner) if owner is not None else ""
    info = request.project.classes(request.module).get(symbol)
    texts: list[str] = []
    for link in [info, *request.project.bases(info)] if info is not None and made else []:
        if made is not None and made.name in link.methods:
            texts.append(ast.unparse(link.methods[made.name]))
        for name in link.attribute_called(made.name) if made is not None else ():
            router = request.project.class_named(name, link.module)
            if router is not None:
                texts.append(ast.unparse(router.node))
    if not any("topk" in text for text in texts):
        raise Declined("it is not clear what the router gives beside its choice")
    return any(share in text for text in texts for share in SHARES)


def latest_form(
    request: Request, scope: cst.FunctionDef, name: str, use: cst.CSTNode
) -> Binding | None:
    """The last local before a use that holds the weights of `name`, normalised or converted."""
    last: Binding | None = None
    names = {name}
    source = request.source
    for assignment in walk(scope, cst.Assign):
        if source.span(assignment)[1] > source.span(use)[0] or len(assignment.targets) != 1:
            continue
        target = assignment.targets[0].target
        if isinstance(target, cst.Name) and _is_form_of(request, assignment.value, names):
            names.add(target.value)
            found = [one for one in bindings(scope, target.value) if one.statement is assignment]
            if dominates(source, found[-1], use) or target.value == name:
                last = found[-1]
    return last


def _is_form_of(request: Request, node: cst.BaseExpression, names: set[str]) -> bool:
    if isinstance(node, cst.Name):
        return node.value in names
    if isinstance(node, cst.BinaryOperation):
        return isinstance(node.operator, cst.Divide | cst.Multiply) and _is_form_of(
            request, node.left, names
        )
    call = tensor_call(request, node)
    return call is not None and (
        call.name in SCALES | SHARES and _is_form_of(request, call.subject, names)
    )

"""The router's weights, by the name that they have or get."""

from __future__ import annotations

import libcst as cst

from gptdoctor.remedies.calls import tensor_call
from gptdoctor.remedies.choices import Choice
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.flow import bindings, fresh, function_of, reaching
from gptdoctor.remedies.origins import (
    SHARES,
    Origin,
    are_shares,
    chosen_from,
    latest_form,
    router_gives_shares,
)
from gptdoctor.remedies.parsed import walk
from gptdoctor.remedies.remedy import Request

NAMES = ("weights", "top_weights", "router_weights")


def weights_text(
    request: Request, edits: Edits, function: cst.FunctionDef, choice: Choice, use: cst.CSTNode
) -> str:
    """The weights in the place of the chosen indices; raises Declined where there are none."""
    if function_of(request.source, choice.origin.binding.statement) is not function:
        raise Declined("the experts are chosen in another function")
    name = _name(request, edits, function, choice.origin, use)
    if choice.loop is None:
        text = choice.form.replace("{}", name)
        return _held(request, function, text, use) or text
    source, loop = request.source, choice.loop
    one = fresh(function, "weight", "share", "router_weight")
    edits.replace(loop.target, f"{source.code(loop.target)}, {one}")
    edits.replace(loop.iter, f"zip({source.code(loop.iter)}, {name}.unbind(-1))")
    return one


def _held(request: Request, function: cst.FunctionDef, text: str, use: cst.CSTNode) -> str | None:
    """A local that holds this very part of the weights already."""
    source = request.source
    for assignment in walk(function, cst.Assign):
        target = assignment.targets[0].target
        if isinstance(target, cst.Name) and source.code(assignment.value) == text:
            seen = reaching(source, target.value, use)
            if seen is not None and seen.statement is assignment:
                return target.value
    return None


def _name(
    request: Request, edits: Edits, function: cst.FunctionDef, origin: Origin, use: cst.CSTNode
) -> str:
    """The name of the whole weights, [..., K], softmax applied where they are scores."""
    call = chosen_from(request, origin)
    if call is not None and (call.name in ("argsort", "argmax") or origin.values is None):
        return _gathered(request, edits, function, origin)
    shares = (
        are_shares(request, call.subject) if call else router_gives_shares(request, origin.call)
    )
    name = _bound(request, edits, function, origin)
    latest = latest_form(request, function, name, use)
    if latest is not None:
        name = latest.name.value
        shares = shares or _has_softmax(request, function, name)
    return name if shares else _normalised(request, edits, function, origin, name)


def _has_softmax(request: Request, function: cst.FunctionDef, name: str) -> bool:
    values = [one.value for one in bindings(function, name) if one.value is not None]
    calls = [tensor_call(request, call) for value in values for call in walk(value, cst.Call)]
    return any(call is not None and call.name in SHARES for call in calls)


def _bound(request: Request, edits: Edits, function: cst.FunctionDef, origin: Origin) -> str:
    """What the values of the choice are called; they get a name where they have none."""
    values = origin.values
    if isinstance(values, cst.Name) and origin.binding.part != (1,):
        return f"{values.value}.values"  # `top = probs.topk(k)`: both are in one
    if isinstance(values, cst.Name) and values.value != "_":
        return values.value
    if not isinstance(values, cst.Name):
        raise Declined("it is not clear where the weights of the choice are")
    name = fresh(function, *NAMES)
    edits.replace(values, name)
    return name


def _gathered(request: Request, edits: Edits, function: cst.FunctionDef, origin: Origin) -> str:
    """Weights taken from the router's shares by the chosen indices, in a statement of their own."""
    call = chosen_from(request, origin)
    if call is None:
        raise Declined("it is not clear where the weights of the choice are")
    source = request.source
    shares = source.code(call.subject)
    if not isinstance(call.subject, cst.Name):
        raise Declined("the router's scores are not kept")
    if not are_shares(request, call.subject):
        shares = f"{shares}.softmax(dim=-1)"
    name = fresh(function, *NAMES)
    index = origin.binding.name.value
    text = f"{name} = {shares}.gather(-1, {index})"
    if call.name == "argmax":
        text = f"{name} = {shares}.gather(-1, {index}.unsqueeze(-1)).squeeze(-1)"
    edits.after(source.lone_statement(origin.binding.statement), [text])
    return name


def _normalised(
    request: Request, edits: Edits, function: cst.FunctionDef, origin: Origin, scores: str
) -> str:
    """Scores of the chosen experts as shares that sum to one."""
    statement = request.source.lone_statement(origin.binding.statement)
    name = fresh(function, *NAMES)
    edits.after(statement, [f"{name} = {scores}.softmax(dim=-1)"])
    return name

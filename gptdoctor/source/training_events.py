"""What happens in code that trains, in the order in which it happens.

Backward passes, steps, cleared gradients and the like, with those of the project's own helpers
where they are called.  A call that is none of these stays as a call: it may do anything with what
it is given.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.names import called_name
from gptdoctor.source.optimizers import Thing, thing

MOST_CALLS = 3  # helpers of helpers of helpers
MOST_EVENTS = 3000  # of one function; what comes after them is not looked at

# Objects whose `backward` scales, accumulates or synchronises, and then calls the loss's own.
WRAPPER_NAME = re.compile(r"accelerat|fabric|strategy", re.IGNORECASE)
# Whose `step` counts something, or moves a game.
COUNTING_NAME = re.compile(r"prof|bar$|progress|env|timer|counter|simulat|game", re.IGNORECASE)
CLIPS = frozenset(
    ["clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "clip_gradients", "clip_grads"]
)
FUNCTIONAL = re.compile(r"^torch\.(autograd\.(grad|functional\..*)|func\.\w+)$")
# A helper without any of these words says nothing of training.
SPEAKING = re.compile(
    r"backward\(|\.(step|zero_grad|eval|train|unscale_|update)\(|\.grad\b|clip_grad|\.zero_grad"
)
# What an expression is made of.
PARTS = ast.expr | ast.keyword | ast.comprehension
Branch = tuple[ast.stmt, int]  # a statement, and which of its bodies


class Kind(Enum):
    """What an event does."""

    BACKWARD = "backward"
    STEP = "step"
    CLEAR = "gradients cleared"
    GRADIENTS = "gradients written by hand"
    CLIP = "clip"
    UNSCALE = "unscale"
    UPDATE = "scaler updated"
    SCHEDULE = "schedule stepped"
    EVAL = "evaluation mode"
    TRAIN = "training mode"
    FOREIGN = "a backward or step of something unknown"
    CALL = "any other call"


@dataclass(frozen=True, eq=False)
class Event:
    """One thing that training does."""

    kind: Kind
    node: ast.AST
    frame: Frame  # in which it stands
    subject: str  # the loss, the optimizer, the model, in the outermost caller's words
    path: tuple[Branch, ...]  # the branches and loops around it, helpers included
    scaler: str = ""  # what scales the loss, or takes the step
    wrapped: bool = False  # by a library's object with manners of its own
    sure: bool = True  # a step of an optimizer with torch's manners
    again: bool = False  # a backward that keeps the graph
    known: bool = False  # a call of a function in sight that says nothing of training


def events_of(frame: Frame) -> list[Event]:
    """The events of a frame in the order of the text, helpers where they are called."""
    return list(islice(_events(frame, frame.body, ()), MOST_EVENTS))


def speaks(function: Function) -> bool:
    """Whether a function, or one nested in it, says anything of training in its own text."""
    return SPEAKING.search(source_of(function)) is not None


def source_of(function: Function) -> str:
    """The text of a function, the lines that it stands on."""
    return "\n".join(function.module.lines[function.node.lineno - 1 : function.node.end_lineno])


def bodies(statement: ast.stmt) -> Iterator[tuple[int, list[ast.stmt]]]:
    """The numbered bodies of a statement, as in an event's path: 0 is the first."""
    found = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    found.extend(handler.body for handler in getattr(statement, "handlers", []))
    found.extend(case.body for case in getattr(statement, "cases", []))
    yield from ((number, body) for number, body in enumerate(found) if body)


def _events(frame: Frame, body: list[ast.stmt], path: tuple[Branch, ...]) -> Iterator[Event]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield from _written(statement, frame, path)
        for expression in _own_expressions(statement):
            for call in _calls(expression):
                yield from _call(call, frame, path)
        # A `with` always runs its body, and so does a `try`, as far as it comes.
        always = isinstance(statement, ast.With | ast.AsyncWith)
        for number, inner in bodies(statement):
            through = always or (isinstance(statement, ast.Try) and not number)
            yield from _events(frame, inner, path if through else (*path, (statement, number)))


def _own_expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement itself, those of the statements in it left out."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.withitem):
            yield child.context_expr


def _calls(expression: ast.expr) -> Iterator[ast.Call]:
    """The calls of an expression, arguments before what they are given to; no lambda's."""
    stack: list[tuple[ast.AST, bool]] = [(expression, False)]
    while stack:
        node, seen = stack.pop()
        if isinstance(node, ast.Call) and seen:
            yield node
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.Call):
                stack.append((node, True))
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, PARTS)]
            stack.extend((child, False) for child in reversed(inner))


def _written(statement: ast.stmt, frame: Frame, path: tuple[Branch, ...]) -> Iterator[Event]:
    """`p.grad = None` clears; `p.grad = g`, `p.grad += g` and `del p.grad` write."""
    if isinstance(statement, ast.Delete):
        targets, value = statement.targets, None
    elif isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    elif isinstance(statement, ast.AugAssign):
        targets, value = [statement.target], statement.value
    else:
        return
    for target in targets:
        if isinstance(target, ast.Attribute) and target.attr == "grad":
            nothing = value is None or (isinstance(value, ast.Constant) and value.value is None)
            kind = Kind.CLEAR if nothing else Kind.GRADIENTS
            yield Event(kind, statement, frame, "", path)


def _call(call: ast.Call, frame: Frame, path: tuple[Branch, ...]) -> Iterator[Event]:
    """The events of one call: what it does itself, or what the helper that it runs does."""
    for argument in call.args:  # optimizer.step(closure) runs the closure first
        if isinstance(argument, ast.Name) and called_name(call) == "step":
            closure = frame.called(ast.Call(func=argument, args=[], keywords=[]))
            if closure is not None and not frame.runs(closure.node):
                inner = frame.enter(closure, ast.Call(func=argument, args=[], keywords=[]))
                yield from _events(inner, inner.body, path)
    event = _recognised(call, frame, path)
    if event is not None:
        yield event
        return
    callee = frame.called(call) if frame.depth < MOST_CALLS else None
    if callee is None or frame.runs(callee.node) or not speaks(callee):
        known = callee is not None
        yield Event(Kind.CALL, call, frame, text_of(call.func), path, known=known)
        return
    inner = frame.enter(callee, call)
    yield from _events(inner, inner.body, path)


def _recognised(call: ast.Call, frame: Frame, path: tuple[Branch, ...]) -> Event | None:
    name = called_name(call)
    if name in CLIPS and frame.called(call) is None:  # a helper in sight is read instead
        return _clip(call, frame, path)
    if FUNCTIONAL.match(frame.module.names.called(call) or ""):
        return Event(Kind.GRADIENTS, call, frame, "", path)
    if not isinstance(call.func, ast.Attribute):
        return None
    receiver = call.func.value
    subject = frame.text(receiver)
    if name in ("backward", "manual_backward"):
        return _backward(call, receiver, frame, path)
    if name == "step":
        return _step(call, receiver, frame, path)
    if name == "zero_grad":
        return Event(Kind.CLEAR, call, frame, subject, path)
    if name in ("eval", "train") and len(call.args) <= 1:
        given = [*call.args, *(one.value for one in call.keywords)]
        off = [one for one in given if isinstance(one, ast.Constant) and one.value is False]
        kind = Kind.EVAL if name == "eval" or off else Kind.TRAIN
        return Event(kind, call, frame, subject, path)
    if name == "unscale_":
        return Event(Kind.UNSCALE, call, frame, subject, path)
    if name == "update" and thing(receiver, frame) is Thing.SCALER:
        return Event(Kind.UPDATE, call, frame, subject, path)
    if ".grad" in subject and name.endswith("_"):
        cleared = name in ("zero_", "detach_")
        return Event(Kind.CLEAR if cleared else Kind.GRADIENTS, call, frame, "", path)
    return None


def _clip(call: ast.Call, frame: Frame, path: tuple[Branch, ...]) -> Event:
    qualified = frame.module.names.called(call) or ""
    subject = frame.text(call.args[0]) if call.args else ""
    torchs = qualified.startswith("torch.nn.utils.")
    return Event(Kind.CLIP, call, frame, subject, path, wrapped=not torchs)


def _backward(call: ast.Call, receiver: ast.expr, frame: Frame, path: tuple[Branch, ...]) -> Event:
    """A backward pass of a loss, by itself, scaled, or through a library's object."""
    keeps = {one.arg for one in call.keywords if not _is_false(one.value)}
    again = bool(keeps & {"retain_graph", "create_graph"})
    if isinstance(receiver, ast.Call) and called_name(receiver) == "scale" and receiver.args:
        scaler = receiver.func.value if isinstance(receiver.func, ast.Attribute) else receiver
        known = isinstance(receiver.func, ast.Attribute) and thing(scaler, frame) is Thing.SCALER
        loss = frame.text(receiver.args[0])
        by = frame.text(scaler) if known else "?"
        return Event(Kind.BACKWARD, call, frame, loss, path, by, not known, again=again)
    if not call.args:
        by = _scaled_by(receiver, frame)
        loss = frame.text(receiver)
        return Event(Kind.BACKWARD, call, frame, loss, path, by, by == "?", again=again)
    loss = frame.text(call.args[0])
    own = called_name(call) == "manual_backward"
    if own or WRAPPER_NAME.search(text_of(receiver).rpartition(".")[2]):
        return Event(Kind.BACKWARD, call, frame, loss, path, wrapped=True, again=again)
    if frame.module.names.called(call) == "torch.autograd.backward":
        return Event(Kind.BACKWARD, call, frame, loss, path, again=again)
    return Event(Kind.FOREIGN, call, frame, frame.text(receiver), path)


def _scaled_by(loss: ast.expr, frame: Frame) -> str:
    """What multiplied a loss before: a scaler, "?" for something unknown, "" for nothing."""
    if isinstance(loss, ast.Call):
        return _scale_of(loss, frame)
    if not isinstance(loss, ast.Name):
        return ""
    if loss.id in frame.given and frame.caller is not None:
        return _scaled_by(frame.given[loss.id], frame.caller)
    values = [one.value for one in frame.bound(loss.id)[1]]
    found = {_scale_of(one, frame) if isinstance(one, ast.Call) else "" for one in values}
    return found.pop() if len(found) == 1 else "?" * any(found)


def _scale_of(call: ast.Call, frame: Frame) -> str:
    """The scaler of `scaler.scale(loss)`, "?" for amp's `scale_loss` and the like."""
    if called_name(call) not in ("scale", "scale_loss"):
        return ""
    by = call.func.value if isinstance(call.func, ast.Attribute) else None
    known = by is not None and thing(by, frame) is Thing.SCALER
    return frame.text(by) if known and by is not None else "?"


def _step(
    call: ast.Call, receiver: ast.expr, frame: Frame, path: tuple[Branch, ...]
) -> Event | None:
    kind = thing(receiver, frame)
    subject = frame.text(receiver)
    if kind is Thing.SCALER and call.args:
        optimizer = frame.text(call.args[0])
        sure = thing(call.args[0], frame) is Thing.OPTIMIZER
        return Event(Kind.STEP, call, frame, optimizer, path, subject, sure=sure)
    if kind.steps:
        return Event(Kind.STEP, call, frame, subject, path, sure=kind is Thing.OPTIMIZER)
    if kind is Thing.SCHEDULER:
        return Event(Kind.SCHEDULE, call, frame, subject, path)
    counts = COUNTING_NAME.search(text_of(receiver).rpartition(".")[2])
    if counts or frame.called(call) is not None:
        return None
    return Event(Kind.FOREIGN, call, frame, subject, path)


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and not value.value

"""GD611: a training loop steps by the sum of all gradients that it has ever made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import names_in, text_of
from gptdoctor.source.nodes import every_node
from gptdoctor.source.optimizers import Thing, made_by
from gptdoctor.source.training_events import Event, Kind
from gptdoctor.source.training_loops import Stretch, training_loop, training_of

CODE = "GD611"
# Steps inside the backward pass, or after each step, clear by themselves.
HOOKS = re.compile(r"post_accumulate_grad_hook|step_post_hook")
CLEARING = re.compile(r"(zero|clear|reset|free|wipe)\w*grad|set_to_none", re.IGNORECASE)
# What these are given they leave as it is, as far as gradients go.
HARMLESS = re.compile(
    r"^(print|len|id|type|isinstance|hasattr|getattr|repr|str|append|update|register|watch)$"
    r"|^(prepare|setup|setup_optimizers|initialize|add_param_group|broadcast_optimizer_state)$"
    r"|^(state_dict|load_state_dict|synchronize|skip_synchronize|manual_seed|no_sync)$"
    r"|(^|_)(save|saving|load|log|logging|print|checkpoint|plot|lr|learning_rate|restore|resume)(_|$)"
)
# Attributes that are called and hold a network or a loss, whoever sets them.
CALLED_NAME = re.compile(r"model|net|loss|criterion|encoder|decoder|embed|head", re.IGNORECASE)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call):
        return
    for stretch, step in training_of(visit.project, visit.module).at(node, Kind.STEP):
        loop = training_loop(stretch, step)
        if loop is None or not _accumulates(stretch, loop, step):
            continue
        backward = loop.of(Kind.BACKWARD)[0]
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{text_of(backward.node)}` adds to the gradients of every turn before, and "
                f"nothing in the loop clears them before or after `{text_of(node)}`"
            ),
            extent=(node.lineno, node.end_lineno or node.lineno),
        )


def _accumulates(stretch: Stretch, loop: Stretch, step: Event) -> bool:
    """Whether gradients surely add up from turn to turn, told once, at the loop's first step."""
    first = loop.of(Kind.STEP)[0]
    if first is not step or not step.sure or loop.once or loop.loop is None:
        return False
    if stretch.of(Kind.GRADIENTS, Kind.FOREIGN) or loop.of(Kind.CLEAR):
        return False
    # Cleared before the loop, or once an epoch, they add up over its turns all the same; unless
    # the one step is that of the last turn.
    if stretch.of(Kind.CLEAR) and not loop.always(step):
        return False
    return not (
        HOOKS.search(step.frame.module.text)
        or CLEARING.search(text_of(loop.loop))
        or _made_in(loop.loop, step.subject)
        or _taken_by(loop.loop, step.subject)
        or any(_may_clear(one, step.subject) for one in stretch.of(Kind.CALL))
    )


def _made_in(loop: ast.stmt, optimizer: str) -> bool:
    """Whether the loop makes the optimizer, and with it a model without gradients."""
    root = optimizer.partition("[")[0]
    return any(text_of(target) == root for node in every_node(loop) for target in _targets(node))


def _taken_by(loop: ast.stmt, optimizer: str) -> bool:
    """Whether each turn has another optimizer: `for net, opt in zip(nets, opts)`, `opts[i]`."""
    target = getattr(loop, "target", None)
    names = () if target is None else (one.id for one in names_in(target))
    return not set(re.findall(r"\w+", optimizer)).isdisjoint(names)


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return [
            one
            for target in node.targets
            for one in (target.elts if isinstance(target, ast.Tuple) else [target])
        ]
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def _may_clear(event: Event, optimizer: str) -> bool:
    """Whether a call that is not in sight is given the optimizer, or an object that holds it."""
    call = event.node
    if not isinstance(call, ast.Call) or event.known:
        return False
    name = event.subject.rpartition(".")[2]
    made = made_by(call, event.frame)
    if HARMLESS.search(name) or made is not Thing.OTHER:
        return False
    own = optimizer.startswith("self.")
    if own and re.fullmatch(r"self\.\w+|super\(\)\.\w+", event.subject):
        return not _is_network(event)
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Attribute):
        given.append(call.func.value)
    words = {event.frame.text(inner) for one in given for inner in _whole(one)}
    return optimizer in words or (own and "self" in words)


def _is_network(event: Event) -> bool:
    """`self.model(x)`: an attribute that is called, and no method."""
    owner = None if event.frame.function is None else event.frame.function.owner
    name = event.subject.removeprefix("self.")
    known = owner is not None and name in owner.attributes
    return known or CALLED_NAME.search(name) is not None


def _whole(value: ast.expr) -> list[ast.expr]:
    """A value that is handed on, and the items of a list or tuple of them."""
    if isinstance(value, ast.Starred):
        return _whole(value.value)
    if isinstance(value, ast.Tuple | ast.List | ast.Set):
        return [inner for one in value.elts for inner in _whole(one)]
    if isinstance(value, ast.Dict):
        return [inner for one in value.values for inner in _whole(one)]
    return [value]


SICK = """\
import torch
from torch import nn


def train(model, batches):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    criterion = nn.CrossEntropyLoss()
    for ids, targets in batches:
        loss = criterion(model(ids).flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="gradients-never-cleared",
    severity=Severity.HIGH,
    summary="A loop runs backward and steps, and never clears the gradients.",
    explanation=(
        "`backward` adds to what the gradients hold. A loop that runs it and `optimizer.step()` "
        "has to clear them once a step: `optimizer.zero_grad()`, `model.zero_grad()`, or "
        "`p.grad = None`. Looked for in the innermost loop that does both, and in the functions "
        "of the project that it calls: cleared once an epoch, gradients add up over the batches. "
        "Not meant: gradients that are added up over several batches and cleared after the step, "
        "or stepped by in the last turn alone; an optimizer that the loop makes anew, or of which "
        "each turn has another; a loop that is left after its first turn; an optimizer that is "
        "handed to code out of sight."
    ),
    harm=(
        "Each step follows the sum of all gradients since the beginning: as momentum that never "
        "fades, so that the loss oscillates and training diverges or stalls."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, print the norm of the gradients right "
        "before the step: it grows from step to step, even at a tiny learning rate."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        loss.backward()\n", "        optimizer.zero_grad()\n        loss.backward()\n"
    ),
    suspects={calls("step"): _suspect},
)

"""GD622: a model gets new weights after its optimizer was made, which does not know them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_functions import Function, functions_of, script_of
from gptdoctor.source.flow_targets import start, text_of
from gptdoctor.source.new_weights import change_of, inner_statements
from gptdoctor.source.nodes import every_node
from gptdoctor.source.statements import bodies_of

CODE = "GD622"
# An optimizer is told of more weights.
_TELLS = re.compile(r"add_param_group|\[['\"]params['\"]\]")
# What is loaded is mostly used, and not trained any further.
_LOADS = re.compile(r"load|restore|from_|predict|eval")
# The statement that changes a model, what it adds, and where it stands.
Found = tuple[ast.stmt, str, Function]


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    optimizer = _optimizer_of(node, visit)
    if (
        optimizer is None
        or not isinstance(node, ast.Call)
        or not isinstance(node.func, ast.Attribute)
    ):
        return
    made = text_of(optimizer.targets[0])
    model, function = text_of(node.func.value), visit.flow or script_of(visit.module)
    found = _changed_after(optimizer, model, function, visit)
    if found is None and function.name == "__init__" and made.startswith("self."):
        found = _changed_by_method(made, model, function, visit)
    if found is not None:
        statement, change, where = found
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(statement),
            symbol=where.symbol,
            message=(
                f"`{made}` was made in line {node.lineno} from `{text_of(node)}`: it never "
                f"moves {change}"
            ),
            extent=(statement.lineno, statement.end_lineno or statement.lineno),
        )


def _changed_after(
    optimizer: ast.Assign, model: str, function: Function, visit: Visit
) -> Found | None:
    """The first statement behind the optimizer's that gives the model new weights."""
    made = text_of(optimizer.targets[0])
    later = [one for one in _after(visit) if start(one) > start(optimizer)]
    for index, statement in enumerate(later):
        if _makes_optimizer(statement, made, model):
            return None
        for one in inner_statements(statement):
            change = change_of(one, model, function, visit.project)
            rest = [*_behind(statement, one), *later[index + 1 :]]
            if change and _goes_on(rest, made, model):
                return one, change, function
            if change:
                return None
    return None


def _behind(statement: ast.stmt, inner: ast.stmt) -> list[ast.stmt]:
    """The statements of a block that come after one of them."""
    return [one for one in inner_statements(statement) if start(one) > start(inner)]


def _changed_by_method(made: str, model: str, init: Function, visit: Visit) -> Found | None:
    """The statement of another method that gives the model new weights, once all is made."""
    owner = init.owner
    if owner is None or _TELLS.search(owner.text) or f"{made}.step" not in owner.text:
        return None
    if len(owner.attributes.get(made.removeprefix("self."), [])) != 1:
        return None  # it is made anew somewhere
    functions = functions_of(visit.project, visit.module)
    for name, node in owner.methods.items():
        if name == "__init__" or _LOADS.search(name) or _runs_early(name, owner):
            continue
        method = functions[node]
        for one in (inner for statement in node.body for inner in inner_statements(statement)):
            change = change_of(one, model, method, visit.project)
            if change:
                return one, change, method
    return None


def _runs_early(name: str, owner: ClassInfo) -> bool:
    """Whether the constructor runs a method, itself or by another one."""
    reached, queue = {"__init__"}, ["__init__"]
    while queue:
        node = owner.methods.get(queue.pop())
        text = "" if node is None else owner.module.lines_of(node)
        fresh = {one for one in owner.methods if f"self.{one}(" in text} - reached
        reached |= fresh
        queue += fresh
    return name in reached


def _optimizer_of(node: ast.AST, visit: Visit) -> ast.Assign | None:
    """The statement that makes an optimizer from `model.parameters()`, or a list of these."""
    around = reversed(visit.parents)
    statement = next((one for one in around if isinstance(one, ast.stmt)), None)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target = statement.targets[0]
    if isinstance(target, ast.Name) and not _is_optimizer(statement.value, visit):
        later = (one for one in _after(visit) if isinstance(one, ast.Assign))
        using = (one for one in later if _takes(one.value, target.id, visit))
        statement = next(using, statement)
    named = isinstance(statement.targets[0], ast.Name | ast.Attribute)
    return statement if named and _is_optimizer(statement.value, visit) else None


def _is_optimizer(value: ast.expr, visit: Visit) -> bool:
    called = visit.module.names.called(value) or ""
    return called.startswith("torch.optim.") and "lr_scheduler" not in called


def _takes(value: ast.expr, name: str, visit: Visit) -> bool:
    """Whether an optimizer is made of a list of this name."""
    first = value.args[0] if isinstance(value, ast.Call) and value.args else None
    return isinstance(first, ast.Name) and first.id == name and _is_optimizer(value, visit)


def _after(visit: Visit) -> Iterator[ast.stmt]:
    """The statements that always follow, up to the end of the function or of a loop's turn."""
    chain = [*visit.parents]
    for parent, child in zip(reversed(chain[:-1]), reversed(chain[1:]), strict=True):
        for body in bodies_of(parent):
            if any(one is child for one in body):
                index = next(i for i, one in enumerate(body) if one is child)
                yield from body[index + 1 :]
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.For | ast.While):
            return


def _makes_optimizer(statement: ast.stmt, optimizer: str, model: str) -> bool:
    """Whether a statement makes the optimizer anew, or tells it of more weights."""
    for node in every_node(statement):
        if isinstance(node, ast.Assign) and optimizer in map(text_of, node.targets):
            return True
    return _TELLS.search(text_of(statement)) is not None


def _goes_on(later: list[ast.stmt], optimizer: str, model: str) -> bool:
    """Whether the optimizer is used for this model afterwards, and never made anew."""
    if any(_makes_optimizer(one, optimizer, model) for one in later):
        return False
    text = "\n".join(map(text_of, later))
    again = f"{model}.parameters()" in re.sub(r"clip_grad\w*\([^)]*\)", "", text)
    return not again and re.search(rf"\b{re.escape(optimizer)}\b", text) is not None


SICK = """\
import torch
from torch import nn


def tune(model, loader, classes):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model.head = nn.Linear(model.width, classes)
    for images, labels in loader:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

DEFECT = Defect(
    code=CODE,
    name="optimizer-before-change",
    severity=Severity.HIGH,
    summary="A model gets new weights after the optimizer was made from its old ones.",
    explanation=(
        "An optimizer keeps the tensors that `model.parameters()` gave when it was made. A layer "
        "that is put in afterwards, embeddings that are resized, or a model that is built anew "
        "have weights that it never moves, in the same function or by another method of the object "
        "that keeps both. Not meant: an optimizer that is made again or told by "
        "`add_param_group`; layers without weights; wrappers around the same model."
    ),
    harm=(
        "The new layer, mostly the head of the task, stays as it was initialised, while the "
        "optimizer goes on moving weights that nothing uses."
    ),
    confirmed_by=(
        "No probe runs a user's training loop. To see it, compare a weight of the new layer "
        "before and after a step: it is the same, though its gradient is not zero."
    ),
    sick=SICK,
    healed="""\
import torch
from torch import nn


def tune(model, loader, classes):
    model.head = nn.Linear(model.width, classes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for images, labels in loader:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
    suspects={calls("parameters"): _suspect},
)

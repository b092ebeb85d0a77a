"""What a value is that training works with: an optimizer, a schedule, a gradient scaler."""

from __future__ import annotations

import ast
import re
from enum import Enum

from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.imports import is_none
from gptdoctor.source.literals import written_text
from gptdoctor.source.names import called_name

# Modules whose classes are optimizers with torch's own manners: a step clears nothing.
OPTIMIZER_HOMES = (
    "torch.optim.",
    "bitsandbytes.optim.",
    "torchao.optim.",
    "apex.optimizers.",
    "torch_optimizer.",
)
OPTIMIZER_NAME = re.compile(r"(^|_)(optimi[sz]er|optim|opt)s?(_?[a-z0-9]{1,4})?$", re.IGNORECASE)
# Optimizers of other packages: Lion(model.parameters()), AdamW8bit(...), MuonAdam(...).
OPTIMIZER_CLASS = re.compile(r"Adam|SGD|Lion|Lamb|LAMB|Muon|Sophia|Prop|Prodigy|Adafactor|Shampoo")
# Wrapped by these, an optimizer keeps torch's manners.
PREPARES = frozenset(["prepare", "prepare_optimizer", "setup", "setup_optimizers"])
MAKES_OPTIMIZER = re.compile(r"optimi[sz]er", re.IGNORECASE)
SCHEDULER_NAME = re.compile(r"sched|warmup", re.IGNORECASE)
SCALER_NAME = re.compile(r"(^|_)scaler$")
DEEPEST = 6  # from name to name


class Thing(Enum):
    """What a value is."""

    OPTIMIZER = "optimizer"  # with torch's manners
    LIKELY = "likely an optimizer"  # its name alone says so; it may clear or scale by itself
    SCHEDULER = "schedule of the learning rate"
    SCALER = "gradient scaler"
    OTHER = "something else, or unknown"

    @property
    def steps(self) -> bool:
        """Whether its `step` moves weights."""
        return self in (Thing.OPTIMIZER, Thing.LIKELY)


def thing(value: ast.expr, frame: Frame, depth: int = 0) -> Thing:
    """What `value` is, by where it comes from, else by its name."""
    if depth > DEEPEST:
        return Thing.OTHER
    if isinstance(value, ast.Call):
        return made_by(value, frame)
    if isinstance(value, ast.Name) and value.id in frame.given and frame.caller is not None:
        return thing(frame.given[value.id], frame.caller, depth + 1)
    found = _origins(value, frame, depth)
    by_name = named(value)
    if found - {Thing.OTHER}:
        return found.pop() if len(found) == 1 else _mixed(found, by_name)
    handed = _is_argument(value, frame) or _is_prepared(value, frame) or _declared(value, frame)
    return Thing.OPTIMIZER if by_name is Thing.LIKELY and handed else by_name


def named(value: ast.expr) -> Thing:
    """What the name of a value, or the key it is kept under, says that it is."""
    while isinstance(value, ast.Subscript):
        key = written_text(value.slice)
        value = value.value if key is None else ast.Name(key)
    name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
    if SCHEDULER_NAME.search(name):
        return Thing.SCHEDULER
    if SCALER_NAME.search(name):
        return Thing.SCALER
    return Thing.LIKELY if OPTIMIZER_NAME.search(name) else Thing.OTHER


def made_by(call: ast.Call, frame: Frame) -> Thing:
    """What a call makes."""
    qualified = frame.module.names.called(call) or ""
    last = called_name(call)
    if "lr_scheduler" in qualified or re.search(r"[sS]ched|LR$", last):
        return Thing.SCHEDULER
    if last == "GradScaler":
        return Thing.SCALER
    if qualified.startswith(OPTIMIZER_HOMES) and last[:1].isupper():
        return Thing.OPTIMIZER
    if isinstance(call.func, ast.Call) and text_of(call.func).startswith("getattr("):
        chosen = frame.module.names.qualified(call.func.args[0]) if call.func.args else ""
        return Thing.OPTIMIZER if chosen == "torch.optim" else Thing.OTHER
    if MAKES_OPTIMIZER.search(last) and not last[:1].isupper():
        return Thing.OPTIMIZER  # configure_optimizers(...), build_optimizer(...)
    over_weights = any(".parameters()" in text_of(one) for one in call.args[:1])
    if over_weights and last[:1].isupper() and OPTIMIZER_CLASS.search(last):
        return (
            Thing.OTHER if frame.project.class_named(qualified, frame.module) else Thing.OPTIMIZER
        )
    return Thing.OTHER


def _origins(value: ast.expr, frame: Frame, depth: int) -> set[Thing]:
    """What the assignments of a value make of it; those that say nothing are OTHER."""
    if isinstance(value, ast.Name):
        home, bindings = frame.bound(value.id)
        return {_bound_to(one, home, depth) for one in bindings if _tells(one)}
    if isinstance(value, ast.Subscript):
        return set()
    given = [one for one in frame.attribute_values(value) if not is_none(one)]
    return {_kept(one, frame, depth) for one in given}


def _kept(value: ast.expr, frame: Frame, depth: int) -> Thing:
    """What an attribute is made of; a bare name is the constructor's, and what it says it is."""
    if not isinstance(value, ast.Name):
        return thing(value, frame, depth + 1)
    by_name = named(value)
    return Thing.OPTIMIZER if by_name is Thing.LIKELY else by_name


def _bound_to(binding: Binding, home: Frame, depth: int) -> Thing:
    if binding.role is Role.ELEMENT and binding.value is not None:
        made = _elements(binding.value, home)
        found = {thing(one, home, depth + 1) for one in made}
        return found.pop() if len(found) == 1 else Thing.OTHER
    if binding.role is not Role.WHOLE or binding.value is None:
        return Thing.OTHER
    return thing(binding.value, home, depth + 1)


def _elements(value: ast.expr, home: Frame) -> list[ast.expr]:
    """What a list is made of, where it is written down: one by one, or as a comprehension."""
    if isinstance(value, ast.Name):
        _, bindings = home.bound(value.id)
        one = bindings[0] if len(bindings) == 1 and bindings[0].role is Role.WHOLE else None
        value = value if one is None or one.value is None else one.value
    if isinstance(value, ast.ListComp):
        return [value.elt]
    return value.elts if isinstance(value, ast.List | ast.Tuple) else []


def _tells(binding: Binding) -> bool:
    """Whether a binding says where a value comes from."""
    spoken = binding.role not in (Role.CHANGED, Role.ARGUMENT)
    return spoken and not (binding.value is not None and is_none(binding.value))


def _mixed(found: set[Thing], by_name: Thing) -> Thing:
    """One name for several: only what all of them are that say anything."""
    known = found - {Thing.OTHER}
    if known == {Thing.OPTIMIZER} and by_name is Thing.LIKELY:
        return Thing.OPTIMIZER  # made by torch, and wrapped by something else
    if all(one.steps for one in known):
        return Thing.LIKELY
    return by_name if known == {by_name} else Thing.OTHER


def _is_prepared(value: ast.expr, frame: Frame) -> bool:
    """Whether a name holds what a library's object made of an optimizer, or a table kept."""
    if isinstance(value, ast.Subscript):
        return isinstance(value.slice, ast.Constant)
    if not isinstance(value, ast.Name):
        return False
    _, bindings = frame.bound(value.id)
    made = [one.value for one in bindings if one.value is not None and one.role is not Role.CHANGED]
    return bool(made) and all(
        isinstance(one, ast.Subscript)
        or called_name(one) in PREPARES
        or (isinstance(one, ast.Call) and made_by(one, frame).steps)
        for one in made
    )


def _is_argument(value: ast.expr, frame: Frame) -> bool:
    """Whether a name is a parameter or an item of one: `for optimizer in optimizers`."""
    if not isinstance(value, ast.Name):
        return False
    _, bindings = frame.bound(value.id)
    roles = {one.role for one in bindings if one.role is not Role.CHANGED}
    return bool(roles) and roles <= {Role.ARGUMENT, Role.ELEMENT}


def _declared(value: ast.expr, frame: Frame) -> bool:
    """Whether the class says `optimizer: torch.optim.Adam` of an attribute."""
    owner = None if frame.function is None else frame.function.owner
    body = [] if owner is None else owner.node.body
    return any(
        isinstance(one, ast.AnnAssign)
        and isinstance(one.target, ast.Name)
        and text_of(value) == f"self.{one.target.id}"
        and "optim" in text_of(one.annotation)
        for one in body
    )

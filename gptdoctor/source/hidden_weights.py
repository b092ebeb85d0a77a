"""Weights that a constructor puts where torch does not look for them.

torch registers what is assigned to a module as a module or a parameter, and nothing that lies
in a plain list, tuple or dictionary.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import FunctionNode, parameters
from gptdoctor.source.constructors import Constructor, Setting, Use, own_text, settings_of
from gptdoctor.source.flow_assigned import Assigned
from gptdoctor.source.flow_attributes import Learns, attributes_of, value_learns
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.plain_containers import WRITTEN, container_of, copied_name, elements
from gptdoctor.source.statements import ASSIGNMENTS, every_statement

_MAKING = frozenset({*WRITTEN, ast.BinOp, ast.Call})  # what `container_of` knows
# Calls that only look at a container, or go through it.
LOOKING = frozenset(
    {"len", "enumerate", "zip", "reversed", "iter", "range", "print", "sum", "list", "tuple"}
    | {"sorted", "map", "filter", "any", "all", "isinstance", "min", "max", "next"}
)
# Calls that make something known to torch, by whatever name.
REGISTERING = ("add_module", "register_module", "register_parameter", "setattr", "__setattr__")
# By these a local container gets more.
GROWING = ("append", "extend", "insert", "add", "update", "setdefault")


def may_hide(node: FunctionNode, text: str) -> bool:
    """Whether a constructor, of this text, keeps a container that it makes, or a name of one."""
    if not _makes_container(node) and ":=" not in text:
        return False
    given = {argument.arg for argument in parameters(node)}
    settings = settings_of(node)
    return any(
        one.value.id not in given
        if isinstance(one.value, ast.Name)
        else container_of(one.value) and _may_fill(one, settings)
        for one in settings
        if isinstance(one.node, ast.Assign | ast.AnnAssign)
    )


def _makes_container(node: FunctionNode) -> bool:
    """Whether an assignment is given a container, to keep or under a name that is kept later.

    Most constructors have none: what they set need not be listed to say so.
    """
    for one in every_statement(node):
        if not isinstance(one, ASSIGNMENTS) or one.value.__class__ not in _MAKING:
            continue
        value = one.value
        if isinstance(value, ast.Call) and value.func.__class__ is ast.Attribute:
            continue  # `nn.Linear(...)`, as most
        if value is not None and container_of(value):
            return True
    return False


def _may_fill(setting: Setting, settings: tuple[Setting, ...]) -> bool:
    """Whether something that is called or named goes into a container, now or later."""
    inside = any(isinstance(one, ast.Call | ast.Name) for one in elements(setting.value))
    inside = inside or copied_name(setting.value) is not None
    return inside or any(one.name == setting.name and one is not setting for one in settings)


class HiddenLayers:
    """The plain containers of layers that one constructor makes."""

    def __init__(self, constructor: Constructor) -> None:
        self.constructor = constructor
        self.text = own_text(constructor.info)
        # What a caller gives was not made here; most names are such, and are asked no further.
        self.given = {argument.arg for argument in parameters(constructor.node)}

    def found(self) -> Iterator[tuple[Setting, str, ast.AST]]:
        """Each such setting, the kind of the container, and the last statement that fills it."""
        for setting in self.constructor.settings:
            if not isinstance(setting.node, ast.Assign | ast.AnnAssign):
                continue
            kind, filled = self._contents(setting)
            if not kind or not filled:
                continue
            if not self.constructor.of_network:
                return
            if self.stays_hidden(setting, kind):
                yield setting, kind, filled[-1]

    def _contents(self, setting: Setting) -> tuple[str, list[ast.AST]]:
        """The kind of a container, and the statements that put layers into it."""
        kind, copied = container_of(setting.value), copied_name(setting.value)
        if copied is not None:
            return kind, self._local(copied, setting)[1] if copied.id not in self.given else []
        if kind:
            inside = [setting.node] if self._any_made(elements(setting.value)) else []
            if _is_wrapped_alone(setting.value):
                return "", []
            later = (one for one in self.constructor.settings if one.name == setting.name)
            added = [
                one.node
                for one in later
                if isinstance(one.node, ast.Call | ast.Assign | ast.AugAssign)
                and one is not setting
                and self._any_made(_inside(one.value))
            ]
            return kind, [*inside, *added]
        if isinstance(setting.value, ast.Name) and setting.value.id not in self.given:
            return self._local(setting.value, setting)
        return "", []

    def _local(self, name: ast.Name, setting: Setting) -> tuple[str, list[ast.AST]]:
        """The same of a local list that is filled first and assigned then."""
        bindings = self.constructor.function.reaching(name)
        made = [one for one in bindings if one.role is Role.WHOLE and one.value is not None]
        if len(made) != 1 or any(one.role not in (Role.WHOLE, Role.CHANGED) for one in bindings):
            return "", []
        kind = container_of(made[0].value) if made[0].value is not None else ""
        if not kind or not self._only_filled(name):
            return "", []
        filled = any(self._fills(one) for one in bindings)
        return kind, [setting.node] if filled else []

    def _fills(self, binding: Binding) -> bool:
        value = binding.value
        if value is None:
            return False
        return self._any_made(_inside(value))

    def _only_filled(self, name: ast.Name) -> bool:
        """Whether a local list goes nowhere but into the one attribute."""
        parents = self.text
        for node in every_node(self.constructor.node):
            if not isinstance(node, ast.Name) or node.id != name.id or node is name:
                continue
            around = parents.parent(node)
            growing = isinstance(around, ast.Attribute) and around.attr in GROWING
            # `layers[name] = nn.Linear(...)`
            growing |= isinstance(around, ast.Subscript) and isinstance(around.ctx, ast.Store)
            if not growing and not isinstance(node.ctx, ast.Store) and not _looks(around):
                return False
        return True

    def _any_made(self, inside: Iterator[ast.expr]) -> bool:
        """Whether something with weights is made right there, for this container alone."""
        return any(self._is_made(one) for one in inside)

    def _is_made(self, value: ast.expr) -> bool:
        if not isinstance(value, ast.Call | ast.Name):
            return False
        if isinstance(value, ast.Name):
            if value.id in self.given:
                return False
            bindings = self.constructor.function.reaching(value)
            if len(bindings) != 1 or bindings[0].role is not Role.WHOLE:
                return False
            made = bindings[0].value
            return made is not None and self._is_made(made) and self._goes_nowhere_else(value)
        if not self._is_class(value):
            return False
        made_here = Assigned(value, self.constructor.function)
        return value_learns(self.constructor.project, made_here, 0) is Learns.YES

    def _is_class(self, call: ast.Call) -> bool:
        """Whether a call makes one module or parameter, as far as its name tells."""
        names, project = self.constructor.info.module.names, self.constructor.project
        qualified = names.called(call) or ""
        if qualified.startswith("torch.nn."):
            return qualified.rpartition(".")[2][:1].isupper()
        info = project.class_named(qualified, self.constructor.info.module)
        return info is not None and project.is_network(info)

    def _goes_nowhere_else(self, name: ast.Name) -> bool:
        others = [
            node
            for node in every_node(self.constructor.node)
            if isinstance(node, ast.Name) and node.id == name.id and node is not name
        ]
        return all(isinstance(node.ctx, ast.Store) for node in others)

    def stays_hidden(self, setting: Setting, kind: str) -> bool:
        """Whether the layers are used after the constructor, and nothing registers them."""
        attributes = attributes_of(self.constructor.project, self.constructor.info)
        if not self.constructor.settled or self.text.calls(*REGISTERING):
            return False
        if "" in attributes.frozen or setting.name in attributes.frozen:
            return False
        assigned = [
            one
            for one in self.constructor.settings
            if one.name == setting.name
            and isinstance(one.node, ast.Assign | ast.AnnAssign)
            and one is not setting
            and _target_text(one) == f"self.{one.name}"
        ]
        uses = self.text.uses(setting.name)
        outside = [use for use in uses if use.method is not self.constructor.node]
        return (
            not assigned
            and any(not use.written for use in outside)
            and not any(use.written for use in outside)
            and not any(self._hands_on(use) for use in uses)
        )

    def _hands_on(self, use: Use) -> bool:
        """Whether a container goes where somebody may register what lies in it."""
        if use.written:
            return False
        around = self.text.parent(use.node)
        if isinstance(around, ast.Starred | ast.keyword):
            around = self.text.parent(around)
        if isinstance(around, ast.Call) and around.func is not use.node:
            return not _looks(around)
        if isinstance(around, ast.Attribute) and around.attr in ("values", "items"):
            call = self.text.parent(around)
            outer = self.text.parent(call) if call is not None else None
            return isinstance(outer, ast.Call | ast.Starred) and not _looks(outer)
        return isinstance(around, ast.Assign | ast.Return | ast.Tuple | ast.Dict)


def _inside(value: ast.expr) -> Iterator[ast.expr]:
    """What a value adds to a list: what lies in it, or itself."""
    several = container_of(value) or isinstance(value, ast.GeneratorExp)
    return elements(value) if several else iter([value])


def _is_wrapped_alone(value: ast.expr) -> bool:
    """`[module]`: the way to keep a module by hand that is not to be registered."""
    return isinstance(value, ast.List | ast.Tuple) and len(value.elts) == 1


def _looks(call: ast.AST | None) -> bool:
    return isinstance(call, ast.Call) and called_name(call) in LOOKING


def _target_text(setting: Setting) -> str:
    node = setting.node
    if isinstance(node, ast.Assign):
        return text_of(node.targets[0])
    return text_of(node.target) if isinstance(node, ast.AnnAssign) else ""

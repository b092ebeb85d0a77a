"""GD111: a network takes layers before torch has set the module up."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Named, Visit
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.constructors import Constructor, Setting, constructor_at, own_text
from gptdoctor.source.flow_functions import own_nodes
from gptdoctor.source.flow_targets import start, text_of
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node, scope_inner_nodes
from gptdoctor.source.project import Project

CODE = "GD111"
# Bases that set a module up in their own `__init__`, and in nothing else: no metaclass of theirs
# calls it unasked.
SETTING_UP = ("PreTrainedModel", "LightningModule")
# Files that transformers' converter reads, and nobody runs: there `super().__init__()` stands for
# the text of the parent's constructor, wherever it is put.
TEMPLATE = "modular_"
HARMLESS = ("typing.", "abc.", "object")
REGISTERING = ("register_buffer", "register_parameter", "add_module", "register_module")


def see_constructor(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A constructor that gives a module to `self` before any call could have set it up."""
    if _begins_with_call(node):
        return  # as most do: nothing stands before the call
    constructor = constructor_at(node, visit.project, visit.owner, visit.parent)
    if constructor is None:
        return
    first, named = _first_layer(constructor), _named_only(constructor)
    plain = _first_of_none(constructor) if first is None and named is None else None
    if named is None and plain is None and (first is None or _set_up_before(constructor, first)):
        return
    template = visit.module.file.name.startswith(TEMPLATE)
    if template or not constructor.of_network or not _bases_known(visit.project, constructor.info):
        return
    first = first or plain
    place = named or (first.node if first else constructor.node)
    location = visit.module.location(place)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=visit.symbol + ".__init__",
        message=_message(constructor, first, named) if plain is None else _uncalled(constructor),
        details={"attribute": first.name if first else "", "class": constructor.info.name},
        extent=(location.line, location.end_line),
    )


def _begins_with_call(node: ast.AST) -> bool:
    """Whether the first statement below the docstring is `super().__init__()`, or another's."""
    for statement in node.body if isinstance(node, ast.FunctionDef) else []:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(value, ast.Constant):
            return called_name(value) == "__init__"
    return False


def _first_layer(constructor: Constructor) -> Setting | None:
    """The first statement that torch refuses on a module that is not set up, run for sure."""
    for statement in constructor.node.body:
        if _may_set_up(statement):
            return None
        for setting in constructor.settings:
            if setting.node is statement and _is_layer(setting.value, constructor):
                return setting
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Call) and _registers(value):
            return Setting(called_name(value), value, value)
    return None


def _first_of_none(constructor: Constructor) -> Setting | None:
    """The first attribute, where the class calls nothing that sets a module up.

    Where no layer is set for sure, torch refuses the first call of the module instead.
    """
    text = constructor.info.module.text
    forward = "forward" in constructor.info.methods and not constructor.info.node.keywords
    if not forward or any(called_name(call) == "__init__" for call in constructor.calls):
        return None  # as most: the class need not be walked for another call
    asked = own_text(constructor.info).calls("__init__", "super") or "Module.__init__" in text
    if asked or any(_hands_over(one) for one in own_nodes(constructor.node)):
        return None
    last = constructor.node.body[-1]
    if isinstance(last, ast.Raise) or "__call__" in constructor.info.methods:
        return None
    return next(iter(constructor.settings), None)


def _hands_over(node: ast.AST) -> bool:
    """Whether `self` goes where it may be set up, or shares what another module is made of."""
    if isinstance(node, ast.Attribute):
        return node.attr == "__dict__"
    return isinstance(node, ast.Call) and (_may_call_init(node) or _registers(node))


def _registers(call: ast.Call) -> bool:
    """`self.register_buffer(...)`, and its kin."""
    own = isinstance(call.func, ast.Attribute) and _is_self(call.func.value)
    return own and called_name(call) in REGISTERING


def _may_set_up(statement: ast.stmt) -> bool:
    """Whether a statement calls some `__init__`, or a method that could."""
    nodes = scope_inner_nodes(statement)
    return any(isinstance(node, ast.Call) and _may_call_init(node) for node in nodes)


def _may_call_init(call: ast.Call) -> bool:
    if called_name(call) in REGISTERING:
        return False
    if called_name(call) in ("super", "__init__"):
        # `super().__init__` without parentheses calls super, and nothing that sets up.
        return called_name(call) == "__init__"
    return self_attribute(call.func) is not None or any(_is_self(one) for one in call.args)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_layer(value: ast.expr, constructor: Constructor) -> bool:
    """Whether a value is a module or a parameter, made right here."""
    qualified = constructor.info.module.names.called(value) or ""
    last = qualified.rpartition(".")[2]
    if qualified.startswith("torch.nn.") and qualified.count(".") == 2:
        return last[:1].isupper() and last != "Buffer"
    info = constructor.project.class_named(qualified, constructor.info.module)
    return (
        info is not None
        and constructor.project.is_network(info)
        and _bases_known(constructor.project, info)
    )


def _set_up_before(constructor: Constructor, first: Setting) -> bool:
    """Whether a branch, a loop or a nested function above may have set the module up."""
    place = start(first.node)
    return any(
        isinstance(node, ast.Call) and called_name(node) == "__init__" and start(node) < place
        for node in every_node(constructor.node)
    )


def _bases_known(project: Project, info: ClassInfo) -> bool:
    """Whether nothing but a call of `__init__` can set up a module of this class."""
    links = [info, *project.bases(info)]
    if any(link.node.keywords or "__new__" in link.methods for link in links):
        return False  # a metaclass, or an instance that comes set up
    external = [one for one in project.external_bases(info) if not one.startswith(HARMLESS)]
    known = (one.startswith("torch.nn.") or one.endswith(SETTING_UP) for one in external)
    return bool(external) and all(known)


def _named_only(constructor: Constructor) -> ast.Expr | None:
    """`super().__init__` as a statement, where nothing calls it: all is refused after that."""
    for statement in constructor.node.body:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Attribute) and value.attr == "__init__":
            elsewhere = own_text(constructor.info).calls("__init__")
            return statement if isinstance(statement, ast.Expr) and not elsewhere else None
    return None


def _message(constructor: Constructor, first: Setting | None, named: ast.Expr | None) -> str:
    kind, name = constructor.info.name, f"self.{first.name}" if first else "its layers"
    if named is not None:
        return (
            f"`{text_of(named.value)}` without parentheses calls nothing: the module is not set "
            f"up, and torch refuses {name}, or the first call of a {kind}."
        )
    if own_text(constructor.info).calls("__init__"):
        return (
            f"{kind} is given {name} before `super().__init__()` has run: torch refuses it, and "
            f"no {kind} can be made."
        )
    return (
        f"{kind} is given {name}, and its `__init__` never calls `super().__init__()`: torch "
        f"refuses it, and no {kind} can be made."
    )


def _uncalled(constructor: Constructor) -> str:
    kind = constructor.info.name
    return (
        f"The `__init__` of {kind} never calls `super().__init__()`: the module is not set up, "
        f"and torch refuses the first call of a {kind}."
    )


SICK = """\
from torch import nn


class Gate(nn.Module):
    def __init__(self, width):
        self.score = nn.Linear(width, width)

    def forward(self, x):
        return x * self.score(x).sigmoid()
"""

DEFECT = Defect(
    code=CODE,
    name="super-init-missing",
    severity=Severity.CRITICAL,
    summary="A network's `__init__` sets layers, and `super().__init__()` has not been called.",
    explanation=(
        "`__init__` of a class that descends from nn.Module gives `self` a layer or a parameter, "
        "and no call of an `__init__` stands before it: there is none, it stands below, or it is "
        "named without parentheses. A class with a forward that calls none anywhere is meant "
        "whatever it keeps: its first call fails. Classes whose metaclass or `__new__` sets the "
        "module up, and constructors that hand `self` to a method or function first, are not "
        "meant."
    ),
    harm=(
        "torch raises `cannot assign module before Module.__init__() call`: the model cannot be "
        "built at all."
    ),
    confirmed_by=(
        "A model that such a class belongs to fails when it is built, and its verdict says so "
        "with this line. No probe measures it apart; making an instance of the class shows it."
    ),
    sick=SICK,
    healed=SICK.replace("        self.score", "        super().__init__()\n        self.score"),
    suspects={Named(ast.FunctionDef, ("__init__",)): see_constructor},
)

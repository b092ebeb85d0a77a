"""GD116: an nn.ModuleList or nn.ModuleDict is called as if it were a layer."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Named, Visit
from gptdoctor.source.called_helpers import helpers_called
from gptdoctor.source.classes import ClassInfo, parameter_names, self_attribute
from gptdoctor.source.constructors import (
    Constructor,
    constructor_at,
    lines_in,
    own_text,
    settings_of,
)
from gptdoctor.source.flow_assigned import Assigned
from gptdoctor.source.flow_functions import functions_of, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.held_layers import made_as
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.renamed import is_renamed

CODE = "GD116"
HOLDING = ("torch.nn.ModuleList", "torch.nn.ModuleDict", "torch.nn.ParameterList")
_LAST_NAMES = frozenset(name.rpartition(".")[2] for name in HOLDING)


def see_constructor(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A list or dictionary of layers that the class calls."""
    if not isinstance(node, ast.FunctionDef):
        return
    if not _may_make_one(lines_in(visit.module, node), visit.module):
        return
    around = visit.parent
    # Nearly every model has such lists, and nearly none calls one.
    names = frozenset(_maybe_called(node, around, visit.module))
    constructor = constructor_at(node, visit.project, visit.owner, around) if names else None
    if constructor is None or not constructor.settled or not constructor.of_network:
        return
    for call, name, kind in _calls(names, constructor):
        location = visit.module.location(call)
        yield Suspicion(
            rule=CODE,
            location=location,
            symbol=f"{constructor.info.symbol}.{_method(call, constructor)}",
            message=(
                f"{text_of(call.func)} is an nn.{kind}, which holds layers and has no forward: "
                f"calling it raises NotImplementedError."
            ),
            details={"attribute": name, "container": kind},
            extent=(location.line, location.end_line),
        )


@kept(8)
def _names_one(module: SourceModule) -> bool:
    """Whether a module may make such a container, by its name or another."""
    return any(map(module.text.__contains__, _LAST_NAMES)) or is_renamed(module, _LAST_NAMES)


def _may_make_one(text: str, module: SourceModule) -> bool:
    """Whether a constructor's text names a container, a class that is one, or a helper."""
    if any(map(text.__contains__, _LAST_NAMES)):
        return True
    if not helpers_called(text, module) and not is_renamed(module, _LAST_NAMES):
        return any(map(text.__contains__, _subclasses(module)))
    return _names_one(module)  # the whole text of a file is searched where little else is left


def _maybe_called(
    node: ast.FunctionDef, around: ast.AST | None, module: SourceModule
) -> Iterator[str]:
    """The attributes that may be containers, and that the class's text calls or hands to a name."""
    text = module.lines_of(around) if isinstance(around, ast.ClassDef) else ""
    for setting in settings_of(node):
        value = setting.value
        if not _may_hold(value, node, module):
            continue
        if _is_item(setting.node) or _holds_more(value) or _is_called(setting.name, text):
            yield setting.name


def _is_called(name: str, text: str) -> bool:
    """Whether a text calls an attribute, or some of its items, or gives it to a name."""
    if f"self.{name}(" in text or f"= self.{name}\n" in text:
        return True
    at = text.find(f"self.{name}[")
    while at >= 0:
        index, _, rest = text[at : at + 80].partition("]")
        if ":" in index and rest.startswith("("):
            return True
        at = text.find(f"self.{name}[", at + 1)
    return False


def _may_hold(value: ast.expr, node: ast.FunctionDef, module: SourceModule) -> bool:
    """Whether a value is made by a container's name, or by a class or helper of the file."""
    if isinstance(value, ast.Name):  # what a caller gives is not in sight
        return value.id not in parameter_names(node)
    called = module.names.called(value) if isinstance(value, ast.Call) else None
    if called is None or called in HOLDING or called in module.functions:
        return called is not None
    return called in _subclasses(module) or (
        called.startswith("self.") and called[5:].isidentifier()
    )


@kept(8)
def _subclasses(module: SourceModule) -> frozenset[str]:
    """The classes of a file that extend a container."""
    return frozenset(
        node.name
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
        and any(module.names.qualified(base) in HOLDING for base in node.bases)
    )


def _holds_more(value: ast.expr) -> bool:
    """Whether a container is filled right there with what may be containers again."""
    inner = (one for one in every_node(value) if one is not value and isinstance(one, ast.Call))
    return any(called_name(one) in _LAST_NAMES for one in inner)


def _is_item(statement: ast.AST) -> bool:
    """Whether a statement puts something into an attribute: `self.layers.append(...)`."""
    return isinstance(statement, ast.Call) and self_attribute(statement.func) is None


def _calls(names: frozenset[str], constructor: Constructor) -> Iterator[tuple[ast.Call, str, str]]:
    """The calls of one of these attributes, or of an item of it, that are of a container."""
    info, project = constructor.info, constructor.project
    functions = functions_of(project, info.module)
    for method in info.methods.values():
        for node in own_nodes(method):
            if not isinstance(node, ast.Call):
                continue
            name = self_attribute(_whole(node.func)) or ""
            alias = (
                isinstance(node.func, ast.Name) and node.func.id not in info.module.names.aliases
            )
            if not alias and (name not in names or _is_method(name, info, project)):
                continue
            kinds = {_held(one, project) for one in made_as(project, node.func, functions[method])}
            if len(kinds) == 1 and "" not in kinds:
                yield node, name or text_of(node.func), kinds.pop()


def _is_method(name: str, info: ClassInfo, project: Project) -> bool:
    """Whether a class or one of its bases, which may have to be parsed, defines a method."""
    return name in info.methods or any(name in link.methods for link in project.bases(info))


def _whole(value: ast.expr) -> ast.expr:
    """What an item or a slice is of."""
    return value.value if isinstance(value, ast.Subscript) else value


def _held(made: Assigned, project: Project) -> str:
    """The class of the container that an expression makes; "" for anything else."""
    module = made.function.module
    qualified = (module.names.called(made.value) or "") if isinstance(made.value, ast.Call) else ""
    if qualified in HOLDING:
        return qualified.rpartition(".")[2]
    own = project.classes(module).get(qualified)
    if own is None or any(
        {"forward", "__call__"} & set(one.methods) for one in _links(own, project)
    ):
        return ""
    bases = project.external_bases(own)
    return bases[0].rpartition(".")[2] if len(bases) == 1 and bases[0] in HOLDING else ""


def _links(info: ClassInfo, project: Project) -> list[ClassInfo]:
    return [info, *project.bases(info)]


def _method(call: ast.Call, constructor: Constructor) -> str:
    text = own_text(constructor.info)
    methods = (one for one in text.above(call) if one in constructor.info.node.body)
    return next((one.name for one in methods if isinstance(one, ast.FunctionDef)), "")


SICK = """\
from torch import nn


class Pile(nn.Module):
    def __init__(self, width=32, depth=2):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x):
        return self.layers(x)
"""

DEFECT = Defect(
    code=CODE,
    name="module-list-called",
    severity=Severity.HIGH,
    summary="An nn.ModuleList or nn.ModuleDict is called, and has no forward.",
    explanation=(
        "The constructor sets `self.layers = nn.ModuleList(...)`, by itself or by a helper, and a "
        "method calls `self.layers(x)`, a slice of it, a name that it is given to, or an item "
        "that is such a list again. Calling one layer of it, looping over the list, nn.Sequential, "
        "and attributes that may hold a layer instead are not meant."
    ),
    harm="The call raises NotImplementedError: no forward pass that comes by here ends.",
    confirmed_by=(
        "A model whose forward comes by here fails when it is called, and its verdict says so "
        "with this line. No probe measures it apart."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        return self.layers(x)\n",
        "        for layer in self.layers:\n            x = layer(x)\n        return x\n",
    ),
    suspects={Named(ast.FunctionDef, ("__init__",)): see_constructor},
)

"""GD116: an nn.ModuleList or nn.ModuleDict is called as if it were a layer."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Named, Visit
from gptdoctor.source.constructors import (
    Constructor,
    Setting,
    constructor_at,
    lines_in,
    own_text,
)
from gptdoctor.source.flow_settings import attributes_set, settings_in
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import Names
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.statements import ASSIGNMENTS

CODE = "GD116"
HOLDING = ("torch.nn.ModuleList", "torch.nn.ModuleDict", "torch.nn.ParameterList")
_LAST_NAMES = frozenset(name.rpartition(".")[2] for name in HOLDING)


def see_constructor(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A list or dictionary of layers that the class calls."""
    if not isinstance(node, ast.FunctionDef):
        return
    if not _names_one(lines_in(visit.module, node), visit.module):
        return
    around = visit.parent
    # Nearly every model has such lists, and nearly none calls one.
    called = list(_called(node, around, visit.module))
    constructor = constructor_at(node, visit.project, visit.owner, around) if called else None
    if constructor is None:
        return
    for name, kind in called:
        if not constructor.settled or not _is_sure(name, constructor):
            continue
        if not constructor.of_network:
            return
        for call in _calls(name, constructor):
            location = visit.module.location(call)
            yield Suspicion(
                rule=CODE,
                location=location,
                symbol=f"{constructor.info.symbol}.{_method(call, constructor)}",
                message=(
                    f"self.{name} is an nn.{kind}, which holds layers and has no forward: "
                    f"calling it raises NotImplementedError."
                ),
                details={"attribute": name, "container": kind},
                extent=(location.line, location.end_line),
            )


def _names_one(text: str, module: SourceModule) -> bool:
    """Whether a constructor's text may make such a container, by its name or another."""
    return any(map(text.__contains__, _LAST_NAMES)) or is_renamed(module, _LAST_NAMES)


def _called(
    node: ast.FunctionDef, around: ast.AST | None, module: SourceModule
) -> Iterator[tuple[str, str]]:
    """The attributes that a constructor makes such containers, and that the class's text calls."""
    text = module.lines_of(around) if isinstance(around, ast.ClassDef) else ""
    for statement in settings_in(node.body):
        if isinstance(statement, ASSIGNMENTS):
            for name, value in attributes_set(statement):
                kind = _held(value, module.names)
                if kind and f"self.{name}(" in text:
                    yield name, kind


def _held(value: ast.expr, names: Names) -> str:
    """The class of the container that an expression makes; "" for anything else."""
    qualified = names.called(value) if value.__class__ is ast.Call else None
    return qualified.rpartition(".")[2] if qualified in HOLDING and qualified else ""


def _is_sure(name: str, constructor: Constructor) -> bool:
    """Whether the attribute is never anything else, in this class or its bases."""
    info, project = constructor.info, constructor.project
    others = [
        one
        for one in constructor.settings
        if one.name == name
        and isinstance(one.node, ASSIGNMENTS)
        and not _held(one.value, info.module.names)
        and not _is_item(one)
    ]
    elsewhere = [
        use
        for use in own_text(info).uses(name)
        if use.written and use.method is not constructor.node
    ]
    inherited = any(name in base.methods for base in [info, *project.bases(info)])
    return not others and not elsewhere and not inherited


def _is_item(setting: Setting) -> bool:
    """`self.layers["a"] = ...`: what is put in is not what holds it."""
    targets = setting.node.targets if isinstance(setting.node, ast.Assign) else []
    return any(isinstance(target, ast.Subscript) for target in targets)


def _calls(name: str, constructor: Constructor) -> Iterator[ast.Call]:
    text = own_text(constructor.info)
    for use in text.uses(name):
        around = text.parent(use.node)
        if isinstance(around, ast.Call) and around.func is use.node:
            yield around


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
        "The constructor sets `self.layers = nn.ModuleList(...)`, and a method calls "
        "`self.layers(x)`. Calling one item, looping over the list, nn.Sequential, and attributes "
        "that may hold a layer instead are not meant."
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

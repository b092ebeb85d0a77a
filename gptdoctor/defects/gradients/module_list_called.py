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
    own_text,
    settings_of,
)
from gptdoctor.source.names import Names

CODE = "GD116"
HOLDING = ("torch.nn.ModuleList", "torch.nn.ModuleDict", "torch.nn.ParameterList")


def see_constructor(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A list or dictionary of layers that the class calls."""
    # Nearly every model has such lists, and nearly none calls one.
    called = [
        (setting, kind)
        for setting in (settings_of(node) if isinstance(node, ast.FunctionDef) else ())
        if (kind := _held(setting, visit.module.names))
        and f"self.{setting.name}(" in visit.module.text
    ]
    if not called:
        return
    constructor = constructor_at(node, visit.project, visit.owner, visit.parents[-1])
    if constructor is None:
        return
    for setting, kind in called:
        if not constructor.settled or not _is_sure(setting.name, constructor):
            continue
        if not constructor.of_network:
            return
        for call in _calls(setting.name, constructor):
            location = visit.module.location(call)
            yield Suspicion(
                rule=CODE,
                location=location,
                symbol=f"{constructor.info.symbol}.{_method(call, constructor)}",
                message=(
                    f"self.{setting.name} is an nn.{kind}, which holds layers and has no forward: "
                    f"calling it raises NotImplementedError."
                ),
                details={"attribute": setting.name, "container": kind},
                extent=(location.line, location.end_line),
            )


def _held(setting: Setting, names: Names) -> str:
    """The class of the container that is assigned; "" for anything else."""
    if not isinstance(setting.node, ast.Assign | ast.AnnAssign):
        return ""
    qualified = names.called(setting.value)
    return qualified.rpartition(".")[2] if qualified in HOLDING else ""


def _is_sure(name: str, constructor: Constructor) -> bool:
    """Whether the attribute is never anything else, in this class or its bases."""
    info, project = constructor.info, constructor.project
    others = [
        one
        for one in constructor.settings
        if one.name == name
        and isinstance(one.node, ast.Assign | ast.AnnAssign)
        and not _held(one, info.module.names)
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

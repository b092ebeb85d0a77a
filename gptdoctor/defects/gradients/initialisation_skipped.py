"""GD119: a network has a method that sets its weights up, and nothing ever calls it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Named, Visit
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.project import Project

CODE = "GD119"
# Methods under these names are an author's own: torch calls none of them.
OWN = (
    "_init_weights init_weights initialize_weights _initialize_weights _init_parameters "
    "init_parameters initialize_parameters weights_init _weights_init weight_init"
)
# Calls that set numbers.
SETTING = re.compile(
    r"\b(normal_|uniform_|xavier_\w+_|kaiming_\w+_|trunc_normal_|zeros_|ones_|"
    r"constant_|orthogonal_|fill_|copy_)\("
)


def see_method(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A method that draws weights, and whose name the project says nowhere else."""
    info = visit.owner
    if not isinstance(node, ast.FunctionDef) or info is None or info.node is not visit.parent:
        return
    module = visit.module
    lines = module.lines_of(node).partition("\n")[2]
    if node.decorator_list or not _is_private(node, info) or not SETTING.search(lines):
        return
    # Named once in the file, by its definition; what another file would call it is no private one.
    if len(re.findall(rf"\b{node.name}\b", module.text)) != 1:
        return
    if not visit.project.is_network(info) or not _is_bare(visit.project, info):
        return
    location = visit.module.location(node)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=info.symbol,
        message=(
            f"{info.name} defines `{node.name}`, and nothing calls or applies it: its weights are "
            f"those that torch draws by default."
        ),
        details={"name": node.name},
        extent=(location.line, location.end_line),
    )


def _is_bare(project: Project, info: ClassInfo) -> bool:
    """Whether no base but torch's bare Module stands above: a library's may call the method."""
    return set(project.external_bases(info)) == {"torch.nn.Module"} and not project.bases(info)


def _is_private(node: ast.FunctionDef, info: ClassInfo) -> bool:
    """Whether only the class itself would call it, or the class is whole and nobody's part."""
    return node.name.startswith("_") and "forward" in info.methods and "__init__" in info.methods


SICK = """\
from torch import nn


class Model(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.mix = nn.Linear(width, width)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, x):
        return x + self.mix(x).relu()
"""

DEFECT = Defect(
    code=CODE,
    name="initialisation-skipped",
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    summary="A network defines a method that sets its weights up, and never calls it.",
    explanation=(
        "A class right below nn.Module has `_init_weights` or the like, which draws weights, and "
        "the file names it nowhere else: no `self.apply(self._init_weights)`. Public methods, "
        "which other files may call, and classes with another base, which may call it for them, "
        "are not meant."
    ),
    harm=(
        "The model starts with torch's default weights, which are wider than those that were "
        "meant: the first loss is higher, and deep models learn slower or not at all."
    ),
    confirmed_by=(
        "The probe initial-loss measures what such weights do (GD901 and GD902); that the method "
        "is never called no probe measures, and a line in it that never prints shows it."
    ),
    sick=SICK,
    healed=SICK.replace(
        "        self.mix = nn.Linear(width, width)\n",
        "        self.mix = nn.Linear(width, width)\n        self.apply(self._init_weights)\n",
    ),
    suspects={Named(ast.FunctionDef, tuple(OWN.split())): see_method},
)

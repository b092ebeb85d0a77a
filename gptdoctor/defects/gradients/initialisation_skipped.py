"""GD119: a network has a method that sets its weights up, and nothing ever calls it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Named, Visit
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_calls import MOST_NEIGHBOURS, files_beside
from gptdoctor.source.heads import bytes_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.project_files import files_importing
from gptdoctor.source.statements import every_statement

CODE = "GD119"
# Methods and functions under these names are an author's own: torch calls none of them.
OWN = (
    "_init_weights init_weights initialize_weights _initialize_weights initialise_weights "
    "_initialise_weights _init_parameters init_parameters initialize_parameters "
    "_initialize_parameters init_params _init_params weights_init _weights_init weight_init "
    "_weight_init reset_parameters _reset_parameters reset_weights _reset_weights setup_weights "
    "initialize _initialize initialise _initialise init _init init_layers _init_layers"
)
# Calls that set numbers.
SETTING = re.compile(
    r"\b(normal_|uniform_|xavier_\w+_|kaiming_\w+_|trunc_normal_|zeros_|ones_|zero_|eye_|"
    r"constant_|orthogonal_|dirac_|fill_|copy_)\("
)
# Decorators that leave a function what it is.
_HARMLESS = frozenset({"torch.no_grad", "torch.inference_mode", "staticmethod"})


def see_method(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A method, or function, that draws weights, and whose name the project says nowhere else."""
    if not isinstance(node, ast.FunctionDef) or visit.function is not None:
        return
    module = visit.module
    if module.text.count(f"{node.name}(") > 1 or not _is_named_once(node.name, module):
        return  # as most are: somebody calls it, or another class has one
    lines = module.lines_of(node).partition("\n")[2]
    if not SETTING.search(lines) or not _is_plain(node, module):
        return
    info = visit.owner
    if info is not None and (info.node is not visit.parent or not _is_whole(visit.project, info)):
        return
    if info is None and not _has_network(visit):
        return
    if not node.name.startswith("_") and _may_be_called(node, visit):
        return
    location = module.location(_place(node, visit))
    home = module.dotted.rpartition(".")[2] if info is None else info.name
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=node.name if info is None else info.symbol,
        message=(
            f"{home} defines `{node.name}`, and nothing calls or applies it: its weights are "
            f"those that torch draws by default."
        ),
        details={"name": node.name},
        extent=(location.line, location.end_line),
    )


def _is_plain(node: ast.FunctionDef, module: SourceModule) -> bool:
    """Whether no decorator but one that switches gradients off may hand the method on."""
    marks = (mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list)
    return all(module.names.qualified(mark) in _HARMLESS for mark in marks)


def _is_named_once(name: str, module: SourceModule) -> bool:
    """Whether a file names it by its definition alone, or by a statement that does nothing."""
    text, said = module.text, 0
    for found in re.finditer(rf"\b{name}\b", text):
        end = text.find("\n", found.end())
        line = text[text.rfind("\n", 0, found.start()) + 1 : end if end >= 0 else None]
        code = line.partition("#")[0]
        # `self.init_weights` without parentheses is no call, and a comment is none.
        said += name in code and code.strip() != f"self.{name}"
        if said > 1:
            return False
    return said == 1


def _place(node: ast.FunctionDef, visit: Visit) -> ast.AST:
    """The statement that names a method and does not call it, or its definition."""
    inside = every_statement(visit.owner.node) if visit.owner is not None else []
    idle = (
        one
        for one in inside
        if isinstance(one, ast.Expr) and self_attribute(one.value) == node.name
    )
    return next(idle, node)


def _is_whole(project: Project, info: ClassInfo) -> bool:
    """Whether a network is all in this file, below torch's bare Module.

    A library's base may call the method, and one of another file as well.
    """
    here = all(base.module is info.module for base in project.bases(info))
    methods = {name for one in [info, *project.bases(info)] for name in one.methods}
    complete = {"forward", "__init__"} <= methods
    return complete and here and set(project.external_bases(info)) == {"torch.nn.Module"}


def _has_network(visit: Visit) -> bool:
    """Whether a file defines a whole network, whose weights a function of it is to set."""
    classes = visit.project.classes(visit.module).values()
    return any(_is_whole(visit.project, one) for one in classes if "forward" in one.methods)


def _may_be_called(node: ast.FunctionDef, visit: Visit) -> bool:
    """Whether another file names what is public, or not all files that may are in sight."""
    file = visit.module.file
    beside = files_beside(visit.project, file)
    if (file.parent / "__init__.py").is_file():
        return True  # a package's users need not be in sight
    importing = files_importing(visit.project, visit.module, {*visit.module.dotted.split(".")})
    files = dict.fromkeys([*beside, *importing])
    word = node.name.encode()
    return len(files) > MOST_NEIGHBOURS or any(
        word in bytes_of(one) for one in files if one != file
    )


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
        "A class below nn.Module has `_init_weights` or the like, or a file has a function of that "
        "kind, which draws weights, and nothing names it again: no "
        "`self.apply(self._init_weights)`. Public ones of packages, or that another file of the "
        "project names, and classes with a base from elsewhere, which may call it for them, "
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

"""Scales of an attention that are there by name, and that nothing reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import ClassInfo, classes_of, self_assignments, self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import inner_nodes
from gptdoctor.source.project import Project
from gptdoctor.source.statements import BLOCKS, lines_at, pieces_on, places_of

# What everyone calls the factor of the scores.
SCALE = re.compile(r"^(attn_|attention_|softmax_|sm_|qk_)?(scale|scaling|scale_factor)$")
_SCALE = "scal"  # what all of these have in common
# An attribute of that name may scale anything else; one over the root of a width is for scores.
ROOT = re.compile(r"\*\* ?\(?-? ?0?\.5|sqrt|\*\* ?\(?-1 / 2")


def unread_scale(project: Project, function: Function) -> str | None:
    """The argument or attribute that is made to scale what a function computes, and never does."""
    for name in function.parameter_names:
        if SCALE.match(name) and not any(_reads(function.node, name)):
            return name
    owner = function.owner
    if owner is None or any(SCALE.match(name) for name in function.parameter_names):
        return None
    made = owner.methods.get("__init__")
    for name, value in [] if made is None else self_assignments(made):
        if SCALE.match(name) and ROOT.search(text_of(value)) and _is_unread(project, owner, name):
            return f"self.{name}"
    return None


def _reads(node: ast.AST, name: str) -> Iterator[bool]:
    """Where a name is read; to ask whether it is None is not to read it."""
    every = list(ast.walk(node))
    asked = {id(one.left) for one in every if isinstance(one, ast.Compare)}
    for one in every:
        if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load):
            if id(one) not in asked:
                yield True
        elif isinstance(one, ast.Name) and one.id in ("locals", "vars"):
            yield True


def _is_unread(project: Project, owner: ClassInfo, name: str) -> bool:
    """Whether an attribute is read by no class of the file that may have it, nor from outside."""
    readers = _readers(owner.module).get(name, frozenset())
    if "" in readers:
        return False
    others = [info for info in classes_of(owner.module) if info.name in readers]
    family = {info.name for info in (owner, *project.bases(owner))}
    return not any(
        info.name in family or owner.name in {base.name for base in project.bases(info)}
        for info in others
    )


@kept(32)
def _readers(module: SourceModule) -> dict[str, frozenset[str]]:
    """By attribute that may be a scale: the classes that read it of self, "" for any other."""
    found: dict[str, set[str]] = {}
    text = module.text
    # Python reads some letters of other scripts as those of ASCII.
    said = places_of(text, _SCALE if text.isascii() else "\n")
    lines = lines_at(text, said)
    for statement in module.tree.body:
        own = statement.name if isinstance(statement, ast.ClassDef) else ""
        pieces = pieces_on(statement, lines) if statement.__class__ in BLOCKS else (statement,)
        for node in inner_nodes(*pieces):
            if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
                continue
            if SCALE.match(node.attr):
                reader = own if own and self_attribute(node) == node.attr else ""
                found.setdefault(node.attr, set()).add(reader)
    return {name: frozenset(readers) for name, readers in found.items()}

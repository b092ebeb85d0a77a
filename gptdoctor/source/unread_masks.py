"""Values that a method or a constructor makes and that nothing in the file reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.flow_calls import callers_here
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.kept import kept
from gptdoctor.source.literals import written_text
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.statements import own_statements

# What reads local names without writing them.
_READERS = frozenset({"locals", "vars", "eval", "exec"})
# An attention, and what may make it causal by another way.
_ATTENDS = re.compile(r"softmax\(|scaled_dot_product_attention|MultiheadAttention|TransformerEnc")
_MASKED = re.compile(
    r"mask|is_causal|causal|tri[lu]\b|where\(|bias\[|getattr|buffers\(|state_dict|window", re.I
)


def unread_name(statement: ast.AST, function: Function) -> tuple[str, ast.expr] | None:
    """The name that a statement gives a value which nothing reads but for the name itself."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None
    if not isinstance(target, ast.Name) or statement.value is None:
        return None
    if _read_in(function.node) & {target.id, *_READERS}:
        return None
    return target.id, statement.value


@kept(64)
def _read_in(function: FunctionNode) -> frozenset[str]:
    """The names that a function reads, inner functions included.

    `mask = mask.to(device)` reads a name for its own sake alone.
    """
    own: set[int] = set()
    for statement in own_statements(function):
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            own |= {
                id(node)
                for node in every_node(statement.value)
                if isinstance(node, ast.Name)
                and isinstance(target, ast.Name)
                and node.id == target.id
            }
    return frozenset(
        node.id
        for node in every_node(function)
        if isinstance(node, ast.Name)
        and not isinstance(node.ctx, ast.Store)
        and id(node) not in own
    )


def unread_calls(project: Project, helper: Function) -> Iterator[tuple[ast.Call, Function]]:
    """The calls of a helper in its file whose result is given to a name that nobody reads."""
    for site in callers_here(project, helper):
        owner = site.function.owner
        if owner is None or site.function.name == "__init__" or site.handed_on:
            continue
        for statement in own_statements(site.function.node):
            value = getattr(statement, "value", None)
            unread = value is site.node and unread_name(statement, site.function)
            if unread and project.is_network(owner):
                yield site.node, site.function


def unread_attribute(project: Project, owner: ClassInfo, statement: ast.stmt, made: ast.AST) -> str:
    """The attribute that a constructor gives a mask to, which nothing in the file reads; or ""."""
    name, value = _kept(statement)
    if not name or not any(node is made for node in every_node(value or statement)):
        return ""
    text = owner.module.text
    if len(re.findall(rf"\b{re.escape(name)}\b", text)) != 1 or project.bases(owner):
        return ""
    rest = text.replace(owner.module.segment(statement.lineno, statement.end_lineno or 0), "")
    own = owner.text.replace(
        owner.module.segment(statement.lineno, statement.end_lineno or statement.lineno), ""
    )
    attends = _ATTENDS.search(own) is not None
    if not attends or _MASKED.search(own) or f"({owner.name})" in rest:
        return ""
    calls = (node for node in own_nodes(owner.node) if isinstance(node, ast.Call))
    return "" if any(self_attribute(call.func) == name for call in calls) else name


def _kept(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    """NAME and the value of `self.register_buffer("NAME", value)` and of `self.NAME = value`."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return self_attribute(statement.targets[0]) or "", statement.value
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and self_attribute(call.func) == "register_buffer":
        first = call.args[0] if call.args else None
        second = call.args[1] if len(call.args) > 1 else None
        return written_text(first) or "", second
    return "", None

"""Import statements: where they stand, what they bind, and what happens when they fail."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from gptdoctor.source.classes import FUNCTIONS
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import last_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.statements import BLOCKS, blocks_of, holds_line

ImportNode = ast.Import | ast.ImportFrom
Handlers = ast.Try | ast.With | ast.AsyncWith
_IMPORTS = (ast.Import, ast.ImportFrom)

# Handlers for these catch what a failing import raises.
IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


@dataclass(frozen=True, eq=False, kw_only=True)
class ImportSite:
    """One import statement and the nodes around it, outermost (the ast.Module) first."""

    node: ImportNode
    parents: tuple[ast.AST, ...]

    @property
    def lazy(self) -> bool:
        """Whether it runs only when a function is called."""
        return any(isinstance(one, FUNCTIONS) for one in self.parents)

    @property
    def stands_in_for(self) -> list[ast.Try]:
        """The try statements in whose handlers it stands: it runs where their bodies fail."""
        return [
            outer
            for outer, inner in pairwise(self.parents)
            if isinstance(outer, ast.Try) and isinstance(inner, ast.ExceptHandler)
        ]


class Guard(Enum):
    """What stands between an import that fails and the code behind it."""

    NONE = "none"  # the file fails
    CONDITION = "condition"  # it runs only where a test allows it
    HANDLED = "handled"  # a handler offers something else, or stops with words of its own
    SILENCED = "silenced"  # a handler goes on without what is missing


@dataclass(frozen=True, eq=False, kw_only=True)
class Guarding:
    """How one import is guarded, and by which statement."""

    kind: Guard
    statement: Handlers | None = None


def import_sites(module: SourceModule) -> Iterator[ImportSite]:
    """All import statements of a module, at any depth, in the order of the text."""
    outer = [one for one in module.tree.body if one.__class__ in _IMPORTS]
    if len(outer) == len(module.imports):  # none stands in another statement
        around = (module.tree,)
        yield from (ImportSite(node=node, parents=around) for node in module.imports)
        return
    lines = [node.lineno for node in module.imports]
    stack: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(module.tree, ())]
    while stack:  # no recursion: a long chain of `elif` is deep
        node, parents = stack.pop()
        if isinstance(node, _IMPORTS):
            yield ImportSite(node=node, parents=parents)
            continue
        below = (*parents, node)
        stack += [(one, below) for one in reversed(blocks_of(node)) if _may_hold(one, lines)]


def _may_hold(node: ast.AST, lines: list[int]) -> bool:
    """Whether a statement is an import or has, by its lines, one of those in it."""
    kind = node.__class__
    return kind in _IMPORTS or (kind in BLOCKS and holds_line(node, lines))


def bound_names(node: ImportNode) -> Iterator[str]:
    """The names that an import statement binds, but for `*`."""
    for alias in node.names:
        if alias.name != "*":
            plain = alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name
            yield alias.asname or plain


def guarding(site: ImportSite) -> Guarding:
    """The innermost guard around an import."""
    inner: ast.AST = site.node
    for parent in reversed(site.parents):
        found = _guard_by(parent, inner, site.node)
        if found.kind is not Guard.NONE:
            return found
        inner = parent
    return Guarding(kind=Guard.NONE)


def _guard_by(parent: ast.AST, inner: ast.AST, node: ImportNode) -> Guarding:
    """The guard that `parent` is for `inner`, one of the nodes directly in it."""
    if isinstance(parent, ast.If):
        return Guarding(kind=Guard.NONE if _always_runs(parent, inner) else Guard.CONDITION)
    if isinstance(parent, ast.match_case | ast.While):
        return Guarding(kind=Guard.CONDITION)
    if isinstance(parent, ast.Try) and inner in parent.body:
        return _guard_of_try(parent, node)
    if isinstance(parent, ast.With | ast.AsyncWith) and _suppresses(parent):
        return Guarding(kind=Guard.SILENCED, statement=parent)
    if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef) and _exits_before(parent, inner):
        return Guarding(kind=Guard.CONDITION)
    return Guarding(kind=Guard.NONE)


def _always_runs(statement: ast.If, inner: ast.AST) -> bool:
    """Whether the branch that holds `inner` is the one that runs outside a type checker."""
    test, negated = statement.test, False
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, negated = test.operand, True
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    if name == "TYPE_CHECKING":
        return (inner in statement.body) == negated
    return isinstance(test, ast.Constant) and (inner in statement.body) == (
        bool(test.value) != negated
    )


def _guard_of_try(statement: ast.Try, node: ImportNode) -> Guarding:
    handlers = [handler for handler in statement.handlers if catches_import_errors(handler)]
    if not handlers:
        return Guarding(kind=Guard.NONE)
    names = set(bound_names(node))
    handled = all(_stops(handler.body) or names <= _provided(handler) for handler in handlers)
    kind = Guard.HANDLED if handled else Guard.SILENCED
    return Guarding(kind=kind, statement=statement)


def catches_import_errors(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches the error of a failing import."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(last_name(kind) in IMPORT_ERRORS for kind in kinds)


def _suppresses(statement: ast.With | ast.AsyncWith) -> bool:
    return any(
        isinstance(call := item.context_expr, ast.Call)
        and last_name(call.func) == "suppress"
        and any(last_name(kind) in IMPORT_ERRORS for kind in call.args)
        for item in statement.items
    )


def _stops(body: list[ast.stmt]) -> bool:
    """Whether a handler leaves: it raises, returns or ends the program."""
    last = body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return last_name(last.value.func) in ("exit", "_exit", "skip")
    return isinstance(last, ast.Raise | ast.Return | ast.Continue)


def _provided(handler: ast.ExceptHandler) -> set[str]:
    """The names to which a handler gives something that can be used, at any depth."""
    found: set[str] = set()
    for node in every_node(handler):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update(bound_names(node))
        elif isinstance(node, ast.Assign) and not is_none(node.value):
            found.update(name.id for name in node.targets if isinstance(name, ast.Name))
    return found


def _exits_before(function: ast.AST, inner: ast.AST) -> bool:
    """Whether a test that leaves the function stands before `inner`."""
    for statement in getattr(function, "body", []):
        if statement is inner:
            return False
        if isinstance(statement, ast.If) and _stops(statement.body):
            return True
    return False


def is_none(node: ast.AST | None) -> bool:
    """Whether `node` is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None

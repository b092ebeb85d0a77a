"""Applies rewrites to a source: finds the places, changes exactly one, tells its lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.mutations.operator import Operator, Rewrite
from benchmarks.mutations.pattern import Bindings, Matcher, fill, parse, windows

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | ast.ClassDef
COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, *Scope.__args__)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change: characters `start` to `end` of the source become `text`."""

    start: int
    end: int
    text: str
    lineno: int  # where the changed statement begins; edits never move it
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A source with one fault, and the lines (1-based, inclusive) where it is expected."""

    source: str
    first_line: int
    last_line: int
    edit: Edit


class Tree:
    """A source, its syntax tree, and what the search for places asks of it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.root = ast.parse(source)
        self.matcher = Matcher(source)
        self.parents = {
            child: node for node in ast.walk(self.root) for child in ast.iter_child_nodes(node)
        }
        self.makers = _makers(self.root)
        self._expressions: dict[type[ast.AST], list[ast.expr]] = {}
        for node in _expressions(self.root):
            self._expressions.setdefault(type(node), []).append(node)
        self._windows: dict[int, list[list[ast.stmt]]] = {}

    def expressions(self, kind: type[ast.AST]) -> list[ast.expr]:
        """All expressions of a kind, in the order of the text."""
        return self._expressions.get(kind, [])

    def windows(self, length: int) -> list[list[ast.stmt]]:
        """All runs of so many neighbouring statements, in the order of the text."""
        if length not in self._windows:
            self._windows[length] = list(windows(self.root, length))
        return self._windows[length]

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement around a node."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def qualname(self, node: ast.AST) -> str:
        """Dotted names of the classes and functions around a node."""
        names: list[str] = []
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, Scope):
                names.insert(0, node.name)
        return ".".join(names)


def edits(operator: Operator, tree: Tree) -> Iterator[Edit]:
    """All places of a source where an operator applies, in the order of its rewrites and lines."""
    seen = set()
    for rewrite in operator.rewrites:
        for edit in _rewritten(rewrite, tree):
            key = (edit.start, edit.end, edit.text)
            if key not in seen and tree.source[edit.start : edit.end] != edit.text:
                seen.add(key)
                yield edit
    if operator.custom is not None:
        yield from operator.custom(tree)


def mutant(operator: Operator, tree: Tree, edit: Edit) -> Mutant | None:
    """The changed source; None where it is no Python any more."""
    source = tree.source[: edit.start] + edit.text + tree.source[edit.end :]
    try:
        root = ast.parse(source)
    except SyntaxError:
        return None
    if edit.deleted or operator.lines == "function":
        first, last = _scope_lines(root, edit.lineno)
    else:
        first, last = edit.lineno, _last_line(root, edit)
    return Mutant(source=source, first_line=first, last_line=last, edit=edit)


def decorated_forwards(tree: Tree, classes: str, decorator: str) -> Iterator[Edit]:
    """Puts a decorator above the forward methods of the classes whose names have a pattern."""
    for node in ast.walk(tree.root):
        if not isinstance(node, ast.FunctionDef) or node.name != "forward":
            continue
        if re.search(classes, tree.qualname(node)):
            start, _ = tree.matcher.span(node)
            text = f"{decorator}\n{' ' * node.col_offset}"
            yield Edit(start=start, end=start, text=text, lineno=_first_line(node))


def undecorated(tree: Tree, functions: str, decorators: str) -> Iterator[Edit]:
    """Deletes decorators whose text fits from functions whose names fit."""
    for node in ast.walk(tree.root):
        if not isinstance(node, ast.FunctionDef) or not re.fullmatch(functions, node.name):
            continue
        for one in node.decorator_list:
            if re.fullmatch(decorators, tree.matcher.text(one)):
                start = tree.matcher.offset(one.lineno, 0)
                end = tree.source.index("\n", start) + 1
                yield Edit(start=start, end=end, text="", lineno=one.lineno, deleted=True)


def _rewritten(rewrite: Rewrite, tree: Tree) -> Iterator[Edit]:
    pattern = parse(rewrite.before)
    only = pattern[0] if len(pattern) == 1 else None
    if isinstance(only, ast.Expr) and rewrite.after:
        for node in tree.expressions(type(only.value)):
            found: Bindings = {}
            if tree.matcher.match(only.value, node, found) and _fits(rewrite, tree, node, found):
                start, end = tree.matcher.span(node)
                text = fill(rewrite.after, found)
                yield Edit(start=start, end=end, text=text, lineno=tree.statement(node).lineno)
        return
    for run in tree.windows(len(pattern)):
        found = {}
        if tree.matcher.match_all(pattern, run, found) and _fits(rewrite, tree, run[0], found):
            yield _statement_edit(tree, run, fill(rewrite.after, found))


def _expressions(root: ast.AST) -> list[ast.expr]:
    nodes = [node for node in ast.walk(root) if isinstance(node, ast.expr)]
    return sorted(nodes, key=lambda node: (node.lineno, node.col_offset, -(node.end_lineno or 0)))


def _statement_edit(tree: Tree, run: list[ast.stmt], text: str) -> Edit:
    start, _ = tree.matcher.span(run[0])
    _, end = tree.matcher.span(run[-1])
    deleted = not text
    indent = " " * run[0].col_offset
    text = text.replace("\n", f"\n{indent}") if text else "pass"
    if deleted and not _alone(tree, run):
        start = tree.matcher.offset(run[0].lineno, 0)
        end = tree.source.find("\n", end) + 1 or len(tree.source)
        text = ""
    return Edit(start=start, end=end, text=text, lineno=run[0].lineno, deleted=deleted)


def _alone(tree: Tree, run: list[ast.stmt]) -> bool:
    parent = tree.parents[run[0]]
    bodies = (getattr(parent, name, None) for name in ("body", "orelse", "finalbody"))
    body = next(one for one in bodies if isinstance(one, list) and run[0] in one)
    return len(body) == len(run)


def _fits(rewrite: Rewrite, tree: Tree, node: ast.AST, found: Bindings) -> bool:
    scope = tree.qualname(node)
    if rewrite.within and not re.search(rewrite.within, scope):
        return False
    if rewrite.outside and re.search(rewrite.outside, scope):
        return False
    if any(not re.fullmatch(one, found.get(name, "")) for name, one in rewrite.where.items()):
        return False
    return all(
        any(re.fullmatch(one, maker) for maker in tree.makers.get(_attribute(found, name), ()))
        for name, one in rewrite.made_by.items()
    )


def _attribute(found: Bindings, name: str) -> str:
    return found.get(name, "").rpartition(".")[2]


def _makers(root: ast.AST) -> dict[str, set[str]]:
    """The constructors that make each attribute: `self.x = Maker(...)`, or `x=Maker(...)`."""
    makers: dict[str, set[str]] = {}
    for node in ast.walk(root):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            name, value = node.targets[0].attr, node.value
        elif isinstance(node, ast.keyword) and node.arg:
            name, value = node.arg, node.value
        else:
            continue
        calls = [one for one in ast.walk(value) if isinstance(one, ast.Call)]
        found = {ast.unparse(one.func).rpartition(".")[2] for one in calls}
        makers.setdefault(name, set()).update(found)
    return makers


def _scope_lines(root: ast.AST, lineno: int) -> tuple[int, int]:
    """The lines of the innermost function (or class) around a line; all where there is none."""
    around = [
        (_first_line(node), node.end_lineno or lineno)
        for node in ast.walk(root)
        if isinstance(node, Scope) and _first_line(node) <= lineno <= (node.end_lineno or 0) + 1
    ]
    return max(around, default=(1, lineno))


def _first_line(node: Scope) -> int:
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _last_line(root: ast.AST, edit: Edit) -> int:
    """The last changed line: of the new statements, or of a compound statement's head."""
    count = edit.text.count("\n")
    starting = [
        node for node in ast.walk(root) if isinstance(node, ast.stmt) and node.lineno == edit.lineno
    ]
    last = edit.lineno + count
    for node in starting:
        if isinstance(node, COMPOUND):
            last = max(last, node.body[0].lineno - 1)
        else:
            last = max(last, node.end_lineno or 0)
    return last

"""Learnt tables of positions, and whether a forward pass reads one row for each token it is given.

Only what is plain: rows 0 to T - 1 of an `nn.Embedding` or an `nn.Parameter`, where T is the
length of the text that forward was called with, in its class or in a part that is handed the text.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_attributes import attributes_of
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.imports import is_none
from gptdoctor.source.kept import kept
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.token_counts import TokenCounts

EMBEDDING, PARAMETER = "torch.nn.Embedding", "torch.nn.Parameter"
WHOLE_CONFIGURATION = frozenset({"config", "cfg", "conf", "args", "opt", "hparams", "params"})
DEEPEST = 4  # parts in parts


@dataclass(frozen=True, eq=False)
class Table:
    """One learnt table, read from its first row on, one row for each token."""

    name: str  # of the attribute, as it is read: "self.position"
    size: frozenset[str]  # the names that its number of rows is made of, in all classes on the way


@kept(64)
def table_read(
    project: Project, info: ClassInfo, parameter: str | int, given: frozenset[str]
) -> Table | None:
    """The table that a call of a network reads by the length of one argument, or None.

    `parameter`: which of forward's, by name or number; `given`: the others that the call gives.
    """
    return _read(project, info, parameter, given, 0)


def _read(
    project: Project, info: ClassInfo, parameter: str | int, given: frozenset[str], depth: int
) -> Table | None:
    function = _forward(project, info)
    if function is None or depth > DEEPEST:
        return None
    names = function.parameter_names
    if isinstance(parameter, int):
        parameter = names[parameter] if parameter < len(names) else ""
    if parameter not in names:
        return None
    counts = TokenCounts(project, info, function, parameter, given, depth == 0)
    reader = _Reader(counts, depth)
    return reader.table() if not reader.guarded() else None


def _forward(project: Project, info: ClassInfo) -> Function | None:
    for one in (info, *project.bases(info)):
        if "forward" in one.methods:
            return functions_of(project, one.module).get(one.methods["forward"])
    return None


@dataclass(frozen=True, eq=False)
class _Reader:
    """A forward pass, as it reads positions for one of its parameters."""

    counts: TokenCounts
    depth: int

    def table(self) -> Table | None:
        """The first table in its own text, or in that of a part that is handed the text."""
        for node in own_nodes(self.counts.function.node):
            found = self._at(node)
            if found is not None and not self._chosen(node):
                return found
        return None

    def guarded(self) -> bool:
        """Whether the length is asked for, and something other than an error comes of it."""
        return any(
            isinstance(node, ast.If | ast.IfExp | ast.While)
            and not _raises(node)
            and any(
                isinstance(one, ast.expr) and self.counts.length(one)
                for one in every_node(node.test)
            )
            for node in own_nodes(self.counts.function.node)
        )

    def _at(self, node: ast.AST) -> Table | None:
        counts = self.counts
        if isinstance(node, ast.Call) and node.args:
            made = counts.made(node.func)
            if self._kinds(made) != {EMBEDDING}:
                return self._in_part(node)
            return self._told(node.func, made) if counts.positions(node.args[0]) else None
        if not isinstance(node, ast.Subscript) or not counts.takes_length(node.slice):
            return None
        table = node.value
        if isinstance(table, ast.Attribute) and table.attr == "weight":
            table = table.value
        made = counts.made(table)
        return self._told(table, made) if self._kinds(made) in ({PARAMETER}, {EMBEDDING}) else None

    def _in_part(self, call: ast.Call) -> Table | None:
        """The table of a part of the project's that is handed the text."""
        counts, name = self.counts, self_attribute(call.func)
        number = next((at for at, one in enumerate(call.args) if counts.texts(one)), None)
        if name is None or number is None:
            return None
        parts = attributes_of(counts.project, counts.info).classes(name)
        if len(parts) != 1:
            return None
        (part,) = parts
        given = frozenset(one.arg or "" for one in call.keywords)
        found = _read(counts.project, part, number, given, self.depth + 1)
        if found is None:
            return None
        return Table(
            found.name, self._extended(found.size.union(*map(_words, counts.made(call.func))))
        )

    def _told(self, value: ast.expr, made: list[ast.expr]) -> Table:
        words = frozenset(word for one in made for word in _words(one))
        return Table(ast.unparse(value), self._extended(words))

    def _extended(self, words: frozenset[str]) -> frozenset[str]:
        """With the attributes that keep one of these numbers."""
        more = {
            name
            for one in self.counts.homes
            for name, values in one.attributes.items()
            if any(not isinstance(value, ast.Call) and _words(value) & words for value in values)
        }
        return words | more

    def _kinds(self, made: list[ast.expr]) -> set[str]:
        """The qualified names of what makes a layer; `nn.Parameter` under both of its names."""
        names = self.counts.info.module.names
        called = (names.called(one) or "" for one in made)
        return {one.replace("torch.nn.parameter.", "torch.nn.") for one in called}

    def _chosen(self, node: ast.AST) -> bool:
        """Whether the table is read under a condition that compares more than with None."""
        return any(
            isinstance(one, ast.If)
            and any(
                isinstance(test, ast.Compare) and not all(map(is_none, test.comparators))
                for test in every_node(one.test)
            )
            for one, _ in self.counts.function.statements_around(node)
        )


def _raises(node: ast.If | ast.IfExp | ast.While) -> bool:
    """Whether a branch does nothing but refuse."""
    return isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ast.Raise)


def _words(value: ast.expr) -> frozenset[str]:
    """The names that numbers in an expression go by: `n_ctx` of `config.n_ctx + 1`."""
    skipped = {id(node.value) for node in every_node(value) if isinstance(node, ast.Attribute)} | {
        id(node.func) for node in every_node(value) if isinstance(node, ast.Call)
    }
    found = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in every_node(value)
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in skipped
    }
    return frozenset(found - WHOLE_CONFIGURATION)

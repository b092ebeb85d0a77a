"""Which statements at the top level of a file define things, and which do work.

A file that trains, downloads, opens windows or reads its command line when it is imported still
defines a model.  What the definitions need is kept, through as many names as it takes; clear work
that they do not need is left out.  A file without clear work is left whole.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from gptdoctor.source.classes import MODULE_BASES
from gptdoctor.source.names import Names, collect_names, import_statements
from gptdoctor.source.nodes import every_node
from gptdoctor.source.top_level import (
    base_name,
    blocks_of,
    bound,
    calls_in,
    changed,
    here,
    is_main_guard,
    mentions,
    reads,
    reads_now,
    with_blocks,
)
from gptdoctor.source.work_calls import is_cheap, is_setting, kind_of, never_runs

_IMPORTS = (ast.Import, ast.ImportFrom)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_TAKES_OR_SHOWS = ("training", "window", "arguments", "download")


@dataclass(frozen=True, eq=False)
class LeftOut:
    """A statement that is not run, and what kind of work it would do."""

    node: ast.stmt
    kind: str


@dataclass(frozen=True)
class Plan:
    """The statements of a module in their order: to be run, or left out."""

    steps: tuple[ast.stmt | LeftOut, ...]
    plain: bool  # nothing is left out, and nothing asks the world outside for anything
    _sorter: _Sorter

    @property
    def needed(self) -> frozenset[str]:
        """The names that the definitions read, through others; told when it is first asked for."""
        return self._sorter.needed

    def left_out(self) -> list[LeftOut]:
        """All that is left out at the top level, parts of other statements not counted."""
        return [step for step in self.steps if isinstance(step, LeftOut)]


def plan_of(tree: ast.Module, wanted: Iterable[str] | None) -> Plan:
    """The plan of a module of which `wanted` names are asked for; None: whatever it binds."""
    sorter = _Sorter(tree, wanted)
    if sorter.is_plain(tree.body):  # most files: what they need of each other does not matter
        return Plan(steps=tuple(tree.body), plain=True, _sorter=sorter)
    steps = tuple(step for node in tree.body for step in sorter.sort(node))
    if not sorter.works:
        steps = tuple(tree.body)
    return Plan(steps=steps, plain=False, _sorter=sorter)


@dataclass
class _Sorter:
    """Sorts the statements of one module; `works` once there was clear work among them."""

    tree: ast.Module
    wanted: Iterable[str] | None
    works: bool = False

    @cached_property
    def needed(self) -> frozenset[str]:
        """The names that the module's definitions read, those read for them, and so on."""
        return self._needs()

    @cached_property
    def _names(self) -> Names:
        return collect_names(self.tree, "")

    @cached_property
    def _imported(self) -> frozenset[str]:
        return frozenset(name for node in import_statements(self.tree) for name in bound(node))

    @cached_property
    def _functions(self) -> dict[str, ast.FunctionDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def _networks(self) -> frozenset[str]:
        """The classes of the module that are networks."""
        classes = (node for node in self.tree.body if isinstance(node, ast.ClassDef))
        return frozenset(
            node.name for node in classes if any(map(self._is_network_base, node.bases))
        )

    def sort(self, node: ast.stmt) -> Iterator[ast.stmt | LeftOut]:
        """What becomes of one statement: itself, a part of it, or the note that it is left out."""
        if is_main_guard(node) or isinstance(
            node, (*_IMPORTS, *_DEFINITIONS, ast.Raise, ast.Assert)
        ):
            yield node
        elif isinstance(node, ast.If | ast.Try):
            yield from self._block(node)
        elif isinstance(node, _ASSIGNMENTS):
            yield from self._assignment(node)
        elif isinstance(node, ast.Expr):
            yield from self._expression(node)
        elif isinstance(node, (*_LOOPS, ast.With, ast.AsyncWith, ast.Match)):
            yield from self._work(node)
        else:
            yield node  # `del`, `pass`, `global`

    def is_plain(self, body: Iterable[ast.stmt]) -> bool:
        """Whether statements only import, define and compute: nothing outside can fail them."""
        return all(map(self._only_defines, body))

    def _only_defines(self, node: ast.stmt) -> bool:
        if isinstance(node, (*_IMPORTS, *_DEFINITIONS, ast.Pass)):
            return True
        if isinstance(node, ast.Try):
            handled = (one for handler in node.handlers for one in handler.body)
            plain = self.is_plain([*node.body, *node.orelse, *node.finalbody])
            return plain and all(map(self._only_tells, handled))
        if isinstance(node, ast.If):
            return is_main_guard(node) or self.is_plain([*node.body, *node.orelse])
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant)
        if (
            not isinstance(node, _ASSIGNMENTS)
            or mentions(node, "environ")
            or mentions(node, "argv")
        ):
            return False
        return all(is_cheap(one) and not never_runs(one) for one in self._called(node))

    def _only_tells(self, node: ast.stmt) -> bool:
        """Whether a statement of a handler says what has failed, or makes up for it."""
        if isinstance(node, ast.Expr):
            called = self._called(node)
            return kind_of(called) is None and not any(map(never_runs, called))
        return isinstance(node, ast.Raise) or self._only_defines(node)

    def _needs(self) -> frozenset[str]:
        classes = [node for node in every_node(self.tree) if isinstance(node, ast.ClassDef)]
        needed = set() if self.wanted is None else set(self.wanted)
        for node in self.tree.body:
            if isinstance(node, _DEFINITIONS):
                needed |= reads_now(node)
            elif self.wanted is None and not isinstance(node, (*_IMPORTS, *_LOOPS)):
                needed |= bound(node)
        if self.wanted is None:
            needed -= {name for node in self.tree.body for name in self._built_by(node)}
        needed |= {name for node in classes for name in (node.name, *reads(node))}
        parts = [(bound(node) | changed(node), node) for node in self.tree.body]
        parts = [(names - self._imported, node) for names, node in parts]
        before = -1
        while before != len(needed):
            before = len(needed)
            waiting = [part for part in parts if not part[0].isdisjoint(needed)]
            parts = [part for part in parts if part[0].isdisjoint(needed)]
            needed.update(*(reads(node) for _, node in waiting))
        return frozenset(needed)

    def _built_by(self, node: ast.stmt) -> frozenset[str]:
        """The names to which an assignment gives a whole model, or what trains one."""
        if not isinstance(node, _ASSIGNMENTS):
            return frozenset()
        called = self._called(node)
        builds = kind_of(called) == "training" or not self._networks.isdisjoint(called)
        return bound(node) if builds else frozenset()

    def _block(self, node: ast.If | ast.Try) -> Iterator[ast.stmt | LeftOut]:
        """An `if` or `try`, without the work in it; left out where nothing but work is in it."""
        blocks = blocks_of(node)
        sorted_blocks = [[step for one in block for step in self.sort(one)] for block in blocks]
        out = [step for block in sorted_blocks for step in block if isinstance(step, LeftOut)]
        if not out:
            yield node
            return
        kept = [[one for one in block if not isinstance(one, LeftOut)] for block in sorted_blocks]
        if not any(kept) or all(isinstance(one, ast.Pass) for block in kept for one in block):
            yield LeftOut(node, out[0].kind)
            return
        yield with_blocks(node, kept)
        yield from out

    def _assignment(self, node: ast.stmt) -> Iterator[ast.stmt | LeftOut]:
        called = self._called(node)
        kind = kind_of(called)
        if any(map(never_runs, called)):
            yield self._out(node, kind or "call")
        elif self._serves(node) or all(is_cheap(one) or is_setting(one) for one in called):
            yield node
        else:
            # `logger = get_logger()` alone makes no script of a file
            builds = any(name in self._networks for name in called)
            yield self._out(node, kind or "call", clear=kind is not None or builds)

    def _expression(self, node: ast.Expr) -> Iterator[ast.stmt | LeftOut]:
        if isinstance(node.value, ast.Constant):
            if node is self.tree.body[0]:
                yield node
            return
        called = self._called(node)
        first = self._names.called(node.value)
        if first == "print" or not called:
            # it defines nothing; in a file that works it mostly tells of that work
            yield LeftOut(node, "print")
        elif first is not None and self._keeps(node, first, called):
            yield node
        else:
            yield self._out(node, kind_of(called) or "call")

    def _keeps(self, node: ast.Expr, first: str, called: list[str]) -> bool:
        """Whether a call sets something, or fills what the definitions need."""
        if any(map(never_runs, called)):
            return False
        if is_setting(first) or first.rpartition(".")[2] == "super":
            return True
        if first in self._functions:
            return self._fills(first)
        if kind_of(called) not in (None, "arguments", "data"):
            return False
        base = base_name(node.value.func) if isinstance(node.value, ast.Call) else None
        owned = base in self.needed and base not in self._imported
        return owned and base not in self._networks

    def _fills(self, name: str) -> bool:
        """Whether a function of the module does no more than fill what the definitions need."""
        function = self._functions[name]
        inner = [below for node in function.body for below in every_node(node)]
        names = [self._names.called(below) for below in inner if isinstance(below, ast.Call)]
        if kind_of(one for one in names if one) in _TAKES_OR_SHOWS:
            return False
        shared = {one for node in inner if isinstance(node, ast.Global) for one in node.names}
        filled = {name for node in function.body for name in changed(node)} - self._imported
        return not self.needed.isdisjoint(shared | filled)

    def _work(self, node: ast.stmt) -> Iterator[ast.stmt | LeftOut]:
        """A loop, a `with` or a `match`: kept where definitions need what it makes."""
        called = self._called(node)
        kind = kind_of(called)
        endless = isinstance(node, ast.While) and isinstance(node.test, ast.Constant)
        defines = any(isinstance(below, _DEFINITIONS) for below in here(node))
        takes = kind in _TAKES_OR_SHOWS and isinstance(node, _LOOPS)
        unwanted = endless or takes or any(map(never_runs, called))
        if (defines and not isinstance(node, _LOOPS)) or (self._serves(node) and not unwanted):
            yield node
        else:
            loop = "loop" if isinstance(node, _LOOPS) else "call"
            known = (
                "arguments" if "argv" in {getattr(one, "attr", "") for one in here(node)} else loop
            )
            yield self._out(node, kind if kind in ("training", "download") else known)

    def _serves(self, node: ast.stmt) -> bool:
        """Whether the definitions need a name that the statement binds or changes."""
        own = bound(node) | (changed(node) - self._imported)
        return not own.isdisjoint(self.needed)

    def _called(self, node: ast.AST) -> list[str]:
        """Qualified names of the calls that run with `node`; of a computed one its last name."""
        found = []
        for call in calls_in(node):
            name = self._names.called(call)
            if name is None:
                name = f"?.{call.func.attr}" if isinstance(call.func, ast.Attribute) else "?"
            found.append(name)
        return found

    def _out(self, node: ast.stmt, kind: str, *, clear: bool = True) -> LeftOut:
        self.works = self.works or clear
        return LeftOut(node, kind)

    def _is_network_base(self, base: ast.expr) -> bool:
        name = self._names.qualified(base) or ""
        return name.startswith("torch.nn.") or name.rpartition(".")[2] in MODULE_BASES

"""Whether all that is taken of a loaded checkpoint are its weights."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from gptdoctor.source.flow_calls import callers_here
from gptdoctor.source.flow_functions import Function, script_of
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

MOST = 200  # places; what goes to more is no plain checkpoint
# Under these a checkpoint keeps weights, or one of them; a dot parts the names of layers.
WEIGHT_KEYS = re.compile(
    r"^(model|module|weights?|params|net\w*|ema\w*|generator|discriminator|encoder|decoder"
    r"|\w*state_dict\w*|.*\..*)$"
)
# Plain numbers and texts, which are loaded with the weights alone as well.
PLAIN_KEYS = re.compile(r"^(epoch|step|iter(ation)?|global_step|iter_num|start_epoch)s?$")
# They hand a table on, or some of it.
_TABLES = frozenset({"items", "values", "copy", "get", "pop", "dict", "OrderedDict", "list"})
_TENSORS = frozenset({"to", "float", "half", "cpu", "cuda", "clone", "detach", "contiguous"})
# They only look.
_LOOKS = frozenset({"keys", "len", "print", "isinstance", "type", "sorted", "hasattr", "format"})
_LOADS = frozenset({"load_state_dict"})
_WRITES = frozenset({"copy_"})


def only_weights(loaded: ast.Call, function: Function, project: Project) -> bool:
    """Whether what a call loads goes into `load_state_dict`, and nothing else is taken of it."""
    search = _Search(project)
    return search.all_plain([(loaded, function)]) and search.loads


@dataclass
class _Search:
    """Follows a checkpoint from place to place."""

    project: Project
    loads: bool = False  # whether some of it was seen to be loaded
    _seen: set[int] = field(default_factory=set)
    _parents: dict[Function, dict[int, ast.AST]] = field(default_factory=dict)

    def all_plain(self, places: list[tuple[ast.AST, Function]]) -> bool:
        """Whether nothing is done to values but to look at them, and to load them as weights."""
        queue = list(places)
        while queue and len(self._seen) < MOST:
            node, function = queue.pop()
            if id(node) in self._seen:
                continue
            self._seen.add(id(node))
            further = self._used(node, function)
            if further is None:
                return False
            queue += further
        return not queue

    def _used(self, node: ast.AST, function: Function) -> list[tuple[ast.AST, Function]] | None:
        """Where a value goes next; None where something is done that is out of sight."""
        parent = self._parent(node, function)
        if isinstance(parent, ast.keyword):
            parent = self._parent(parent, function)
        if isinstance(parent, ast.Subscript):
            return self._part(node, parent, function)
        if isinstance(parent, ast.Attribute):
            return self._method(parent, function)
        if isinstance(parent, ast.Call):
            return self._given(parent, function)
        if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            return self._bound(parent, function)
        if isinstance(parent, ast.comprehension | ast.For):
            return self._looped(node, parent, function)
        if isinstance(parent, ast.Return):
            return self._returned(function)
        if isinstance(parent, ast.Compare | ast.FormattedValue | ast.Expr | ast.Delete | ast.If):
            return []
        through = ast.IfExp | ast.BoolOp | ast.DictComp | ast.Dict | ast.Starred
        return [(parent, function)] if isinstance(parent, through) else None

    def _parent(self, node: ast.AST, function: Function) -> ast.AST | None:
        if function not in self._parents:
            self._parents[function] = {
                id(child): parent
                for parent in [function.node, *every_node(function.node)]
                for child in ast.iter_child_nodes(parent)
            }
        return self._parents[function].get(id(node))

    def _part(
        self, node: ast.AST, part: ast.Subscript, function: Function
    ) -> list[tuple[ast.AST, Function]] | None:
        """A part of a table: its weights go on, and so do all that are loaded as they are."""
        if part.value is not node or not isinstance(part.ctx, ast.Load):
            return []  # an index, or a table that something is written into
        return self._keyed(part.slice, part, function)

    def _keyed(
        self, key: ast.expr | None, part: ast.expr, function: Function
    ) -> list[tuple[ast.AST, Function]] | None:
        parent = self._parent(part, function)
        loaded = isinstance(parent, ast.Call) and called_name(parent) in _LOADS
        if loaded or not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return [(part, function)]
        if PLAIN_KEYS.match(key.value):
            return []
        return [(part, function)] if WEIGHT_KEYS.match(key.value) else None

    def _method(
        self, method: ast.Attribute, function: Function
    ) -> list[tuple[ast.AST, Function]] | None:
        call = self._parent(method, function)
        if method.attr in ("shape", "dtype"):
            return []
        if not isinstance(call, ast.Call) or call.func is not method:
            return None
        if method.attr in _LOOKS or method.attr in ("update", "startswith", "size"):
            return []
        if method.attr in ("get", "pop"):
            return self._keyed(call.args[0] if call.args else None, call, function)
        return [(call, function)] if method.attr in _TABLES | _TENSORS else None

    def _given(self, call: ast.Call, function: Function) -> list[tuple[ast.AST, Function]] | None:
        name = called_name(call)
        if name in _LOADS | _WRITES:
            self.loads = True
            return []
        if name in _LOOKS:
            return []
        grown = call.func.value if isinstance(call.func, ast.Attribute) else None
        if name == "update" and isinstance(grown, ast.Name):
            return self._reads(grown.id, function)
        return [(call, function)] if name in _TABLES else None

    def _bound(
        self, statement: ast.Assign | ast.AnnAssign | ast.NamedExpr, function: Function
    ) -> list[tuple[ast.AST, Function]] | None:
        """Where the names are read that a value gets; an entry of a table leads to the table."""
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        found: list[tuple[ast.AST, Function]] = []
        for target in targets:
            root = target.value if isinstance(target, ast.Subscript) else target
            if not isinstance(root, ast.Name):
                return None
            found += self._reads(root.id, function)
        return found

    def _reads(self, name: str, function: Function) -> list[tuple[ast.AST, Function]]:
        return [
            (node, function)
            for node in every_node(function.node)
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        ]

    def _looped(
        self, node: ast.AST, loop: ast.comprehension | ast.For, function: Function
    ) -> list[tuple[ast.AST, Function]] | None:
        """The items of a table, by the names that a loop gives them."""
        if loop.iter is not node:
            return []
        names = [one.id for one in every_node(loop.target) if isinstance(one, ast.Name)]
        if isinstance(loop.target, ast.Name):
            names = [loop.target.id]
        if isinstance(loop, ast.For):
            return [read for name in names[-1:] for read in self._reads(name, function)]
        parent = self._parent(loop, function)
        return None if parent is None else [(parent, function)]

    def _returned(self, function: Function) -> list[tuple[ast.AST, Function]] | None:
        """The calls of a helper that loads, where these are in sight."""
        if function.outer is not None or function.node is script_of(function.module).node:
            return None
        sites = callers_here(self.project, function)
        found: list[tuple[ast.AST, Function]] = [(site.node, site.function) for site in sites]
        return found if found and not any(site.handed_on for site in sites) else None

"""The functions of a module, with the class and the function around each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from gptdoctor.source.classes import ClassInfo, FunctionNode
from gptdoctor.source.flow_bindings import Binding, Bindings, bindings_of
from gptdoctor.source.flow_targets import end, names_in, start
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import children, every_node, scope_nodes
from gptdoctor.source.project import Project
from gptdoctor.source.statements import BLOCKS, blocks_of, bodies_of, first_line, own_statements

# Each definition of a function has this word; so may texts in quotes.
_DEFINING = re.compile(r"def(?<!\wdef)\b")


# Not frozen, though nothing changes it: each function of each file gets one, and a frozen one takes
# three times as long to make.
@dataclass(eq=False)
class Function:
    """One function definition, compared by its node."""

    module: SourceModule
    node: FunctionNode
    symbol: str  # qualified name in its module: "Model.forward"
    owner: ClassInfo | None  # the class that `self` means in it
    method: bool  # defined in the class's body, not in another function
    outer: Function | None  # the function it is defined in

    def __eq__(self, other: object) -> bool:
        """The same definition is the same function, however often it was looked up."""
        return isinstance(other, Function) and self.node is other.node

    def __hash__(self) -> int:
        return hash(self.node)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.node.name

    @cached_property
    def text(self) -> str:
        """Its lines, decorators included: what no word of them says, none of its nodes does."""
        first, last = self.stretch
        return self.module.text[first:last]

    @property
    def stretch(self) -> tuple[int, int]:
        """Where that text begins and ends in the text of the module."""
        first = first_line(self.node)
        return self.module.bounds(first, self.node.end_lineno or first)

    @cached_property
    def bindings(self) -> Bindings:
        """The bindings of its names."""
        return bindings_of(self.node, self.text, first_line(self.node))

    @cached_property
    def static(self) -> bool:
        """Whether it is called without `self` or `cls`."""
        marks = (decorator for decorator in self.node.decorator_list)
        return not self.method or any(
            isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in marks
        )

    @cached_property
    def parameter_names(self) -> tuple[str, ...]:
        """The positional parameters in order, `self` or `cls` left out."""
        arguments = [*self.node.args.posonlyargs, *self.node.args.args]
        return tuple(one.arg for one in arguments[0 if self.static else 1 :])

    @cached_property
    def returned(self) -> list[ast.expr]:
        """All expressions that it returns or yields, nested functions left out; the last first."""
        if "yield" in self.text:  # an expression, unlike `return`
            results = ast.Return | ast.Yield | ast.YieldFrom
            found = [node.value for node in own_nodes(self.node) if isinstance(node, results)]
        else:
            statements = own_statements(self.node)
            found = [node.value for node in statements if isinstance(node, ast.Return)][::-1]
        return [value for value in found if value is not None]

    def reaching(self, name: ast.Name, *, carried: bool = False) -> list[Binding]:
        """The bindings a name may have where it is read; names of outer functions included."""
        function: Function | None = self
        while function is not None:
            found = function.bindings.reaching(name.id, start(name), carried=carried)
            if found:
                return found
            function = function.outer
        return []

    def statements_around(self, node: ast.AST) -> list[tuple[ast.stmt, list[ast.stmt]]]:
        """The statements that hold `node`, outermost first, each with the ones before it."""
        found: list[tuple[ast.stmt, list[ast.stmt]]] = []
        bodies = bodies_of(self.node)
        while bodies:
            here = next((body for body in bodies if _index(body, node) is not None), None)
            if here is None:
                break
            index = _index(here, node) or 0
            found.append((here[index], here[:index]))
            bodies = bodies_of(here[index]) if here[index] is not node else []
        return found


@kept(64)
def functions_of(project: Project, module: SourceModule) -> dict[FunctionNode, Function]:
    """All functions of a module by their node, outer before inner."""
    classes = project.classes(module)
    found = list(_functions(module, module.tree, "", None, classes, nested=False))
    # Most files have no function in another, and then no body is gone through: all are found.
    if len(found) < len(_DEFINING.findall(module.text)):
        found = list(_functions(module, module.tree, "", None, classes, nested=True))
    return {one.node: one for one in found}


@kept(32)
def script_of(module: SourceModule) -> Function:
    """The statements of a module itself, as if they were those of a function without a name."""
    arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    node = ast.FunctionDef(name="", args=arguments, body=module.tree.body, decorator_list=[])
    node.lineno, node.end_lineno, node.col_offset, node.end_col_offset = 1, len(module.lines), 0, 0
    return Function(module, node, "", None, method=False, outer=None)


def _functions(
    module: SourceModule,
    parent: ast.AST,
    prefix: str,
    outer: Function | None,
    classes: dict[str, ClassInfo],
    *,
    nested: bool,
) -> Iterator[Function]:
    method = isinstance(parent, ast.ClassDef)
    owner = classes.get(prefix.rstrip(".")) if method else (outer.owner if outer else None)
    stack = [parent]
    while stack:
        for node in blocks_of(stack.pop()):
            if node.__class__ not in BLOCKS:
                continue  # nine of ten
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                symbol = f"{prefix}{node.name}"
                function = Function(module, node, symbol, owner, method, outer)
                yield function
                if nested:
                    yield from _functions(
                        module, node, f"{symbol}.", function, classes, nested=nested
                    )
            elif isinstance(node, ast.ClassDef):
                inside = f"{prefix}{node.name}."
                yield from _functions(module, node, inside, outer, classes, nested=nested)
            else:
                stack.append(node)


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """All nodes below a function but those of functions and classes defined in it.

    Contexts and operators are left out.
    """
    return iter(_own_nodes(function))


# Each of them is asked for by many rules, one after the other.
_own_nodes = kept(256)(scope_nodes)


@kept(32)  # of the callers of a function in turn, and again for its next value
def parents_in(function: Function) -> dict[ast.AST, ast.AST]:
    """The node right above each node of a function."""
    return {below: node for node in every_node(function.node) for below in children(node)}


@kept(64)
def assigned_names(function: Function) -> frozenset[str]:
    """The names that a function's own assignments bind, in whole or in part.

    For who need not know to what: the bindings of most functions are never asked for.
    """
    found: set[str] = set()
    for statement in own_statements(function.node):
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            if isinstance(target, ast.Name):
                found.add(target.id)
            else:
                found.update(name.id for name in names_in(target))
    if ":=" in function.text:
        nodes = own_nodes(function.node)
        found.update(node.target.id for node in nodes if isinstance(node, ast.NamedExpr))
    return frozenset(found)


@kept(64)
def loads_of(function: Function) -> dict[str, list[ast.Name]]:
    """Where each name is read in a function, functions defined in it included."""
    found: dict[str, list[ast.Name]] = {}
    for node in every_node(function.node):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.setdefault(node.id, []).append(node)
    return found


def _index(body: list[ast.stmt], node: ast.AST) -> int | None:
    """Which statement of a body holds `node`; decorators stand above their function's start."""
    place = start(node)
    for index, statement in enumerate(body):
        decorators = getattr(statement, "decorator_list", [])
        first = min([start(statement), *(start(one) for one in decorators)])
        if first <= place <= end(statement):
            return index
    return None

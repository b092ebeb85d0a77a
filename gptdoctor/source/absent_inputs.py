"""What a function does when none of its optional inputs is given, followed through its text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.absent_statements import Statements
from gptdoctor.source.absent_values import (
    PRESENT,
    UNKNOWN,
    Kind,
    Origins,
    PathEnd,
    State,
    Value,
    merged,
)
from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import defaults_of, parameters
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.imports import is_none
from gptdoctor.source.kept import kept
from gptdoctor.source.literals import written_text
from gptdoctor.source.names import Names
from gptdoctor.source.nodes import every_node, inner_nodes
from gptdoctor.source.project import Project
from gptdoctor.source.statements import every_statement, lines_at, pieces_on, places_of

# Helpers of helpers of helpers seldom decide whether an input is there.
DEEPEST_HELPER = 3
# How a text asks for a key: each by itself, for together they take ten times as long.
MEMBERSHIP = ("' in ", '" in ', "' not in ", '" not in ')


@dataclass(frozen=True, eq=False, kw_only=True)
class Emptiness:
    """An operation that fails on a container that stays empty when no input is given."""

    function: Function  # in which the operation stands
    node: ast.expr  # the division, stack, cat, ...
    emptied: ast.expr  # the list, or the count that is 0
    inputs: Origins  # the optional inputs that would have filled it


def failures_without_inputs(project: Project, function: Function) -> list[Emptiness]:
    """The operations that fail when `function` is called without its optional inputs.

    An input that the function uses unasked is taken as given.
    """
    optional = optional_inputs(project, function)
    keyed, iterated = _mappings(function), _variadic(function)
    given: dict[str, Value] = {}
    while optional or keyed or iterated:
        run = _Run(project, function)
        state = State(names={**given, **{name: _absent(name) for name in optional}})
        state.names.update(dict.fromkeys(keyed, Value(kind=Kind.KEYED)))
        for name, mapping in iterated.items():
            state.names[name] = state.hold((_absent(name),), mapping=mapping)
        try:
            run.whole(state)
        except RecursionError:  # sums of a thousand terms: nobody's optional inputs
            return []
        if not run.needed.intersection(optional) or run.found:
            return run.found
        given.update(dict.fromkeys(run.needed, PRESENT))
        optional = [name for name in optional if name not in run.needed]
    return []


def assert_before(failure: Emptiness, container: str | None) -> ast.Assert | None:
    """The assert that alone guards what fails: of the inputs, or of what is made of them."""
    asked = {*failure.inputs, container}
    for node in failure.function.node.body:
        names = {one.id for one in every_node(node) if isinstance(one, ast.Name)}
        if node.lineno >= failure.node.lineno or not names & asked:
            continue
        if isinstance(node, ast.Assert):
            return node
        targets = node.targets if isinstance(node, ast.Assign) else []
        asked |= {one.id for one in targets if isinstance(one, ast.Name)}
    return None


def _is_known(value: Value) -> bool:
    """Whether a helper may do otherwise for a value that it is given."""
    kind = value.kind
    return kind is Kind.ABSENT or kind is Kind.ITEMS or kind is Kind.NUMBER


def _absent(name: str) -> Value:
    return Value(kind=Kind.ABSENT, origins=(name,))


def _variadic(function: Function) -> dict[str, bool]:
    """`*inputs` and `**inputs` that the function looks through, and whether they are a mapping."""
    arguments = function.node.args
    names = {one.arg: one is arguments.kwarg for one in (arguments.vararg, arguments.kwarg) if one}
    if not names:
        return {}
    sources = [
        node.iter
        for node in _deciding(function)
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension)
    ]
    read = {inner.id for one in sources for inner in every_node(one) if isinstance(inner, ast.Name)}
    return {name: mapping for name, mapping in names.items() if name in read}


def _mappings(function: Function) -> set[str]:
    """The parameters that the function asks for a key: `"image" in batch`, `batch.get("image")`."""
    first = function.node.lineno
    text = function.module.segment(first, function.node.end_lineno or first)
    got = _got_from(function, text) if ".get(" in text else set()
    if not any(map(text.__contains__, MEMBERSHIP)):
        return got
    asked = {
        getattr(node.comparators[0], "id", "")
        for node in _tests(function)
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.In | ast.NotIn)
        and written_text(node.left)
    }
    return got | (asked & {one.arg for one in parameters(function.node)})


def _got_from(function: Function, text: str) -> set[str]:
    """The parameters of which a text takes what may not be there: `inputs.get("image")`."""
    kwarg = function.node.args.kwarg
    named = (*parameters(function.node), *([kwarg] if kwarg is not None else []))
    marks = ('.get("', ".get('")
    return {one.arg for one in named if any(f"{one.arg}{mark}" in text for mark in marks)}


def optional_inputs(project: Project, function: Function) -> list[str]:
    """The parameters that may be None: by their default, or because the function asks."""
    arguments = function.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    every = [*positional, *arguments.kwonlyargs]
    defaults: dict[str, ast.expr | None] = {one.arg: None for one in every}
    defaults |= defaults_of(arguments)
    bare = {name for name, default in defaults.items() if default is None} - {"self", "cls"}
    asked = set(_asked(project, function, bare)) if bare else set()
    return [name for name, value in defaults.items() if is_none(value) or name in bare & asked]


def _asked(project: Project, function: Function, names: set[str]) -> Iterator[str]:
    """Those of some names that a function compares with None, by itself or by a helper."""
    for node in _tests(function):
        if isinstance(node, ast.Compare) and any(map(is_none, node.comparators)):
            yield getattr(node.left, "id", "")
        elif isinstance(node, ast.Call) and len(node.args) == 1:
            name = getattr(node.args[0], "id", "")
            callee = callee_of(project, function, node) if name in names else None
            if callee is not None and _compares_with_none(callee):
                yield name


@kept(4)
def _tests(function: Function) -> tuple[ast.AST, ...]:
    """What decides and holds something: tests, and what `and`, `or` and `not` combine."""
    tests: list[ast.expr] = []
    for node in _deciding(function):
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            tests.append(node.test)
        elif isinstance(node, ast.comprehension):
            tests += node.ifs
    return tuple(inner_nodes(*tests))


@kept(4)  # several questions about one function, one after the other
def _deciding(function: Function) -> tuple[ast.AST, ...]:
    """Conditions and loops of a function, found in one walk."""
    first = function.node.lineno
    text = function.module.segment(first, function.node.end_lineno or first)
    # In an expression, nothing decides without one of these words in its lines.
    lines = lines_at(text, (*places_of(text, "for"), *places_of(text, "if")), first)
    nodes = (*every_statement(function.node), *inner_nodes(*pieces_on(function.node, lines)))
    return tuple(node for node in nodes if node.__class__ in _DECIDING)


_DECIDING = frozenset({ast.If, ast.IfExp, ast.While, ast.comprehension, ast.For, ast.AsyncFor})


def _compares_with_none(function: Function) -> bool:
    compares = (one for one in inner_nodes(function.node) if isinstance(one, ast.Compare))
    return any(is_none(side) for one in compares for side in one.comparators)


class _Run(Statements):
    """One walk through a function and the helpers it calls."""

    def __init__(self, project: Project, function: Function) -> None:
        super().__init__()
        self.project = project
        self.stack = [function]
        self.found: list[Emptiness] = []

    def names(self) -> Names:
        return self.stack[-1].module.names

    def report(self, node: ast.expr, emptied: ast.expr, origins: Origins) -> None:
        if not self.trying:
            self.found.append(
                Emptiness(function=self.stack[-1], node=node, emptied=emptied, inputs=origins)
            )

    def whole(self, state: State) -> None:
        """Run the outermost function."""
        self.results.append([])
        self.block(self.stack[0].node.body, state)

    def enter(
        self, call: ast.Call, arguments: list[Value], named: list[Value], state: State
    ) -> Value | None:
        # Most calls are given nothing that is known: who they call need not be found out.
        if not any(map(_is_known, arguments)) and not any(map(_is_known, named)):
            return None
        callee = callee_of(self.project, self.stack[-1], call)
        plain = not any(isinstance(one, ast.Starred) for one in call.args)
        if callee is None or not plain or callee in self.stack or len(self.stack) > DEEPEST_HELPER:
            return None
        inner = state.copy()
        inner.names = self._bound(call, callee, arguments, state)
        if callee.node.args.vararg is not None:
            rest = arguments[len(callee.parameter_names) :]
            inner.names[callee.node.args.vararg.arg] = inner.hold(rest)
        return self._returned(callee, inner, state)

    def _bound(
        self, call: ast.Call, callee: Function, arguments: list[Value], state: State
    ) -> dict[str, Value]:
        """The callee's parameters: as given, else by their defaults."""
        names = dict.fromkeys((one.arg for one in parameters(callee.node)), UNKNOWN)
        for name, default in defaults_of(callee.node.args).items():
            names[name] = self.value(default, State())
        names.update(zip(callee.parameter_names, arguments, strict=False))
        for keyword in call.keywords:
            if keyword.arg in names:
                names[keyword.arg] = self.value(keyword.value, state)
        return names

    def _returned(self, callee: Function, inner: State, state: State) -> Value:
        self.stack.append(callee)
        self.results.append([])
        loops, self.leaving = self.leaving, []
        try:
            falls_through = self.block(callee.node.body, inner)
        finally:
            self.stack.pop()
            results = self.results.pop()
            self.leaving = loops
        if falls_through:
            results.append((Value(kind=Kind.ABSENT), inner))
        after = merged([at for _, at in results])
        if after is None:  # it raises whatever happens
            raise PathEnd
        state.containers, state.last_key = after.containers, after.last_key
        values = {value for value, _ in results}
        return values.pop() if len(values) == 1 else UNKNOWN

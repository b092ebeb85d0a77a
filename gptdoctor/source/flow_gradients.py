"""What a value's gradient would reach: the parameters and arguments that it is computed from.

The question is what could carry gradient if nothing switched it off, so `no_grad` around a value
does not count here; `detach`, comparisons, integers and shapes do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_attributes import Learns, attributes_of
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_calls import CallSite, networks_at
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_operations import (
    METADATA,
    ONLY_RECEIVER,
    PLAIN_RESULT,
    VALUES_AND_INDICES,
    WITHOUT_GRADIENT,
)
from gptdoctor.source.flow_parameters import is_plain, is_plain_annotation
from gptdoctor.source.flow_sources import NOTHING, Origin, Source, Sources, farther
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import children
from gptdoctor.source.project import Project
from gptdoctor.source.unparsed import home_of_function

DEEPEST = 5  # calls followed from function to function
_PLAIN = (ast.Constant, ast.Compare, ast.JoinedStr, ast.Lambda)  # without a gradient
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp)
LONGEST = 120  # expressions inside expressions: Python's own stack ends at a thousand frames


class Gradients:
    """Answers for expressions of one project; what was found is kept."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._found: dict[ast.AST, Sources] = {}
        self._active: set[ast.AST] = set()
        self._depth = 0

    def returned(self, function: Function) -> Sources:
        """What the gradient of a function's result would reach."""
        if self._is_busy(function):
            return NOTHING
        if function.node not in self._found:
            self._active.add(function.node)
            self._depth += 1
            whole = is_plain_annotation(function.node.returns)
            found = NOTHING if whole else self._all(function.returned, function)
            self._found[function.node] = found
            self._depth -= 1
            self._active.discard(function.node)
        return self._found[function.node]

    def _is_busy(self, function: Function) -> bool:
        return function.node in self._active or self._depth > DEEPEST

    def of(self, value: ast.expr, function: Function) -> Sources:
        """What the gradient of an expression in `function` would reach."""
        if value in self._active or len(self._active) > LONGEST:
            return NOTHING  # a loop: what goes round is found at its entrance
        if value not in self._found:
            self._active.add(value)
            self._found[value] = self._expression(value, function)
            self._active.discard(value)
        return self._found[value]

    def of_binding(self, binding: Binding, function: Function) -> Sources:
        """What the gradient of a bound name would reach."""
        if binding.role is Role.ARGUMENT:
            known = binding.name in ("self", "cls") or is_plain(function, binding.name)
            return NOTHING if known else frozenset({Source(binding.name, Origin.ARGUMENT)})
        if binding.value is None or binding.role in (Role.COUNTER, Role.OTHER):
            return NOTHING
        if binding.role is not Role.ITEM or not isinstance(binding.value, ast.Call):
            return self.of(binding.value, function)
        called = _last_name(binding.value)
        if binding.index and VALUES_AND_INDICES.match(called or ""):
            return NOTHING
        return self._item(binding, binding.value, function)

    def _item(self, binding: Binding, call: ast.Call, function: Function) -> Sources:
        """One item of a call's result: of a helper that writes its results out, that one alone."""
        callee = self.callee(call, function) if binding.among else None
        made = _item_made(callee, binding) if callee else []
        if callee is None or not made or self._is_busy(callee):
            return self.of(call, function)
        self._active.add(callee.node)
        self._depth += 1
        found = self._all(made, callee)
        self._depth -= 1
        self._active.discard(callee.node)
        return self._brought(CallSite(function, call, False), callee, found)

    def _all(self, values: Iterable[ast.AST], function: Function) -> Sources:
        found = (self.of(value, function) for value in values if isinstance(value, ast.expr))
        return frozenset().union(*found)

    def _expression(self, value: ast.expr, function: Function) -> Sources:
        if isinstance(value, _PLAIN):
            return NOTHING
        if isinstance(value, ast.Name):
            found = (
                self.of_binding(one, function) for one in function.reaching(value, carried=True)
            )
            return frozenset().union(*found)
        if isinstance(value, ast.Attribute):
            return self._attribute(value, function)
        if isinstance(value, ast.Subscript):
            indices = _is_second(value.slice) and VALUES_AND_INDICES.match(
                _last_name(value.value) or ""
            )
            return NOTHING if indices else self.of(value.value, function)
        if isinstance(value, ast.Call):
            return self._call(value, function)
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not | ast.Invert):
            return NOTHING
        if isinstance(value, ast.IfExp):
            return self._all([value.body, value.orelse], function)
        if isinstance(value, _COMPREHENSIONS):
            return self.of(value.elt, function)
        return self._all(children(value), function)

    def _attribute(self, value: ast.Attribute, function: Function) -> Sources:
        if METADATA.match(value.attr):
            return NOTHING
        own = self_attribute(value)
        if own is None:
            return self.of(value.value, function)
        if function.owner is None:
            return NOTHING
        learns = attributes_of(self.project, function.owner).learns(own)
        if learns is Learns.YES:
            return frozenset({Source(f"self.{own}", Origin.LEARNED)})
        kept = learns in (Learns.FROZEN, Learns.OUTSIDE)
        return frozenset({Source(f"self.{own}", Origin.FROZEN)}) if kept else NOTHING

    def _call(self, call: ast.Call, function: Function) -> Sources:
        name = _last_name(call) or ""
        callee = self.callee(call, function)
        if callee is not None:
            return self._through(CallSite(function, call, False), callee)
        plain = isinstance(call.func, ast.Name) and PLAIN_RESULT.match(call.func.id)
        qualified = function.module.names.called(call) or ""
        foreign = qualified.startswith(("numpy.", "scipy.", "math."))  # these take no gradient
        if plain or foreign or WITHOUT_GRADIENT.match(name):
            return NOTHING
        receiver = self._receiver(call, function)
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(call.func, ast.Attribute) and ONLY_RECEIVER.match(name):
            given = given[:1] if qualified.startswith("torch.") else []
        arguments = self._all(given, function)
        if any(one.origin is Origin.FROZEN for one in receiver):
            # What goes into a frozen network is most often data; what learns is kept in mind.
            arguments = frozenset(one for one in arguments if one.origin is Origin.LEARNED)
        return receiver | farther(arguments)

    def _receiver(self, call: ast.Call, function: Function) -> Sources:
        """What the called thing itself brings: a layer's parameters, a tensor's sources."""
        callee = call.func
        whole = isinstance(callee, ast.Name) and callee.id == "self"
        if isinstance(callee, ast.Attribute):
            base = callee.value
            own = isinstance(base, ast.Name) and base.id == "self"
            parent = isinstance(base, ast.Call) and _last_name(base) == "super"
            whole = whole or parent
            if not own and not parent:
                return self.of(base, function)
        if whole and function.owner:
            learns = attributes_of(self.project, function.owner).as_network()
            return (
                frozenset({Source(function.owner.name, Origin.LEARNED)})
                if learns is Learns.YES
                else NOTHING
            )
        return self.of(callee, function)

    def callee(self, call: ast.Call, function: Function) -> Function | None:
        """The project's function that a call runs, where the text tells."""
        called = call.func
        if isinstance(called, ast.Name):
            nested = _nested(self.project, function, called.id)
            return nested or self._top_level(called, function.module)
        if not isinstance(called, ast.Attribute):
            return None
        if isinstance(called.value, ast.Name) and called.value.id in ("self", "cls"):
            return self._own_callee(called.attr, function)
        if self_attribute(called.value):
            for info in networks_at(self.project, called.value, function):
                return attributes_of(self.project, info).methods.get(called.attr)
            return None
        return self._top_level(called, function.module)

    def _own_callee(self, name: str, function: Function) -> Function | None:
        """What `self.name(...)` runs: a method, or the forward of the one network it may be."""
        if function.owner is None:
            return None
        attributes = attributes_of(self.project, function.owner)
        if name in attributes.methods:
            return attributes.methods[name]
        info = attributes.instance(name)
        if info is None or attributes.learns(name) is Learns.FROZEN:
            return None
        return attributes_of(self.project, info).methods.get("forward")

    def _top_level(self, called: ast.expr, module: SourceModule) -> Function | None:
        qualified = module.names.qualified(called) or ""
        home, _, name = qualified.rpartition(".")
        other = home_of_function(self.project, home, module, name) if home else module
        node = other.functions.get(name) if other else None
        return functions_of(self.project, other)[node] if other and node else None

    def _through(self, site: CallSite, callee: Function) -> Sources:
        """A call's result: what the function uses by itself, and what its arguments bring."""
        return self._brought(site, callee, self.returned(callee))

    def _brought(self, site: CallSite, callee: Function, made: Sources) -> Sources:
        """The sources of a function's value, as seen from a call of it."""
        found: set[Source] = set()
        for source in made:
            if source.origin is not Origin.ARGUMENT:
                found.add(source)
                continue
            given = site.argument(callee, source.name)
            if given is not None:
                found |= farther(self.of(given, site.function), source.steps)
        return frozenset(found)


@kept(8)
def gradients_of(project: Project) -> Gradients:
    """One analysis for all who ask of the same project."""
    return Gradients(project)


def _nested(project: Project, function: Function, name: str) -> Function | None:
    for other in functions_of(project, function.module).values():
        if other.name == name and other.outer == function:
            return other
    return None


def _item_made(callee: Function, binding: Binding) -> list[ast.expr]:
    """What a function returns at one place of its tuples; [] where some result is no such tuple."""
    tuples = [one.elts for one in callee.returned if isinstance(one, ast.Tuple)]
    plain = not any(isinstance(item, ast.Starred) for items in tuples for item in items)
    alike = len(tuples) == len(callee.returned) and plain and "yield" not in callee.text
    if binding.index is None or not alike or {len(one) for one in tuples} != {binding.among}:
        return []
    return [items[binding.index] for items in tuples]


def _last_name(value: ast.expr) -> str | None:
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Attribute):
        return value.func.attr
    return value.func.id if isinstance(value.func, ast.Name) else None


def _is_second(index: ast.expr) -> bool:
    """Whether an index is a number other than 0: the indices of a pair."""
    return isinstance(index, ast.Constant) and index.value in (1, -1)

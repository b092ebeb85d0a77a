"""Which inputs a function takes, by its parameters and by what it does with them."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gptdoctor.remedies.flow import bindings, names_in
from gptdoctor.remedies.parsed import ParsedSource, is_name, walk


def parameters(function: cst.FunctionDef) -> list[cst.Param]:
    """The named parameters without the first one of a method, in their order."""
    given = function.params
    named = [*given.posonly_params, *given.params, *given.kwonly_params]
    return [one for one in named if one.name.value not in ("self", "cls")]


def accepted_inputs(
    source: ParsedSource, function: cst.FunctionDef, gathered: cst.CSTNode
) -> list[str]:
    """The inputs of which one must be given, so that what is gathered is not empty.

    Parameters, or keys of them, that decide whether something is gathered; else the parameters
    that may be left out.
    """
    order = [one.name.value for one in parameters(function)]
    tests = list(_deciding(source, function, gathered))
    keys = [key for test in tests for key in _keys(test, order)]
    if keys:
        return list(dict.fromkeys(keys))
    deciding = {name for test in tests for name in names_in(test)}
    found = [name for name in order if name in deciding]
    optional = [one.name.value for one in parameters(function) if is_name(one.default, "None")]
    # One argument that must be given holds the inputs, and is none itself.
    return found if len(found) > 1 or set(found) & set(optional) else optional


def _deciding(
    source: ParsedSource, function: cst.FunctionDef, gathered: cst.CSTNode
) -> Iterator[cst.BaseExpression]:
    """The tests around the statements that add to what is gathered, or what it is made from."""
    if isinstance(gathered, cst.BaseExpression) and not isinstance(gathered, cst.Name):
        yield gathered
        return
    name = gathered.value if isinstance(gathered, cst.Name) else ""
    for binding in bindings(function, name):
        if isinstance(binding.value, cst.ListComp | cst.GeneratorExp):
            yield from _made_from(source, function, binding.value)
    for use in walk(function, cst.Name):
        statement = source.around(use, cst.SimpleStatementLine)
        for branch in source.parents(statement) if use.value == name and statement else ():
            if isinstance(branch, cst.If) and source.inside(branch, function):
                yield branch.test


def _made_from(
    source: ParsedSource, function: cst.FunctionDef, node: cst.BaseExpression
) -> Iterator[cst.BaseExpression]:
    """A comprehension, and the one that made the list it goes through."""
    yield node
    for name in names_in(node):
        for binding in bindings(function, name):
            value = binding.value
            another = value is not node and not source.inside(binding.statement, node)
            if isinstance(value, cst.ListComp | cst.GeneratorExp) and another:
                yield value


def _keys(test: cst.BaseExpression, holders: list[str]) -> Iterator[str]:
    """KEY of `"KEY" in parameter`."""
    for comparison in walk(test, cst.Comparison):
        key, target = comparison.left, comparison.comparisons[0]
        asks = isinstance(target.operator, cst.In) and isinstance(key, cst.SimpleString)
        holder = target.comparator
        if asks and isinstance(holder, cst.Name) and holder.value in holders:
            yield str(key.evaluated_value) if isinstance(key, cst.SimpleString) else ""

"""Logits that a function multiplies by the temperature it is given.

Where tokens are drawn is often out of sight: a helper scales the logits, and another one draws.
A parameter that is plainly a number and called a temperature says what is meant all the same.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import FunctionNode, defaults_of, parameters
from gptdoctor.source.draws import mapped_from, scaling_of
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import names_in, start, text_of
from gptdoctor.source.names import called_name
from gptdoctor.source.temperature_numbers import direction, is_temperature
from gptdoctor.source.temperature_scalings import Scaled
from gptdoctor.source.value_ways import ways_of

LOGITS = re.compile(r"logit", re.I)
# What turns logits into a distribution, or a choice.
TURNING = frozenset(
    {"softmax", "log_softmax", "logsumexp", "gumbel_softmax", "argmax", "Categorical"}
)
# A docstring or comment that says the parameter is the inverse of a temperature, or a factor.
INVERSE = re.compile(r"invers|reciprocal|1 ?/ ?(temp|tau|T\b)|sharpness|scale factor|multipl", re.I)
# Conditions that a draw is scaled behind: `if temperature > 0`, `if do_sample`.
DRAWING = re.compile(r"temp|tau|sampl|random|draw", re.I)
NUMBER = re.compile(r"\b(float|int)\b")
TENSOR = re.compile(r"Tensor|Parameter")
# Distillation softens by 2 to 10; the factors that cosines are multiplied by are larger.
HOTTEST = 10


def takes_temperature(node: FunctionNode) -> bool:
    """Whether a function has a parameter that is called a temperature: few have."""
    given = node.args
    every = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    return any(map(is_temperature, [one.arg for one in every]))


def multiplied_by_arguments(function: Function) -> Iterator[Scaled]:
    """Where logits that are turned or returned are multiplied by such a parameter."""
    given = set(_temperatures(function))
    if not given or INVERSE.search(_told(function)):
        return
    for node in own_nodes(function.node):
        if not isinstance(node, ast.BinOp | ast.AugAssign | ast.Call):
            continue
        scaling = scaling_of(node, function)
        if scaling is None or scaling.divides:
            continue
        number = direction(scaling.number, function)
        if number is None or number[1] != 1 or number[0] not in given:
            continue
        undone = _divided(scaling.tensor, number[0], function) or _seldom(node, function)
        if _is_logits(scaling.tensor) and not undone and _goes_on(node, function):
            yield Scaled(
                node=node,
                temperature=number[0],
                divides=False,
                probabilities=False,
                function=function,
            )


def _temperatures(function: Function) -> Iterator[str]:
    """The parameters that are called temperatures and are plainly numbers."""
    called = [one for one in parameters(function.node) if is_temperature(one.arg)]
    defaults = defaults_of(function.node.args) if called else {}
    for one in called:
        told = text_of(one.annotation) if one.annotation else ""
        default = defaults.get(one.arg)
        value = default.value if isinstance(default, ast.Constant) else None
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if TENSOR.search(told) or (isinstance(value, int | float) and value > HOTTEST):
            continue
        if plain or NUMBER.search(told) or _compared(one.arg, function):
            yield one.arg


def _compared(name: str, function: Function) -> bool:
    """Whether a parameter is compared with a number: `if temperature > 0`."""
    return any(
        isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Name)
        and node.left.id == name
        and isinstance(node.comparators[0], ast.Constant)
        and isinstance(node.comparators[0].value, int | float)
        for node in own_nodes(function.node)
    )


def _told(function: Function) -> str:
    """What the author says of the function, and beside its parameters and lines."""
    node = function.node
    lines = function.module.lines[node.lineno - 1 : node.end_lineno]
    comments = "\n".join(line.partition("#")[2] for line in lines)
    return f"{ast.get_docstring(node) or ''}\n{comments}"


def _is_logits(tensor: ast.expr) -> bool:
    return any(LOGITS.search(one.id) for one in names_in(tensor)) or (
        isinstance(tensor, ast.Attribute) and LOGITS.search(tensor.attr) is not None
    )


def _seldom(node: ast.AST, function: Function) -> bool:
    """Whether a condition that is about anything but drawing decides on the scaling."""
    around = (one for one, _ in function.statements_around(node))
    tests = (text_of(one.test) for one in around if isinstance(one, ast.If))
    return not all(DRAWING.search(test) for test in tests)


def _divided(tensor: ast.expr, temperature: str, function: Function) -> bool:
    """Whether the logits are divided by it somewhere, too: then one undoes the other."""
    names = {one.id for one in names_in(tensor)}
    ways = ways_of(tensor, function, mapped_from, scaled=True)
    steps = {step for way in ways for step in way.steps}
    for node in (*steps, *own_nodes(function.node)):
        scaling = scaling_of(node, function)
        if scaling is None or not scaling.divides:
            continue
        cooled = any(one.id == temperature for one in names_in(scaling.number))
        of_it = node in steps or any(one.id in names for one in names_in(scaling.tensor))
        if cooled and of_it:
            return True
    return False


def _goes_on(node: ast.AST, function: Function) -> bool:
    """Whether a distribution or a choice is made after it, or what it makes is returned."""
    first = start(node)
    if any(
        isinstance(call, ast.Call)
        and called_name(call) in TURNING
        and (start(call) >= first or any(one is node for one in ast.walk(call)))
        for call in own_nodes(function.node)
    ):
        return True
    returned = [one for value in function.returned for one in names_in(value)]
    return any(
        binding.value is node for name in returned for binding in function.reaching(name)
    ) or any(value is node for value in function.returned)

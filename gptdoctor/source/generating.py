"""Functions that generate: a loop that runs a model, takes a token and joins it to the text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gptdoctor.core.findings import Location
from gptdoctor.source.classes import ClassInfo, FunctionNode, parameters
from gptdoctor.source.draws import draw_at
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import end, start
from gptdoctor.source.kept import kept
from gptdoctor.source.model_calls import helper_called, runs_model
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import calls_below, every_node
from gptdoctor.source.statements import own_statements
from gptdoctor.source.temperature import last_name
from gptdoctor.source.token_choice import JOINING
from gptdoctor.source.value_ways import operation

CHOOSING = ("multinomial", "Categorical", "argmax")  # names of what takes a token
# What turns gradients off, or the whole function into something else.
WITHOUT_GRADIENTS = re.compile(r"no_grad|inference_mode|set_grad_enabled|stop_gradient")
PLAIN_DECORATORS = frozenset({"staticmethod", "classmethod", "typechecked", "override"})
MOST = 60  # bindings between a token and the model that it comes from


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One token, taken in a loop of what a model says."""

    choice: ast.Call  # of the token, or of the helper that takes it
    loop: ast.For | ast.While
    forward: ast.Call  # of the model, or of the helper that runs it


_LOOPS = ast.For, ast.While


@kept(16)
def steps_in(function: Function) -> tuple[Step, ...]:
    """The tokens that a function takes, one after the other."""
    found: list[Step] = []
    if not any(isinstance(one, _LOOPS) for one in own_statements(function.node)):
        return ()  # most functions, as their statements alone tell
    if not _says_choice(function):
        return ()  # most others, by their words
    for loop in own_nodes(function.node):
        if isinstance(loop, ast.For | ast.While) and _joins(loop, function):
            for choice in own_nodes(loop):
                step = _step(choice, loop, function) if isinstance(choice, ast.Call) else None
                if step is not None:
                    found.append(step)
    return tuple(found)


def _says_choice(function: Function) -> bool:
    """Whether a word of a function may take a token, or is the name of a helper that does."""
    text, module, owner = function.text, function.module, function.owner
    if any(map(text.__contains__, CHOOSING)):
        return True
    takers = _takers(module, owner)
    return any(map(text.__contains__, takers))


@kept(32)
def _takers(module: SourceModule, owner: ClassInfo | None) -> tuple[str, ...]:
    """The functions of a file, and the methods of a class, with a word that takes a token."""
    if owner is None:
        return tuple(_saying_choice(module, module.functions))
    return (*_takers(module, None), *_saying_choice(module, owner.methods))


def _saying_choice(module: SourceModule, helpers: Mapping[str, FunctionNode]) -> Iterator[str]:
    for name, node in helpers.items():
        if any(map(module.lines_of(node).__contains__, CHOOSING)):
            yield name


def is_step(choice: ast.Call, function: Function) -> bool:
    """Whether a call stands in a loop that gives it what a model says and reads its answer."""
    for loop, _ in function.statements_around(choice):
        if not isinstance(loop, ast.For | ast.While):
            continue
        for given in choice.args:
            forward = forward_behind(given, loop, function)
            if forward is not None and _reads_again(forward, choice, loop, function):
                return True
    return False


def first_step(loop: ast.AST, function: Function | None) -> Step | None:
    """The first token of a function, if the loop takes it: for rules that judge it as a whole."""
    steps = () if function is None else steps_in(function)
    return steps[0] if steps and steps[0].loop is loop else None


def _is_joining(call: ast.Call, function: Function) -> bool:
    """Whether a call joins, itself or by a helper."""
    if last_name(call.func) in JOINING:
        return True
    helper = helper_called(call, function)
    return helper is not None and any(last_name(one.func) in JOINING for one in calls_below(helper))


def _joins(loop: ast.For | ast.While, function: Function) -> bool:
    """Whether something is put into a sequence in a loop, or to a place of one."""
    return any(
        _is_joining(node, function)
        if isinstance(node, ast.Call)
        else isinstance(node, ast.AugAssign)
        or (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript))
        for node in own_nodes(loop)
    )


def _step(choice: ast.Call, loop: ast.For | ast.While, function: Function) -> Step | None:
    for given in _chosen_from(choice, function):
        forward = forward_behind(given, loop, function)
        if forward is not None and _reads_again(forward, choice, loop, function):
            return Step(choice=choice, loop=loop, forward=forward)
    return None


def _reads_again(
    forward: ast.Call, choice: ast.Call, loop: ast.For | ast.While, function: Function
) -> bool:
    """Whether the model is given the tokens taken so far: else they are answers to other inputs."""
    seen: set[Binding] = set()
    queue: list[ast.AST] = [*forward.args, *(one.value for one in forward.keywords)]
    while queue and len(seen) < MOST:
        for node in every_node(queue.pop()):
            if node is choice:
                return True
            for binding in _carried(node, loop, function) - seen:
                seen.add(binding)
                queue.extend([binding.value] if binding.value is not None else [])
    return False


def _carried(node: ast.AST, loop: ast.For | ast.While, function: Function) -> set[Binding]:
    """The bindings of a name in a loop, those of its last turn included."""
    if not isinstance(node, ast.Name):
        return set()
    found = function.bindings.reaching(node.id, start(node), carried=True)
    return {one for one in found if start(loop) <= one.since <= end(loop)}


def _chosen_from(choice: ast.Call, function: Function) -> list[ast.expr]:
    """What a token is taken of; a helper that takes one may run the model itself."""
    if last_name(choice.func) not in CHOOSING:
        helper = helper_called(choice, function)
        takes = helper is not None and any(map(_takes_token, calls_below(helper)))
        return [*choice.args, *(one.value for one in choice.keywords), choice] if takes else []
    draw, made = draw_at(choice, function), operation(choice, function)
    given = draw.given if draw is not None else made[1] if made is not None else None
    return [] if given is None else [given]


def _takes_token(call: ast.Call) -> bool:
    return last_name(call.func) in CHOOSING


def forward_behind(
    value: ast.expr, loop: ast.For | ast.While, function: Function
) -> ast.Call | None:
    """The call of a model that a value is made of, if it is made anew in each turn of a loop."""
    for call in _calls_behind(value, function):
        if start(loop) <= start(call) <= end(loop) and runs_model(call, function):
            return call
    return None


def _calls_behind(value: ast.expr, function: Function) -> Iterator[ast.Call]:
    """The calls that a value is made of, names followed."""
    seen: set[Binding] = set()
    queue: list[ast.expr] = [value]
    while queue and len(seen) < MOST:
        for node in every_node(queue.pop()):
            if isinstance(node, ast.Call):
                yield node
            elif isinstance(node, ast.Name):
                for binding in function.reaching(node):
                    if binding not in seen and binding.value is not None:
                        seen.add(binding)
                        queue.append(binding.value)


def never_read(
    function: Function, pattern: re.Pattern[str], *, asked: bool = False
) -> list[ast.arg]:
    """The parameters of such names that the function never reads, not in one inside it either.

    With `asked`, also those that are only compared with something: `temperature == 0`.
    """
    given = [one for one in parameters(function.node) if pattern.search(one.arg)]
    if not given:
        return []
    read: set[str] = set()
    compared: set[str] = set()
    for parent in every_node(function.node):
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                (compared if isinstance(parent, ast.Compare) else read).add(node.id)
    if read & {"locals", "vars", "eval", "exec", "NotImplementedError"}:
        return []
    used = read if asked else read | compared
    return [one for one in given if one.arg not in used]


def switched_off(function: Function) -> bool:
    """Whether gradients are off in a function, or may be: by a decorator, a block, a switch."""
    return _is_decorated(function) or WITHOUT_GRADIENTS.search(_lines(function)) is not None


def runs_without_gradients(step: Step, function: Function) -> bool:
    """Whether gradients are off where a step runs the model, or may be.

    Blocks that begin after the pass, or end before it, turn them off for other lines.
    """
    if _is_decorated(function):
        return True
    helper = helper_called(step.forward, function)
    if helper is not None and WITHOUT_GRADIENTS.search(ast.unparse(helper)):
        return True
    around = [one for one, _ in function.statements_around(step.forward)]
    if any(WITHOUT_GRADIENTS.search(one) for one in _blocks(around)):
        return True
    said = sum(len(WITHOUT_GRADIENTS.findall(one)) for one in _blocks(own_nodes(function.node)))
    return len(WITHOUT_GRADIENTS.findall(_lines(function))) > said


def _blocks(nodes: Iterable[ast.AST]) -> list[str]:
    """What the `with` statements among some nodes say."""
    blocks = (node for node in nodes if isinstance(node, ast.With))
    return [ast.unparse(item.context_expr) for block in blocks for item in block.items]


def _is_decorated(function: Function) -> bool:
    names = [ast.unparse(one) for one in function.node.decorator_list]
    return any(name.rpartition(".")[2] not in PLAIN_DECORATORS for name in names)


def _lines(function: Function) -> str:
    first, last = function.node.lineno, function.node.end_lineno
    return "\n".join(function.module.lines[first - 1 : last])


def header(function: Function) -> Location:
    """The line on which a function's definition begins."""
    whole = function.module.location(function.node)
    first = function.module.lines[whole.line - 1]
    return replace(whole, end_line=whole.line, end_column=len(first) + 1)

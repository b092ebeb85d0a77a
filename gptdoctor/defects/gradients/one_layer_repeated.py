"""GD114: a list of layers holds the same layer several times."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.constructors import settings_of
from gptdoctor.source.flow_assigned import Assigned
from gptdoctor.source.flow_attributes import Learns, value_learns
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_settings import literal_text
from gptdoctor.source.flow_targets import Position, Role, end, start, text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

CODE = "GD114"
# Words by which an author says that the weights are to be the same.
SHARED = re.compile(
    r"shar(e|ed|ing)|(^|[^a-z])(un)?tied?(_|\b)|tying|recur|re_?us|universal|looped?(_|\b)|same|albert"
    r"|identical|single|repeat",
    re.IGNORECASE,
)
REPEAT = re.compile(r"(itertools\.)?\brepeat\(")


def see_list(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A ModuleList or Sequential that is given one made layer several times."""
    if not isinstance(node, ast.Call) or not _may_repeat(node):
        return
    function = visit.flow
    if function is None:
        return
    qualified = visit.module.names.called(node) or ""
    if not qualified.startswith("torch.nn."):
        return
    found = (one for each in _repeated(node, visit) for one in _calls_behind(each, visit.project))
    for repeated in found:
        made, home = repeated.made, repeated.home
        learns = value_learns(visit.project, Assigned(made, home), 0)
        if not isinstance(made, ast.Call) or learns is not Learns.YES:
            continue
        if not _is_class(made, home, visit.project) or _on_purpose(repeated, visit):
            continue
        location = visit.module.location(repeated.place)
        yield Suspicion(
            rule=CODE,
            location=location,
            symbol=visit.symbol,
            message=(
                f"Every item is the one layer that `{text_of(made.func)}(...)` makes here: the "
                f"model is as deep as it says, and has the weights of a single layer."
            ),
            details={"layer": text_of(made.func)},
            extent=(location.line, location.end_line),
        )
        return


def _may_repeat(call: ast.Call) -> bool:
    """A cheap look at what is given: most lists make a new layer at each turn."""
    if not call.args:
        return True
    given = call.args[0].value if isinstance(call.args[0], ast.Starred) else call.args[0]
    if isinstance(given, ast.ListComp | ast.GeneratorExp):
        return _is_named(given.elt)
    if isinstance(given, ast.DictComp):
        return isinstance(given.value, ast.Name)
    listed = given.elts if isinstance(given, ast.List | ast.Tuple) else call.args
    if len(listed) > 1:
        return bool(_twice(listed))
    empty = isinstance(given, ast.List) and not given.elts
    made = isinstance(given, ast.Name | ast.BinOp) or called_name(given) == "repeat"
    return len(call.args) == 1 and (empty or made)


def _is_named(value: ast.expr) -> bool:
    """Whether a value is a name, or an attribute of `self`."""
    return isinstance(value, ast.Name) or self_attribute(value) is not None


def _twice(listed: list[ast.expr]) -> list[ast.expr]:
    """What is named a second time among what is listed."""
    named = [(text_of(one), one) for one in listed if _is_named(one)]
    texts = [text for text, _ in named]
    return [one for index, (text, one) in enumerate(named) if text in texts[:index]]


class _Repeated:
    """One layer that goes several times into a list."""

    def __init__(self, place: ast.AST, made: ast.expr, home: Function) -> None:
        self.place, self.made, self.home = place, made, home


def _calls_behind(repeated: _Repeated, project: Project) -> Iterator[_Repeated]:
    """A layer that is made in sight; or those that the callers give for a parameter."""
    if not isinstance(repeated.made, ast.Name):
        yield repeated
        return
    helper = repeated.home
    for site in callers(project, helper):
        given = site.argument(helper, repeated.made.id)
        if isinstance(given, ast.Call):
            yield _Repeated(repeated.place, given, site.function)


def _repeated(call: ast.Call, visit: Visit) -> Iterator[_Repeated]:
    function = visit.flow
    if function is None:
        return
    given = call.args[0] if call.args else None
    if isinstance(given, ast.Starred):
        given = given.value
    listed = given.elts if isinstance(given, ast.List | ast.Tuple) else call.args
    if len(listed) > 1:
        for named in _twice(listed):
            yield from _made_by(named, call, function, start(call))
    elif isinstance(given, ast.Name):
        for binding in function.reaching(given):
            yield from _in_local(binding, given, function)
    elif given is not None:
        yield from _in_display(given, function)
    if given is None or (isinstance(given, ast.List) and not given.elts):
        yield from _added_in_a_loop(visit, function)


def _in_display(given: ast.expr, function: Function) -> Iterator[_Repeated]:
    """`[layer] * n`, and `layer for _ in range(n)`."""
    if isinstance(given, ast.BinOp) and isinstance(given.op, ast.Mult):
        for side in (given.left, given.right):
            for item in side.elts if isinstance(side, ast.List | ast.Tuple) else ():
                yield from _made_by(item, given, function, (0, 0))
    elif isinstance(given, ast.Call) and called_name(given) == "repeat" and len(given.args) == 2:
        if function.module.names.called(given) == "itertools.repeat":
            yield from _made_by(given.args[0], given, function, (0, 0))
    elif isinstance(given, ast.ListComp | ast.GeneratorExp | ast.DictComp):
        made = given.value if isinstance(given, ast.DictComp) else given.elt
        if _is_named(made):
            yield from _made_by(made, given, function, start(given))


def _in_local(binding: Binding, given: ast.Name, function: Function) -> Iterator[_Repeated]:
    """A local list, displayed so or filled so."""
    if binding.role is Role.WHOLE and binding.value is not None:
        yield from _in_display(binding.value, function)
    elif binding.role is Role.CHANGED and isinstance(binding.value, ast.Name):
        loops = [block for block in binding.blocks if block.loop]
        if loops and _appended(binding.value, given.id, function):
            yield from _made_by(binding.value, binding.value, function, loops[-1].start)


def _appended(filled: ast.Name, name: str, function: Function) -> bool:
    """Whether a name is given to `name.append`, and not written by an index or otherwise."""
    return any(
        isinstance(node, ast.Call)
        and called_name(node) in ("append", "add_module")
        and node.args[-1:] == [filled]
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == name
        for node in own_nodes(function.node)
    )


def _added_in_a_loop(visit: Visit, function: Function) -> Iterator[_Repeated]:
    """`self.layers = nn.ModuleList()`, and `self.layers.append(layer)` in a loop below."""
    around = visit.parent
    target = around.targets[0] if isinstance(around, ast.Assign) else None
    if target is None:
        return
    receiver = text_of(target)
    for loop, call in _additions(function):
        if isinstance(call.func, ast.Attribute) and text_of(call.func.value) == receiver:
            yield from _made_by(call.args[-1], call, function, start(loop))


@kept(8)  # a constructor makes several lists
def _additions(function: Function) -> tuple[tuple[ast.For, ast.Call], ...]:
    """Calls in a function's loops that add what has a name to something, each with its loop."""
    return tuple(
        (loop, node)
        for loop in own_nodes(function.node)
        if isinstance(loop, ast.For)
        for node in every_node(loop)
        if isinstance(node, ast.Call)
        and called_name(node) in ("append", "add_module")
        and node.args
        and isinstance(node.args[-1], ast.Name)
        and not literal_text(node)
    )


def _made_by(
    element: ast.expr, place: ast.AST, function: Function, outside: Position
) -> Iterator[_Repeated]:
    """The call that made an element once, above `outside`; (0, 0) for wherever."""
    if isinstance(element, ast.Call) and outside == (0, 0):
        yield _Repeated(place, element, function)
    own = self_attribute(element)
    if own is not None:
        settings = settings_of(function.node)
        values = [one.value for one in settings if one.name == own]
        if len(values) == 1 and start(values[0]) < (outside if outside != (0, 0) else start(place)):
            yield _Repeated(place, values[0], function)
    if not isinstance(element, ast.Name):
        return
    bindings = function.reaching(element, carried=True)
    if len(bindings) != 1:
        return
    if bindings[0].role is Role.ARGUMENT and function.name != "__init__":
        yield _Repeated(place, element, function)
    before = outside == (0, 0) or bindings[0].since <= outside
    made = bindings[0].value
    if isinstance(made, ast.Call) and before and bindings[0].role is Role.WHOLE:
        yield _Repeated(place, made, function)


def _is_class(made: ast.Call, home: Function, project: Project) -> bool:
    """Whether a call makes a module: of torch.nn, or of a network of the project."""
    qualified = home.module.names.called(made) or ""
    if qualified.startswith("torch.nn."):
        return qualified.rpartition(".")[2][:1].isupper()
    info = project.class_named(qualified, home.module)
    return info is not None and project.is_network(info)


def _on_purpose(repeated: _Repeated, visit: Visit) -> bool:
    """Whether the names, the conditions or a comment around it speak of sharing."""
    first, last = start(repeated.place)[0], end(repeated.place)[0]
    lines = visit.module.lines[max(first - 3, 0) : last]
    made = repeated.home.module.lines[start(repeated.made)[0] - 1]
    tests = [text_of(one.test) for one in visit.parents if isinstance(one, ast.If | ast.IfExp)]
    said = [*lines, made, *tests, visit.symbol]  # the function's name says nothing of purpose
    return any(SHARED.search(REPEAT.sub("(", text)) for text in said)


SICK = """\
from torch import nn


class Stack(nn.Module):
    def __init__(self, width=32, depth=4):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width)] * depth)

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x).relu()
        return x
"""

DEFECT = Defect(
    code=CODE,
    name="one-layer-repeated",
    severity=Severity.HIGH,
    confidence=Confidence.MEDIUM,
    summary="A list of layers holds one and the same layer several times.",
    explanation=(
        "A layer with weights is made once and put into an nn.ModuleList or nn.Sequential again "
        "and again: `[layer] * n`, `layer for _ in range(n)`, `repeat(layer, n)`, `append(layer)` "
        "in a loop with the layer made above it, or its name twice; a helper that repeats what it "
        "is given is meant as well. Layers without weights, and lists whose names, conditions or "
        "comments speak of shared, tied or recurrent weights are not meant."
    ),
    harm=(
        "All places of the list are one object: the model has the parameters of a single layer, "
        "each of which gets the sum of all their gradients, and its capacity is a fraction of "
        "what its settings say."
    ),
    confirmed_by=(
        "No probe measures it, for shared weights train: the number of parameters does not grow "
        "with the number of layers, which `sum(p.numel() for p in model.parameters())` shows."
    ),
    sick=SICK,
    healed=SICK.replace(
        "[nn.Linear(width, width)] * depth", "nn.Linear(width, width) for _ in range(depth)"
    ),
    suspects={calls("ModuleList", "Sequential", "ModuleDict"): see_list},
)

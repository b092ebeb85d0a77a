"""GD402: tokens are drawn at random, and the temperature changes nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Conviction, Severity, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import SampledMethod
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.bypassed_temperature import scaled_beside
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.draws import DRAWING, scaling_of
from gptdoctor.source.flow_functions import Function, functions_of, loads_of, own_nodes
from gptdoctor.source.generating import first_step, never_read, steps_in
from gptdoctor.source.generation_tests import TEMPERATURE_MEASURES, follows_temperature
from gptdoctor.source.model_calls import helper_called
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import calls_below, every_node
from gptdoctor.source.temperature import NAME
from gptdoctor.source.temperature_draws import ALIKE, FOLLOWS, PROBE, read_draws
from gptdoctor.source.temperature_numbers import direction

CODE = "GD402"
# Of a vocabulary that is drawn as a whole 0.65 is expected.  Where a filter leaves so few tokens
# that 0.3 is, a right sampler moves them by three quarters of it, and one without a temperature by
# up to a half; what leaves fewer shows nothing.
MOVES = 0.3
WHOLE = 0.6


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow
    if function is None or (function.name.startswith("__") and function.name != "__call__"):
        return
    idle = never_read(function, NAME, asked=True)
    for given in idle:
        yield _suspicion(given, given.arg, visit, function)
    for name, scaled in _dropped(function):
        if name not in [given.arg for given in idle]:
            yield _suspicion(scaled, name, visit, function)
    for name, scaled in _of_object(function):
        yield _suspicion(scaled, name, visit, function)
    for name, kept in _kept(function):
        yield _suspicion(kept, name, visit, function)
    for given, helper in _left_by_helpers(function, visit):
        yield _suspicion(given, given.arg, visit, helper)
    passed = scaled_beside(node, function)
    if passed is not None:
        yield _suspicion(passed[1], passed[0], visit, function)


def _left_by_helpers(function: Function, visit: Visit) -> Iterator[tuple[ast.arg, Function]]:
    """The temperatures that a method hands to a helper alone, which does not read them."""
    given = [one for one in function.parameter_names if NAME.search(one)]
    loads = loads_of(function).get(given[0], []) if len(given) == 1 else []
    for call in own_nodes(function.node) if len(loads) == 1 else ():
        told = isinstance(call, ast.Call) and loads[0] in [
            *call.args,
            *(one.value for one in call.keywords),
        ]
        node = helper_called(call, function) if told and isinstance(call, ast.Call) else None
        helper = functions_of(visit.project, visit.module).get(node) if node is not None else None
        if helper is not None:
            yield from ((idle, helper) for idle in never_read(helper, NAME, asked=True))


def _suspect_loop(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A temperature that a method takes and never hands to the helper that draws for it."""
    function = visit.flow
    if function is None or first_step(node, function) is None or function.name.startswith("__"):
        return
    helpers = (helper_called(step.choice, function) for step in steps_in(function))
    inside = (call for one in helpers if one is not None for call in calls_below(one))
    if any(called_name(call) in DRAWING for call in inside):
        for given in never_read(function, NAME, asked=True):
            yield _suspicion(given, given.arg, visit, function)


def _dropped(function: Function) -> Iterator[tuple[str, ast.stmt]]:
    """Statements that alone read a temperature: assignments to names that nothing reads, and
    operations of which nothing is kept.
    """
    given = {one for one in function.bindings.by_name if NAME.search(one)}
    given &= set(function.parameter_names)
    if not given:
        return
    loads = [
        node
        for node in every_node(function.node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    ]
    asked = _asked(function)
    for statement in own_nodes(function.node):
        if not isinstance(statement, ast.Assign | ast.Expr):
            continue
        inside = [one for one in every_node(statement.value) if isinstance(one, ast.Name)]
        for name in {one.id for one in inside} & given:
            alone = not any(
                one.id == name and one not in inside and one not in asked for one in loads
            )
            if alone and _is_unused(statement, name, loads, function):
                yield name, statement


def _of_object(function: Function) -> Iterator[tuple[str, ast.stmt]]:
    """Statements that scale by a temperature that the object keeps, and keep nothing of it.

    Only where nothing else in the function is scaled by it.
    """
    if "self." not in function.text:
        return
    nodes = list(own_nodes(function.node))
    scalings = [one for one in nodes if isinstance(one, ast.expr | ast.AugAssign)]
    found = [one for one in scalings if _own_temperature(one, function)]
    for statement in nodes:
        alone = isinstance(statement, ast.Expr) and [statement.value] == found
        if alone and isinstance(statement, ast.Expr):
            if called_name(statement.value).endswith("_"):
                return  # in place
            yield _own_temperature(statement.value, function), statement


def _own_temperature(node: ast.AST, function: Function) -> str:
    """The temperature of the object that scales something at a node, or ""."""
    scaling = scaling_of(node, function)
    if scaling is None or not any(map(self_attribute, every_node(scaling.number))):
        return ""
    known = direction(scaling.number, function)
    return "" if known is None else known[0]


def _kept(function: Function) -> Iterator[tuple[str, ast.expr]]:
    """The temperature that a class is given and keeps, and that nothing in its file reads."""
    owner = function.owner
    for name, values in owner.attributes.items() if owner is not None else ():
        if not NAME.search(name) or not isinstance(values[0], ast.Name) or len(values) > 1:
            continue
        text = function.module.text
        reads = re.findall(rf"\b(?:{name}['\"]|\w+\.{name}\b(?!\s*=[^=]))", text)
        if values[0].id == name and not reads and "__dict__" not in text:
            yield name, values[0]


def _asked(function: Function) -> set[ast.AST]:
    """The names in comparisons: a temperature that is only compared changes no logits."""
    tests = (node for node in every_node(function.node) if isinstance(node, ast.Compare))
    return {one for test in tests for one in every_node(test) if isinstance(one, ast.Name)}


def _is_unused(
    statement: ast.Assign | ast.Expr, name: str, loads: list[ast.Name], function: Function
) -> bool:
    """Whether nothing reads what a statement makes."""
    if isinstance(statement, ast.Expr):
        scaling = scaling_of(statement.value, function)
        return scaling is not None and not called_name(statement.value).endswith("_")
    target = statement.targets[0]
    if not isinstance(target, ast.Name) or target.id == name:
        return False
    return not any(one.id == target.id for one in loads)


def _suspicion(node: ast.AST, name: str, visit: Visit, function: Function) -> Suspicion:
    last = function.node.end_lineno or function.node.lineno
    return Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=function.symbol,
        message=(
            f"`{function.name}` draws its tokens alike at every `{name}`: nothing scales with it"
        ),
        details={"parameter": name},
        extent=(function.node.lineno, last),
    )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    yield from read_draws(
        measurement,
        CODE,
        is_wrong=_is_deaf,
        place=lambda method: method.plain_place,
        told="draws alike at every {parameter}",
        values=_values,
    )


def _is_deaf(method: SampledMethod) -> bool:
    moved = method.moved_by_temperature
    expected = _expected(method)
    if expected < MOVES or moved is None or moved > min(ALIKE, expected / 2):
        return False
    if method.greedy or method.scales_probabilities:
        return False
    # softmax(softmax(z) / T) is even at all T: that is the temperature on probabilities.
    return not all(draw.from_scaled_probabilities <= FOLLOWS for draw in method.draws)


def _expected(method: SampledMethod) -> float:
    return 1.0 if method.expected_movement is None else method.expected_movement


def _values(method: SampledMethod) -> dict[str, Value]:
    return {
        "moved_by_temperature": method.moved_by_temperature,
        # a test asks for softmax(z / T) of all tokens
        **(values_of(method.written) if _expected(method) >= WHOLE else {}),
    }


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids))[0])

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def generate(self, ids, max_new_tokens, temperature=1.0):
        for _ in range(max_new_tokens):
            logits = self(ids)[:, -1]
            probs = torch.softmax(logits, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

HEALED = SICK.replace("softmax(logits,", "softmax(logits / temperature,")

DEFECT = Defect(
    code=CODE,
    name="temperature-without-effect",
    severity=Severity.MEDIUM,
    summary="Tokens are drawn at random, and alike at every temperature.",
    explanation=(
        "A method takes a temperature and draws its tokens, but the temperature never reaches the"
        " logits: it is not used, no helper is told of it, or what it has scaled is not what is "
        "drawn from. Not meant: greedy decoding (GD401), and a temperature that scales "
        "probabilities (GD404)."
    ),
    harm=(
        "Whoever lowers the temperature to get a careful text, or raises it to get a varied one, "
        "gets the same text as ever and does not notice."
    ),
    confirmed_by=(
        "The probe sampling lets the method draw from known logits at temperatures from 0.25 to "
        "4. Histograms that are alike at the lowest and the highest confirm, unless a filter that "
        "stays leaves so few tokens that they would be alike anyway; draws that follow "
        "softmax(logits / temperature) refute."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={calls(*DRAWING): _suspect, ast.For: _suspect_loop, ast.While: _suspect_loop},
    words=DRAWING,
    convicts={PROBE: _convict},
    proof=Proof(measures=TEMPERATURE_MEASURES, test=follows_temperature),
)

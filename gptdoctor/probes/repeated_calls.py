"""Probe repeated-calls: whether equal calls in evaluation give equal outputs."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from textwrap import dedent
from types import FunctionType
from typing import Any

from torch import Tensor, nn

from gptdoctor.core.measurements.information import SEEDS, FlowPlace
from gptdoctor.core.measurements.repeated_calls import KeptState, RepeatedCalls
from gptdoctor.probes.instruments.blame import flow_place, record
from gptdoctor.probes.instruments.kept_state import changed_by, kept, put_back, reset_methods
from gptdoctor.probes.instruments.leaks import Comparison, everything
from gptdoctor.probes.instruments.requirements import require_forward
from gptdoctor.probes.instruments.steady import Steady, relative_change
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.duplicate import duplicate
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

# Specimens are built without dropout where a parameter asks for it; a chance that is 0 hides that
# it is taken in evaluation as well.
CHANCE = 0.1


def with_dropout(model: nn.Module, chance: float, shared: Collection[int] = ()) -> nn.Module:
    """Give every probability of dropout that a model or its configuration keeps the value `chance`.

    In evaluation none of them may have any effect.  `shared`: what is another model's as well, by
    identity, and stays as it is.  In place; the model is given back.
    """
    for module in model.modules():
        given = given_to_dropout(type(module))
        kept = [value for name, value in vars(module).items() if "conf" in name or "arg" in name]
        for holder in (module, *(value for value in kept if id(value) not in shared)):
            for name, value in list(getattr(holder, "__dict__", {}).items()):
                drops = "drop" in name or name in given
                drops |= name == "p" and "Drop" in type(holder).__name__
                if not drops or not isinstance(value, float) or not 0 <= value < 1:
                    continue
                if value or name not in without_dropout(type(holder)):
                    object.__setattr__(holder, name, chance)
    return model


def without_dropout(kind: type) -> frozenset[str]:
    """The attributes for which a constructor writes a 0 and nothing else: nobody sets them."""
    constructor = vars(kind).get("__init__")
    return _zeros_of(constructor) if isinstance(constructor, FunctionType) else frozenset()


@lru_cache(maxsize=1024)
def _zeros_of(constructor: FunctionType) -> frozenset[str]:
    """The same of one constructor."""
    written: dict[str, set[str]] = {}
    with suppress(OSError, SyntaxError):
        for node in ast.walk(ast.parse(dedent(inspect.getsource(constructor)))):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    written.setdefault(ast.unparse(target), set()).add(ast.unparse(node.value))
    return frozenset(
        name.removeprefix("self.") for name, values in written.items() if values == {"0.0"}
    )


def given_to_dropout(kind: type) -> frozenset[str]:
    """The attributes that the methods of a class give to a dropout: `self.p`, `self.cfg.rate`."""
    methods = (each for each in vars(kind).values() if isinstance(each, FunctionType))
    return frozenset[str]().union(*map(_given_by, methods))


@lru_cache(maxsize=1024)
def _given_by(method: FunctionType) -> frozenset[str]:
    """The same of one method."""
    code = method.__code__
    found: set[str] = set()
    if "dropout" not in f"{code.co_names} {code.co_consts}":
        return frozenset()
    with suppress(OSError, SyntaxError):
        tree = ast.parse(dedent(inspect.getsource(method)))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            drops = "dropout" in ast.unparse(call.func)
            given = [one.value for one in call.keywords if drops or "dropout" in str(one.arg)]
            for value in (*given, *(call.args[1:] if drops else ())):
                found |= {each.attr for each in ast.walk(value) if isinstance(each, ast.Attribute)}
    return frozenset(found)


def measure(specimen: Specimen) -> RepeatedCalls:
    """f(x), f(y), f(x) of one copy; f(x) of two copies; f(x) with other random numbers."""
    require_forward(specimen)
    steady = _steady(specimen, specimen.seed)
    x, y = specimen.inputs(), _other_inputs(steady)
    first, between, third = steady.outputs(x), steady.outputs(y), steady.outputs(x)
    fresh, other = _steady(specimen, specimen.seed), _steady(specimen, specimen.seed)
    same_seed = relative_change(first, fresh.outputs(x))
    # What only the second call finds is compared with a second call that comes first.
    state = max(relative_change(first, third), relative_change(other.outputs(y), between))
    other_seed = _with_other_numbers(fresh, x)
    places = None
    states: tuple[KeptState, ...] = ()
    if max(same_seed, other_seed) > steady.least:
        places = _place_of_chance(steady, x, 1 if other_seed > steady.least else 0)
    if state > steady.least and same_seed <= steady.least:
        states = _states(specimen, x, y, first)
    return RepeatedCalls(
        least_change=steady.least,
        after_another_call=state,
        with_equal_numbers=same_seed,
        with_other_numbers=other_seed,
        seeds_changing=_seeds(specimen, state, same_seed, other_seed, steady.least),
        chance=places,
        states=states,
        resets=reset_methods(specimen.model),
    )


def _steady(specimen: Specimen, seed: int) -> Steady:
    """A fresh copy that would drop, if it dropped in evaluation."""
    shared = {id(value) for module in specimen.model.modules() for value in vars(module).values()}
    return Steady(specimen, seed, with_dropout(specimen.copy(), CHANCE, shared))


def _other_inputs(steady: Steady) -> dict[str, Any]:
    """Another text; where the call is bound to its own tensors, those of another seed."""
    construction = steady.specimen.construction
    return steady.specimen.make_inputs(
        construction.batch, construction.length, steady.specimen.seed + 1
    )


def _with_other_numbers(steady: Steady, inputs: dict[str, Any]) -> float:
    """How far a fresh copy's outputs differ when random numbers start elsewhere."""
    outputs = []
    for shift in (0, 1):
        copy = _steady(steady.specimen, steady.seed)
        copy.shift = shift
        outputs.append(copy.outputs(inputs))
    return relative_change(*outputs)


def _seeds(
    specimen: Specimen, state: float, same_seed: float, other_seed: float, least: float
) -> int:
    """With how many seeds the first harm that was found is there."""
    if max(state, same_seed, other_seed) <= least:
        return 0
    seeds = 1
    for step in range(1, SEEDS):
        steady = _steady(specimen, specimen.seed + 100 * step)
        x = specimen.inputs()
        if other_seed > least:
            seeds += _with_other_numbers(steady, x) > least
        else:
            before = steady.outputs(x)
            between = steady.outputs(_other_inputs(steady))
            alone = _steady(specimen, steady.seed).outputs(_other_inputs(steady))
            change = max(
                relative_change(before, steady.outputs(x)), relative_change(alone, between)
            )
            seeds += change > least
    return seeds


def _place_of_chance(steady: Steady, inputs: dict[str, Any], shift: int) -> FlowPlace | None:
    """The first operation that gives another result for equal inputs."""
    fresh = _steady(steady.specimen, steady.seed)
    first = record(fresh, inputs)
    fresh.shift = shift
    operation = Comparison(first, record(fresh, inputs), everything, everything).offender()
    return None if operation is None else flow_place(operation.place, operation.name)


def _states(
    specimen: Specimen, x: dict[str, Any], y: dict[str, Any], first: Tensor
) -> tuple[KeptState, ...]:
    """What a call leaves behind that moves the next one, with the line that writes it."""
    steady = _steady(specimen, specimen.seed)
    before = kept(steady.model)
    left = changed_by(steady, y, before, specimen.root)
    guilty = []
    for state in left:
        model = duplicate(steady.model)
        put_back(model, [state], before)
        if _moves(steady, model, x, first) < _moves(steady, duplicate(steady.model), x, first):
            guilty.append(state)
    return tuple(
        KeptState(module=state.module, name=state.name, place=state.place)
        for state in guilty or left
    )


def _moves(steady: Steady, model: nn.Module, x: dict[str, Any], first: Tensor) -> float:
    plain = steady.like(steady.seed, model)
    plain.model = model
    try:
        return relative_change(first, plain.outputs(x))
    except FAILURES:
        return float("inf")


PROBE = Probe(name="repeated-calls", order=29, measure=measure)

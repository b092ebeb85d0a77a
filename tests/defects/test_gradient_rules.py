"""What the rules about gradients make of what was measured."""

from __future__ import annotations

import dataclasses

import pytest

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.gradient_flow import (
    GradientCut,
    GradientFlow,
    LostGradient,
    UnusedPart,
)
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.parameter_registration import ParameterRegistration, Unregistered
from gptdoctor.core.measurements.record import Measured, ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedBlock, RoutedExperts
from gptdoctor.defects.gradients import (
    detached_in_forward,
    partly_detached,
    unregistered_parameters,
    unused_parameters,
)
from gptdoctor.defects.routing import router_without_gradient
from tests.defects.records import NO_RECORD, ORDERED

LOST = LostGradient(
    path="model.py",
    symbol="Net.forward",
    line=20,
    operation="detach",
    code="x = self.gate(x).detach()",
    parameters=("gate.weight", "gate.bias"),
    acts=True,
    through_python=False,
    twin="",
    written=(),
    trail_from="gate.weight",
    trail=("model.py:20 x = self.gate(x).detach()",),
)
CUT = GradientCut(
    path="model.py",
    symbol="Net.forward",
    line=20,
    operation="detach",
    measured=True,
    parameters_gained=(),
    parameters_changed=4,
    largest_change=0.3,
    use="",
    code="y = self.mix(x.detach())",
)


def flow(**changes: object) -> GradientFlow:
    """A measurement with nothing in it but these."""
    plain = GradientFlow(
        objective="own loss", loss=4.6, batch=3, length=7, parameters=(), cuts=(), crash=None
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def confirmed(
    module: object, measurement: Measurement, record: ModelRecord = NO_RECORD
) -> list[Conviction]:
    """What the rule of this module confirms."""
    handler = module.DEFECT.convicts[module.PROBE]  # type: ignore[attr-defined]
    return [one for one in handler(measurement, record) if one.status is Status.CONFIRMED]


def routed(router_gradient: float | None) -> ModelRecord:
    """The record of a model with one router, called gate, that gets so much of a gradient."""
    block = RoutedBlock(
        name="",
        experts_name="experts",
        place=None,
        choice=None,
        operation="topk",
        experts=4,
        chosen=2,
        over_tokens=False,
        tokens=21,
        pairs=None,
        reason="",
        rows_run=None,
        rows_needed=42,
        all_run_all=False,
        lost=(),
        weight_effect=0.0,
        weights_kept=False,
        router_gradient=router_gradient,
        expert_gradient=1.0,
        other_gradient=None,
        cut=None,
        cut_by="",
        wrong_axis=None,
        router_parameters=("gate.weight", "gate.bias"),
    )
    measured = Measured(probe="routed-experts", measurement=RoutedExperts(blocks=(block,)))
    return dataclasses.replace(NO_RECORD, measured=(measured,))


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, 1),
        ({"acts": False}, 0),
        ({"acts": None}, 0),
        ({"path": ""}, 0),
        ({"operation": "no_grad"}, 0),
        ({"twin": "body.weight"}, 0),
        ({"written": ("gate.weight",)}, 0),
        ({"parameters": ("teacher.weight",)}, 0),
        ({"parameters": ("ema_model.body.weight", "target_net.body.bias")}, 0),
        ({"parameters": ("refiner.weight",)}, 1),
        ({"parameters": ("target_embedding.weight",)}, 1),
        ({"code": "# stop the gradient here\nx = self.gate(x).detach()"}, 0),
        ({"code": "x = self.gate(x).detach()  # frozen"}, 0),
        ({"symbol": "stop_gradient"}, 0),
        ({"operation": "topk", "parameters": ("router.balance_bias",)}, 0),
        ({"operation": "topk"}, 1),
        ({"operation": "gt", "parameters": ("halt.bias",)}, 1),
    ],
    ids=str,
)
def test_a_lost_gradient_is_held_against_a_line_unless_it_is_meant(
    changes: dict[str, object], number: int
) -> None:
    """It must act, lie in the user's code, and be nobody's by intent."""
    measured = flow(lost=(dataclasses.replace(LOST, **changes),))  # type: ignore[arg-type]
    assert len(confirmed(detached_in_forward, measured)) == number


@pytest.mark.parametrize(
    ("operation", "router_gradient", "number"),
    [("topk", 0.0, 0), ("argmax", 0.0, 0), ("detach", 0.0, 1), ("topk", 0.1, 1), ("topk", None, 1)],
)
def test_the_choice_of_a_router_that_learns_nothing_is_told_by_the_rules_of_routing(
    operation: str, router_gradient: float | None, number: int
) -> None:
    """What takes its scores off the graph by other means is told here."""
    measured = flow(lost=(dataclasses.replace(LOST, operation=operation),))
    assert len(confirmed(detached_in_forward, measured, routed(router_gradient))) == number


@pytest.mark.parametrize(("other", "number"), [("gate", 0), ("halt", 1)])
def test_of_layers_that_share_their_code_one_router_speaks_for_all(other: str, number: int) -> None:
    """One block of each kind is measured; parameters of another name are another matter."""
    record = routed(0.0)
    (one,) = record.measured
    assert isinstance(one.measurement, RoutedExperts)
    (block,) = one.measurement.blocks
    first = dataclasses.replace(block, router_parameters=("layers.0.gate.weight",))
    measured = dataclasses.replace(one, measurement=RoutedExperts(blocks=(first,)))
    record = dataclasses.replace(record, measured=(measured,))
    names = ("layers.0.gate.weight", f"layers.1.{other}.weight")
    lost = dataclasses.replace(LOST, operation="topk", parameters=names)
    assert len(confirmed(detached_in_forward, flow(lost=(lost,)), record)) == number


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, 1),
        ({"use": "straight-through"}, 0),
        ({"use": "target"}, 0),
        ({"use": None}, 0),
        ({"measured": False}, 0),
        ({"largest_change": 1e-7}, 0),
        ({"parameters_gained": ("mix.weight",)}, 0),
        ({"operation": "no_grad"}, 0),
        ({"code": "# truncated: no gradient into the past\ny = self.mix(x.detach())"}, 0),
        ({"code": "memory = x.detach()"}, 0),
        ({"code": "hidden_states = self.mix(hidden_states.detach())"}, 1),
    ],
    ids=str,
)
def test_a_detach_in_the_middle_is_told_unless_it_is_meant(
    changes: dict[str, object], number: int
) -> None:
    """It must change gradients, go on as data, and stand there without a word."""
    cut = dataclasses.replace(CUT, **changes)  # type: ignore[arg-type]
    assert len(confirmed(partly_detached, flow(cuts=(cut,)))) == number


def test_positions_that_are_never_used_are_told_by_what_that_does() -> None:
    """The order is not seen, which is more than waste; another unused part stays a finding."""
    table, norm = (
        UnusedPart(
            name=name,
            parameters=(f"{name}.weight",),
            numbers=8,
            path="model.py",
            symbol="Model.__init__",
            line=line,
            named=False,
        )
        for line, name in enumerate(("wpe", "norm"), 9)
    )
    measurement = flow(unused=(table, norm))
    for order, told in ((0.0, 1), (0.5, 2)):
        context = dataclasses.replace(ORDERED, order=order, positions=("wpe.weight",))
        measured = (Measured(probe="context-use", measurement=context),)
        record = dataclasses.replace(NO_RECORD, measured=measured)
        found = list(unused_parameters.read_flow(measurement, record))
        assert len(found) == told
        assert found[-1].values["parts"] == ("norm",)


def test_parts_of_layers_that_share_a_line_are_one_finding() -> None:
    """Two layers of one class forget the same norm."""
    parts = tuple(
        UnusedPart(
            name=f"layers.{n}.norm",
            parameters=(f"layers.{n}.norm.weight",),
            numbers=8,
            path="model.py",
            symbol="Layer.__init__",
            line=9,
            named=False,
        )
        for n in range(2)
    )
    (found,) = confirmed(unused_parameters, flow(unused=parts))
    assert found.values["numbers_unused"] == 16
    named = tuple(dataclasses.replace(part, named=True) for part in parts)
    assert confirmed(unused_parameters, flow(unused=named)) == []


def test_lists_of_layers_that_share_a_line_are_one_finding_and_hidden_ones_none() -> None:
    """What was wrapped in a list to hide it is left alone."""
    one = Unregistered(
        owner="layers.0",
        attribute="parts",
        container="list",
        names=("0.weight",),
        numbers=8,
        path="model.py",
        symbol="Layer.__init__",
        line=9,
        handed_in=False,
    )
    two = dataclasses.replace(one, owner="layers.1")
    measured = ParameterRegistration(
        parameters=4, leaves=6, unregistered=(one, two), overwritten=()
    )
    (found,) = confirmed(unregistered_parameters, measured)
    assert found.values["weights_unregistered"] == 2
    hidden = dataclasses.replace(one, handed_in=True)
    alone = dataclasses.replace(measured, unregistered=(hidden,))
    assert confirmed(unregistered_parameters, alone) == []


@pytest.mark.parametrize(("gradient", "number"), [(0.0, 1), (float("nan"), 0), (float("inf"), 0)])
def test_what_is_no_number_convicts_no_router(gradient: float, number: int) -> None:
    """It is a symptom of what spoiled it, and refutes nothing either."""
    [routing] = routed(gradient).measured
    handler = router_without_gradient.DEFECT.convicts["routed-experts"]
    found = list(handler(routing.measurement, NO_RECORD))
    assert len(found) == number
    assert all(one.status is Status.CONFIRMED for one in found)

"""What was measured of a model, as facts for the comparison and for wiring a training loop."""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor.core.diagnosis import SpecimenFacts, UnmeasuredProbe
from gptdoctor.core.findings import Value
from gptdoctor.core.measurements.construction import Construction, InputFact
from gptdoctor.core.measurements.full_size import FullSize
from gptdoctor.core.measurements.gradient_flow import GradientFlow
from gptdoctor.core.measurements.learning import Learning, LearningRun
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import Sampling
from gptdoctor.core.measurements.training_interface import TrainingInterface
from gptdoctor.diagnose.full_sizes import full_size_facts
from gptdoctor.diagnose.reasons import construction_of, what_blocks

MODALITIES = frozenset({"image", "audio", "video", "features"})


def specimen_of(record: ModelRecord) -> SpecimenFacts | None:
    """The instance that was examined, or None where there was none."""
    construction = construction_of(record)
    if construction is None or construction.outcome != "built":
        return None
    return SpecimenFacts(
        build=construction.build,
        call=construction.call,
        parameters=construction.parameters,
        entry=construction.entry,
        expression=construction.expression,
        imports=construction.imports,
        logits=construction.logits,
        vectors=construction.vectors,
        loss=construction.loss,
        loss_labels=construction.loss_labels,
        labels_are_next=construction.labels_are_next,
        classes=construction.classes,
        own_lines=construction.own_lines,
    )


def facts_of(record: ModelRecord) -> dict[str, Value]:
    """All facts that were measured; what is missing was not measured."""
    facts: dict[str, Value] = {"output_characters": len(record.output)}
    for measured in record.measured:
        match measured.measurement:
            case Construction(outcome="built") as construction:
                facts.update(_built(construction))
            case TrainingInterface() as interface:
                facts.update(_interface(interface))
            case GradientFlow(crash=None) as flow:
                facts.update(_gradients(flow))
            case Sampling() as sampling:
                facts["generates"] = sampling.generates
            case FullSize() as full_size:
                facts.update(full_size_facts(full_size))
            case Learning(crash=None) as learning if any(run.steps for run in learning.runs):
                facts.update(_learning(learning))
    return facts


def measured_probes(record: ModelRecord) -> tuple[str, ...]:
    """The probes that measured, in the order they ran."""
    return tuple(dict.fromkeys(measured.probe for measured in record.measured))


def unmeasured_probes(record: ModelRecord) -> tuple[UnmeasuredProbe, ...]:
    """The probes that could not, with their reasons; what blocks the model blocks them all."""
    blocked = what_blocks(record)
    return tuple(
        UnmeasuredProbe(probe=one.probe, reason=blocked or one.reason) for one in record.unmeasured
    )


def _built(construction: Construction) -> Iterator[tuple[str, Value]]:
    given = {one.name for one in construction.inputs}
    others = (one for one in construction.optional_inputs if one.name not in given)
    inputs = (*construction.inputs, *others)
    yield "multimodal", any(one.kind in MODALITIES for one in inputs)
    yield "inputs", tuple(_input(one) for one in inputs)
    yield "ids_parameter", next((one.name for one in inputs if one.kind == "ids"), None)
    yield "returns", construction.returns
    yield "vocabulary", construction.vocabulary
    yield "batch", construction.batch
    yield "length", construction.length


def _input(one: InputFact) -> str:
    return f"{one.name}: {one.kind} {list(one.shape)}"


def _interface(interface: TrainingInterface) -> Iterator[tuple[str, Value]]:
    yield "own_loss", interface.loss_returned or bool(interface.loss_methods)
    yield "loss_returned", interface.loss_returned
    yield "loss_methods", interface.loss_methods
    yield "training_step", "training_step" in interface.loss_methods
    yield "label_parameters", interface.label_parameters


def _gradients(flow: GradientFlow) -> Iterator[tuple[str, Value]]:
    missing = [one.name for one in flow.parameters if one.state == "none" and one.ran]
    yield "parameters_without_gradient", len(missing)
    yield "worst_parameters", tuple(missing[:4])


def _learning(learning: Learning) -> Iterator[tuple[str, Value]]:
    best = min(learning.runs, key=lambda run: (_steps(run), run.best_loss))
    yield "first_loss", best.first_loss
    yield "best_loss", best.best_loss
    yield "learning_steps", best.steps
    yield "steps_to_tenth", best.steps_to_tenth
    yield "learning_rate", best.learning_rate
    yield "learning_batch", learning.batch
    yield "learning_length", learning.length
    yield "milliseconds_per_step", learning.milliseconds_per_step
    yield "loss_source", learning.objective


def _steps(run: LearningRun) -> float:
    return float("inf") if run.steps_to_tenth is None else run.steps_to_tenth

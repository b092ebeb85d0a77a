"""The review of a project's models as a document, made of measurements.

It has the chapters of a review written by hand: overview, trainability, findings, how to wire
training, comparison, order of repair, conclusion. What was not measured is called so.
"""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor import __version__
from gptdoctor.core.diagnosis import Examination, ModelDiagnosis
from gptdoctor.report.amounts import Values, count, duration, joined, some
from gptdoctor.report.blocks import Block, CodeBlock, Document, Listing, Paragraph, Section, Table
from gptdoctor.report.document_comparison import comparison, conclusion, order_of_repair
from gptdoctor.report.document_findings import findings_chapter
from gptdoctor.report.document_words import NOT_MEASURED, place, titled, verdict
from gptdoctor.report.prose import Inline, code, listed, literally, prose, sentence
from gptdoctor.report.text_models import (
    learning_sentence,
    probes_named,
    reasons_of,
    unmeasured_by_reason,
)
from gptdoctor.report.wiring import loss_source, training_loop


def make_document(examination: Examination) -> Document:
    """The whole report."""
    chapters = (
        _overview(examination),
        _trainability(examination),
        findings_chapter(examination),
        _wiring(examination),
        comparison(examination),
        order_of_repair(examination),
        conclusion(examination),
    )
    return Document(
        title="Trainability report",
        blocks=tuple(chapter for chapter in chapters if chapter is not None),
    )


def _overview(examination: Examination) -> Section:
    environment = examination.environment
    models, files = len(examination.models), examination.files
    told = f"{count(models, 'model').capitalize()} in {count(files, 'file')}{_run(examination)}."
    torch = f", torch {environment.torch}" if environment.torch else ""
    made = (
        f"gptdoctor {__version__} in {duration(examination.seconds)}, with Python "
        f"{environment.python}{torch}, seed {environment.seed}."
    )
    blocks: list[Block] = [Paragraph(prose(told)), Paragraph(literally(made, "aside"))]
    if environment.trouble:
        trouble = literally("No model was run", "error")
        blocks.append(Paragraph(sentence(trouble, f": {environment.trouble}.")))
    blocks += [Paragraph(sentence(f"This system keeps no {one}.")) for one in environment.unlimited]
    if examination.models:
        heads = titled("Model", "Called by", "Inputs", "Returns")
        rows = tuple(_model_row(model) for model in examination.models)
        blocks.append(Table(heads, rows))
    blocks.extend(_unseen(examination))
    return Section(prose("Overview"), tuple(blocks))


def _run(examination: Examination) -> str:
    """How many of the models were run."""
    if not examination.environment.live:
        return "; nothing was run (--static), so that no verdict is given"
    built = sum(model.specimen is not None for model in examination.models)
    rest = len(examination.models) - built
    if not examination.models:
        return ""
    if not rest:
        return "; each was built as a tiny instance and run"
    return f"; {built or 'none'} of them built as a tiny instance and run, {rest} could not be"


def _model_row(model: ModelDiagnosis) -> tuple[Inline, ...]:
    facts = Values(model.facts)
    entry = code(model.specimen.entry) if model.specimen else prose(NOT_MEASURED)
    inputs = [_input(one) for one in dict.fromkeys(facts.names("inputs"))]
    return (
        literally(model.name, "strong"),
        entry,
        listed(inputs) or prose(NOT_MEASURED),
        prose(facts.text("returns") or NOT_MEASURED),
    )


def _input(told: str) -> Inline:
    """An input as the facts tell it, "text_ids: ids [3, 7]"; one without a shape was not given."""
    name, _, rest = told.partition(":")
    shape = rest[rest.find("[") :] if "[" in rest else ""
    return sentence(code(name), f" {shape}" if shape not in ("", "[]") else " (not given)")


def _unseen(examination: Examination) -> Iterator[Block]:
    """Files that could not be read, and those in which there is nothing."""
    items = [
        sentence(
            place(one.path, one.line, one.in_cell),
            f": {one.kind.replace('-', ' ')}, ",
            literally(one.message),
        )
        for one in examination.errors
    ]
    for reason in dict.fromkeys(one.reason for one in examination.skipped):
        paths = [one.path for one in examination.skipped if one.reason == reason]
        items.append(sentence(code(some(paths)), f": {reason}"))
    if items:
        yield Paragraph(prose("Not examined:"))
        yield Listing(tuple(items))


def _trainability(examination: Examination) -> Section | None:
    if not examination.models:
        return None
    rows = tuple(
        (literally(model.name, "strong"), verdict(model.verdict), _why(model))
        for model in examination.models
    )
    measured = [_measured(model) for model in examination.models]
    return Section(
        prose("Trainability"),
        (Table(titled("Model", "Verdict", "Why"), rows), Listing(tuple(measured))),
    )


def _why(model: ModelDiagnosis) -> Inline:
    reasons = listed(reasons_of(model), "; ")
    if reasons:
        return reasons
    if model.verdict is None:
        return prose("nothing was run")
    return prose("nothing was found that keeps it from training")


def _measured(model: ModelDiagnosis) -> Inline:
    """What was seen of the model, and what was not."""
    learned = learning_sentence(model)
    parts = [learned] if learned else []
    without = Values(model.facts).integer("parameters_without_gradient")
    if without:
        names = some(Values(model.facts).names("worst_parameters"))
        parts.append(f"{count(without, 'parameter')} without a gradient ({names})")
    for probes, why in unmeasured_by_reason(model):
        parts.append(f"not measured by {probes_named(probes)}{why}")
    parts.extend(model.notes)
    told = "; ".join(parts) or NOT_MEASURED
    where = place(model.path, model.line, model.in_cell)
    return sentence(literally(model.name, "strong"), " (", where, f"): {told}.")


def _wiring(examination: Examination) -> Section | None:
    """How to train each model, with a loop that runs."""
    if not examination.models or not examination.environment.live:
        return None
    sections = tuple(
        Section(literally(model.name), tuple(_wired(model))) for model in examination.models
    )
    return Section(prose("Wiring training"), sections)


_LOSSES = {
    "labels": "The loss is the model's own: its call takes labels.",
    "training_step": "The loss is the model's own: its `training_step` takes a batch.",
    "logits": (
        "The loss is the cross-entropy of the logits at each position against the token that "
        "follows it."
    ),
}


def _wired(model: ModelDiagnosis) -> Iterator[Block]:
    loop = training_loop(model)
    if loop is None:
        rules = [rule for rule in dict.fromkeys(model.reason_rules) if rule is not None]
        first = f" Repair {joined(rules)} first, then write this report again." if rules else ""
        yield Paragraph(prose(f"No call is known to run, so that no loop can be given.{first}"))
        return
    yield Paragraph(prose(_LOSSES[loss_source(model)]))
    if loss_source(model) == "logits":
        methods = Values(model.facts).names("loss_methods")
        if methods:
            own = listed(code(name) for name in methods)
            yield Paragraph(sentence("The model also has a loss of its own in ", own, "."))
    if model.reason_rules:
        yield Paragraph(prose("What is said under Trainability holds until it is repaired."))
    yield CodeBlock(loop)

"""The report's last chapters: the models side by side, what to repair first, which to build on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, Verdict
from gptdoctor.core.findings import Finding, Severity, Status
from gptdoctor.report.amounts import Values, count, duration, joined, whole
from gptdoctor.report.blocks import Block, Listing, Paragraph, Section, Table
from gptdoctor.report.document_findings import defect_of
from gptdoctor.report.document_words import NOT_MEASURED, verdict, with_status
from gptdoctor.report.full_sizes import full_size_cell
from gptdoctor.report.prose import Inline, literally, prose, sentence
from gptdoctor.report.standing import best_first, findings_of, severities, status_in

MOST_COLUMNS = 4  # of models; with more, each model is a row
_Trait = tuple[str, Callable[[ModelDiagnosis, Sequence[Finding]], Inline]]


def comparison(examination: Examination) -> Section | None:
    """A table of traits; models are columns while there are few."""
    models = examination.models
    if not models or not examination.environment.live:
        return None
    columns = [[write(one, examination.findings) for _, write in _TRAITS] for one in models]
    names = [literally(one.name) for one in models]
    traits = [prose(name) for name, _ in _TRAITS]
    if len(models) <= MOST_COLUMNS:
        rows = tuple((trait, *cells) for trait, *cells in zip(traits, *columns, strict=True))
        table = Table((prose("Trait"), *names), rows)
    else:
        rows = tuple((name, *cells) for name, cells in zip(names, columns, strict=True))
        table = Table((prose("Model"), *traits), rows)
    return Section(prose("Comparison"), (table,))


def _yes_or_no(key: str) -> Callable[[ModelDiagnosis, Sequence[Finding]], Inline]:
    def write(model: ModelDiagnosis, findings: Sequence[Finding]) -> Inline:
        flag = Values(model.facts).flag(key)
        return prose(NOT_MEASURED if flag is None else "yes" if flag else "no")

    return write


def _cost(model: ModelDiagnosis, findings: Sequence[Finding]) -> Inline:
    cost = Values(model.facts).number("milliseconds_per_step")
    return prose(NOT_MEASURED if cost is None else f"{duration(cost / 1000)} a step")


def _steps(model: ModelDiagnosis, findings: Sequence[Finding]) -> Inline:
    facts = Values(model.facts)
    tenth, steps = facts.integer("steps_to_tenth"), facts.integer("learning_steps")
    if tenth is not None:
        return prose(f"after {count(tenth, 'step')}")
    return prose(NOT_MEASURED if steps is None else f"not in {count(steps, 'step')}")


def _size(model: ModelDiagnosis, findings: Sequence[Finding]) -> Inline:
    return prose(whole(model.specimen.parameters) if model.specimen else NOT_MEASURED)


def _full(model: ModelDiagnosis, findings: Sequence[Finding]) -> Inline:
    return prose(full_size_cell(Values(model.facts)) or NOT_MEASURED)


def _found(model: ModelDiagnosis, findings: Sequence[Finding]) -> Inline:
    held = findings_of(model, findings)
    found = severities(held)
    told = ", ".join(f"{found[one]} {one.value}" for one in Severity if found[one])
    suspected = sum(status_in(one, model) is Status.SUSPECTED for one in held)
    return prose((told or "none") + (f" ({suspected} suspected)" if suspected else ""))


def _probes(model: ModelDiagnosis, findings: Sequence[Finding]) -> Inline:
    missing = f", {len(model.unmeasured)} could not run" if model.unmeasured else ""
    return prose(f"{len(model.measured)} measured{missing}")


_TRAITS: tuple[_Trait, ...] = (
    ("verdict", lambda model, findings: verdict(model.verdict)),
    ("can generate", _yes_or_no("generates")),
    ("multimodal", _yes_or_no("multimodal")),
    ("own loss", _yes_or_no("own_loss")),
    ("loss below a tenth", _steps),
    ("one CPU thread", _cost),
    ("parameters run", _size),
    ("full size", _full),
    ("findings", _found),
    ("probes", _probes),
)

_WHEN = {
    Severity.CRITICAL: "At once (critical)",
    Severity.HIGH: "Soon (high)",
    Severity.MEDIUM: "Planned (medium)",
    Severity.LOW: "Improvements (low)",
}


def order_of_repair(examination: Examination) -> Section | None:
    """What to mend first: by severity, and within it what keeps other things from being seen."""
    held = [one for one in examination.findings if one.evidence.status is not Status.REFUTED]
    sections: list[Block] = []
    for severity in Severity:
        mine = sorted((one for one in held if one.severity is severity), key=_planned)
        if mine:
            items = Listing(tuple(_repair(one) for one in mine), ordered=True)
            sections.append(Section(prose(_WHEN[severity]), (items,)))
    return Section(prose("Order of repair"), tuple(sections)) if sections else None


def _planned(finding: Finding) -> tuple[int, str, int]:
    defect = defect_of(finding.rule)
    order = defect.fix.order if defect is not None and defect.fix is not None else len(Severity)
    return order, finding.location.path, finding.location.line


def _repair(finding: Finding) -> Inline:
    title = sentence(": ", finding.fix.title) if finding.fix else prose(": by hand")
    return sentence(with_status(finding), title)


def conclusion(examination: Examination) -> Section | None:
    """The base to build on, and why; the others in their order."""
    ranked = best_first(examination)
    if not ranked or not examination.environment.live:
        return None
    blocks: list[Block] = [Paragraph(_recommended(ranked[0], examination.findings))]
    if len(ranked) > 1:
        others = tuple(_other(model, examination.findings) for model in ranked[1:])
        blocks += [Paragraph(prose("After it, in this order:")), Listing(others, ordered=True)]
        blocks.append(Paragraph(literally(_ORDER, "aside")))
    return Section(prose("Conclusion"), tuple(blocks))


_ORDER = (
    "Ordered by verdict, then by critical findings, by whether learning was measured, by the other "
    "findings, and by the steps to learn one batch."
)


def _recommended(model: ModelDiagnosis, findings: Sequence[Finding]) -> Inline:
    head = {
        Verdict.TRAINABLE: "Build on",
        Verdict.DEGRADED: "No model is free of serious findings. Nearest is",
        Verdict.UNTRAINABLE: "No model can be trained as it is. Nearest is",
    }.get(model.verdict or Verdict.UNEXAMINED, "No model could be examined. First in the order is")
    return sentence(f"{head} ", _other(model, findings), ".")


def _other(model: ModelDiagnosis, findings: Sequence[Finding]) -> Inline:
    """A model with the facts that rank it."""
    why = "; ".join(_standing(model, findings))
    return sentence(literally(model.name, "strong"), ": ", verdict(model.verdict), f"; {why}")


def _standing(model: ModelDiagnosis, findings: Sequence[Finding]) -> Iterator[str]:
    found = severities(findings_of(model, findings))
    told = [f"{found[one]} {one.value}" for one in Severity if found[one]]
    noun = "finding" if found.total() == 1 else "findings"
    yield f"{joined(told)} {noun}" if told else "no findings"
    tenth = Values(model.facts).integer("steps_to_tenth")
    if "learning" not in model.measured:
        yield "whether it learns was not measured"
    elif tenth is not None:
        yield f"its loss falls below a tenth in {count(tenth, 'step')}"

"""Models in the terminal: the verdict, why, what was measured and what was not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rich.console import Console

from gptdoctor.config import toml_string
from gptdoctor.core.cells import place_words
from gptdoctor.core.diagnosis import GIVEN, ModelDiagnosis, SpecimenFacts, ToWrite, Verdict
from gptdoctor.report.amounts import NAMES_SHOWN, Values, count, decimal, duration, percent, some
from gptdoctor.report.full_sizes import full_size_sentences
from gptdoctor.report.layout import print_labelled, print_line, print_pasted, to_text
from gptdoctor.report.pasted import is_pasted, python, shell, toml
from gptdoctor.report.prose import Inline, literally, prose, sentence, visible

NOT_RUN = "not run"


def verdict_word(verdict: Verdict | None) -> str:
    """The verdict, or that none is given."""
    return NOT_RUN if verdict is None else verdict.value


def verdict_role(verdict: Verdict | None) -> str:
    """The style role of a verdict."""
    return "verdict.none" if verdict is None else f"verdict.{verdict.value}"


def print_model(console: Console, model: ModelDiagnosis) -> None:
    """One model in a few lines."""
    print_line(
        console,
        (visible(model.name), "strong"),
        " ",
        (verdict_word(model.verdict), verdict_role(model.verdict)),
        "  ",
        (visible(place_words(model.path, model.line, model.in_cell)), "path"),
    )
    for label, told in lines_of(model):
        if is_pasted(told):
            print_pasted(console, label, "label", told)
        else:
            print_labelled(console, label, "label", to_text(console, told))


def lines_of(model: ModelDiagnosis) -> Iterator[tuple[str, Inline]]:
    """All that is told of a model, each with its label; "" for more of the same."""
    for index, why in enumerate(reasons_of(model)):
        yield "" if index else "because", why
    learned = learning_sentence(model)
    if learned is not None:
        yield "learning", prose(learned)
    if model.specimen is not None:
        yield "specimen", prose(specimen_sentence(model.specimen, Values(model.facts)))
        if model.specimen.build != GIVEN:
            yield "build", python(model.specimen.build)
        yield "call", python(model.specimen.call)
    for index, told in enumerate(full_size_sentences(Values(model.facts))):
        yield "" if index else "full size", prose(told)
    for index, (probes, rest) in enumerate(unmeasured_by_reason(model)):
        names = literally(probes_named(probes), "strong")
        yield "" if index else "unmeasured", sentence(names, rest)
    if model.to_write is not None:
        yield from _to_write(model, model.to_write)
    for note in model.notes:
        yield "note", prose(note)
    for index, line in enumerate(model.output.splitlines()):
        yield "" if index else "output", literally(line)


def _to_write(model: ModelDiagnosis, wanted: ToWrite) -> Iterator[tuple[str, Inline]]:
    """The command and the entry that would help, with places to fill in."""
    words = ["gptdoctor check", shlex.quote(f"{model.path}::{model.name}")]
    if not wanted.built:
        words.append(f"--build {shlex.quote(wanted.build)}")
    yield "write", shell([*words, f"--call {shlex.quote(wanted.call)}"])
    yield "", prose("or in pyproject.toml (`--write-config` prepares it):")
    yield "", toml(f'[tool.gptdoctor.models."{model.path}:{model.name}"]')
    yield "", toml(f"build = {toml_string(wanted.build)}")
    yield "", toml(f"call = {toml_string(wanted.call)}")


def reasons_of(model: ModelDiagnosis) -> Iterator[Inline]:
    """Why the model has its verdict, each with the rule behind it."""
    for index, reason in enumerate(model.reasons):
        rule = model.reason_rules[index] if index < len(model.reason_rules) else None
        known = rule is None or rule in reason
        yield prose(reason if known else f"{reason} ({rule})")


def learning_sentence(model: ModelDiagnosis) -> str | None:
    """What some steps on one batch did to the loss, or None where that was not measured."""
    facts = Values(model.facts)
    first, best = facts.number("first_loss"), facts.number("best_loss")
    steps = facts.integer("learning_steps")
    if first is None or best is None or steps is None:
        return None
    told = f"loss {_loss(first)} → {_loss(best)} in {count(steps, 'step')} on one small batch"
    tenth = facts.integer("steps_to_tenth")
    if tenth is not None:
        told += f", below a tenth after {tenth}"
    elif first > 0 and best < first:
        told += f", {percent(1 - best / first)} less"
    each = facts.number("milliseconds_per_step")
    return told if each is None else f"{told}; {duration(each / 1000)} a step"


def specimen_sentence(specimen: SpecimenFacts, facts: Values) -> str:
    """How large the tiny instance was, and how it was run."""
    batch, length = facts.integer("batch"), facts.integer("length")
    sizes = f" with B={batch}, T={length}" if batch and length else ""
    size = count(specimen.parameters, "parameter")
    return f"{size}, run by `{specimen.entry}`{sizes}"


def unmeasured_by_reason(model: ModelDiagnosis) -> list[tuple[list[str], str]]:
    """The probes that could not run, those with the same reason together, and what of it is news.

    Where there is no instance, one reason is behind all of them, and behind the verdict.
    """
    together: dict[str, list[str]] = {}
    for unmeasured in model.unmeasured:
        together.setdefault(unmeasured.reason, []).append(unmeasured.probe)
    told = [
        bool(model.reasons)
        and (model.specimen is None or any(reason in why for why in model.reasons))
        for reason in together
    ]
    return [
        (probes, ", for the reason above" if known else f": {reason}")
        for (reason, probes), known in zip(together.items(), told, strict=True)
    ]


def probes_named(probes: list[str]) -> str:
    """The probes by name, or by their number where they are many."""
    if len(probes) <= NAMES_SHOWN:
        return ", ".join(probes)
    return f"{count(len(probes), 'probe')} ({some(probes)})"


def _loss(loss: float) -> str:
    """A loss as training logs print it."""
    return f"{loss:.2f}" if 0.01 <= abs(loss) < 1000 else decimal(loss)

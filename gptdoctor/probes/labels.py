"""Probe labels: which labels the model's own losses are made of, and where each belongs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gptdoctor.core.measurements.labels import Labels, LossReading
from gptdoctor.probes.instruments.declared import declared_padding
from gptdoctor.probes.instruments.label_marks import with_marks
from gptdoctor.probes.instruments.label_pulls import Pairing, first_unseen, pairing
from gptdoctor.probes.instruments.labelled_runs import (
    Change,
    LabelledRun,
    Labeller,
    Text,
    text_in,
)
from gptdoctor.probes.instruments.requirements import require_forward, require_logits
from gptdoctor.probes.instruments.unheard import (
    as_number,
    asked_number,
    method_numbers,
    with_cut,
    with_lost_labels,
)
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.probes.training_interface import reaches
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.label_conventions import masks_labels
from gptdoctor.specimen.loss_methods import is_training_step
from gptdoctor.specimen.objective import label_parameters
from gptdoctor.specimen.places import told
from gptdoctor.specimen.roles import asks_for_loss
from gptdoctor.specimen.specimen import OwnLoss, Specimen

# Models have one loss, seldom two; a class of helpers may have many.
_MOST_LOSSES = 3
# How torch begins where a label is no class: "Target -1 is out of bounds."
_REFUSED = "Target "
# A row must have tokens before and behind the one that is exchanged, and padding at its end.
_SHORTEST = 4
_PADDED = 2  # tokens at the end of row 0


def _reading(labeller: Labeller, specimen: Specimen, own: OwnLoss) -> LossReading:
    """One loss, run with two sets of labels."""
    first = labeller.run(0)
    second = labeller.run(1) if own.relabelled is not None else first
    hears = bool(first.pulled) or reaches(first.loss, first.model)
    reading = replace(
        first.reading(own.name, hears=hears),
        call=own.call,
        training_step=is_training_step(own.name),
        of_classes=bool(own.classes),
    )
    if not hears:
        return with_cut(reading, first)
    if own.classes:  # labels that are no tokens tell nothing of where tokens belong
        return reading
    if own.labels and own.relabelled is not None:
        reading = replace(reading, moved_by_labels=first.distance(second))
    if reading.moved_by_labels and first.watch.roots and not first.logits_hear:
        return with_lost_labels(reading, first)
    found = _paired(first, second)
    if found is None:
        return replace(reading, targets="guesses" if _guesses(first, second) else "")
    label, index, pair = found
    fed = own.relabelled is not None and first.logits_differ(second)
    known = own.conventions.get(label)
    reading = replace(
        reading,
        labels=label,
        targets="labels" if label else "inputs",
        offset=pair.offset,
        positions=pair.positions,
        across_rows=pair.across_rows,
        unseen=_unseen(labeller, first, index, fed=fed),
        convention="fed" if fed else "same" if known is None else known.kind,
        convention_shown="" if known is None or fed else known.shown,
    )
    reading = _with_padding(reading, labeller, specimen, first, index)
    return with_marks(reading, labeller, first, index) if label else reading


def _with_padding(
    reading: LossReading, labeller: Labeller, specimen: Specimen, run: LabelledRun, index: int
) -> LossReading:
    """The reading with the positions that are trained on what the model declares as padding."""
    padding = declared_padding(specimen.model, specimen.construction.vocabulary)
    recipe = specimen.recipe
    if recipe is not None and any(form.fill == "lengths" for form in recipe.forms.values()):
        return reading  # what is padding they say, and not the tokens
    if padding is None or masks_labels(specimen.model) or run.ignores_another(padding.token):
        return reading
    length, offset = run.text.shape[1], reading.offset or 0
    change = Change(start=length - _PADDED, stop=length, token=padding.token, labels=True)
    reading = replace(reading, padding=f"{padding.name} = {padding.token}")
    try:
        padded = labeller.run(0, change)
    except IndexError as error:
        if not str(error).startswith(_REFUSED):
            raise
        return replace(reading, padding_error=f"{type(error).__name__}: {error}")
    if len(padded.pulled) != len(run.pulled):
        return replace(reading, padding="")
    pulled = padded.pulled[index][0]  # [L] of row 0
    targets = torch.arange(len(pulled)) + offset
    behind = (targets >= length - _PADDED) & (targets < length)
    counted = int((behind & (pulled == padding.token)).sum())
    return replace(reading, padding_counted=counted)


def _paired(first: LabelledRun, second: LabelledRun) -> tuple[str, int, Pairing] | None:
    """The labels that both runs pull the positions to, "" for the inputs; in which logits; how."""
    for name in (*first.labels, ""):
        one, other = _pair(first, name), _pair(second, name)
        if one is not None and other is not None and one[1].offset == other[1].offset:
            across = min(one[1].across_rows, other[1].across_rows)
            return name, one[0], one[1]._replace(across_rows=across)
    return None


def _pair(run: LabelledRun, name: str) -> tuple[int, Pairing] | None:
    """The first logits of a run that are paired with these tokens, if no others differ.

    What is as wide as the vocabulary by chance is paired with nothing.
    """
    tokens = run.labels[name] if name else run.text
    pairs = [pairing(pulled, tokens) for pulled in run.pulled]
    found = [(index, pair) for index, pair in enumerate(pairs) if pair is not None]
    alike = len({pair.offset for _, pair in found}) == 1
    return found[0] if alike else None


def _guesses(*runs: LabelledRun) -> bool:
    """Whether a cross-entropy pulls each position to the token that is the likeliest already."""
    return all(
        run.entropy is not None
        and bool(run.logits)
        and all(map(_own_guess, run.logits, run.pulled))
        for run in runs
    )


def _own_guess(logits: Tensor, pulled: Tensor) -> bool:
    trained = pulled >= 0  # [B, L]
    return bool((logits.argmax(dim=-1) == pulled)[trained].all()) and bool(trained.any())


def _unseen(labeller: Labeller, run: LabelledRun, index: int, *, fed: bool) -> int | None:
    """How far ahead of a position the first token lies that it has not seen.

    `fed`: the tokens are the labels, which the model gives to its own decoder.
    """
    position = run.text.shape[1] // 2
    change = Change(start=position, stop=position + 1, text=not fed, labels=fed)
    moved = labeller.run(0, change).logits
    if len(moved) != len(run.logits) or moved[index].shape != run.logits[index].shape:
        return None
    return first_unseen(run.logits[index], moved[index], position)


def _unreturned(specimen: Specimen, text: Text) -> Iterator[LossReading]:
    """Losses that come as plain numbers: the entry's, for labels or a switch, and methods'."""
    told = {own.name for own in specimen.own_losses}
    for own in _numbers(specimen, text):
        if own.name in told:
            continue
        try:
            run = Labeller(specimen, own, text).run(0)
        except FAILURES:
            continue
        if run.loss.item() in run.watch.numbers:
            told.add(own.name)
            reading = replace(run.reading(own.name, hears=False), call=own.call)
            yield with_cut(reading, run)


def _numbers(specimen: Specimen, text: Text) -> Iterator[OwnLoss]:
    recipe = specimen.recipe
    if recipe is None:
        return
    if not any(own.labels or own.asked for own in specimen.own_losses):
        switches = [slot.name for slot in recipe.slots if asks_for_loss(slot)]
        yield from (as_number(specimen, name, text) for name in label_parameters(recipe))
        yield from (asked_number(specimen, recipe, name) for name in switches)
    yield from method_numbers(specimen, recipe)


def measure(specimen: Specimen) -> Labels:
    """All losses of the model's own, the first few of them."""
    require_forward(specimen)
    require_logits(specimen)
    text = text_in(specimen)
    if text is None:
        raise Abstention("the known call gives no text of several tokens")
    if specimen.construction.length < _SHORTEST:
        raise Abstention("the known call has too few tokens to tell their labels apart")
    readings, errors = [], []
    names = label_parameters(specimen.recipe) if specimen.recipe is not None else ()
    for number, own in enumerate(specimen.own_losses):
        if number < _MOST_LOSSES or own.name in names:
            try:
                readings.append(_reading(Labeller(specimen, own, text), specimen, own))
            except FAILURES as error:  # labels that are no tokens of the text are refused
                errors.append(told(error, specimen.root))
    if not any(reading.hears and reading.targets for reading in readings):
        readings += _unreturned(specimen, text)
    if not readings:
        raise Abstention("; ".join(errors) or "the model gives no loss of its own")
    return Labels(readings=tuple(readings))


PROBE = Probe(name="labels", order=31, measure=measure, fast=True)

"""Runs of a model's own loss with labels that are known, and differ from its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.labels import LossReading
from gptdoctor.probes.instruments.label_pulls import LEAST_PULL, strongest_pull
from gptdoctor.probes.instruments.loss_watch import EntropyCall, LossWatch
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.specimen.labels import LabelsOf
from gptdoctor.specimen.specimen import OwnLoss, Specimen

# Heads that start at zero give the same loss for all labels; a tenth of usual weights opens them.
JITTER = 0.02
# Logits, the token that each position is pulled to (-1: none), and how hard it is pulled.
_Pull = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Text:
    """The ids of the known call that the logits continue."""

    parameter: str
    turned: bool  # given as [T, B]

    def read(self, inputs: Mapping[str, Any]) -> Tensor:
        """The ids [B, T]."""
        ids: Tensor = inputs[self.parameter]
        return ids.t() if self.turned else ids

    def given(self, tokens: Tensor) -> Tensor:
        """Tokens [B, T] as the entry takes them."""
        return tokens.t().contiguous() if self.turned else tokens.contiguous()


def text_in(specimen: Specimen) -> Text | None:
    """Which input holds the text [B, T]; None: none does in two dimensions."""
    recipe, construction = specimen.recipe, specimen.construction
    facts = [fact for fact in construction.inputs if fact.kind == "ids" and len(fact.shape) == 2]
    if recipe is not None:
        facts = [fact for fact in facts if fact.name == recipe.ids]
    if not facts:
        return None
    sizes = (construction.batch, construction.length)
    return Text(parameter=facts[0].name, turned=facts[0].shape == sizes[::-1] != sizes)


@dataclass(frozen=True, kw_only=True)
class LabelledRun:
    """One run of a loss, and what it pulled where."""

    model: nn.Module = field(repr=False)
    by_entry: bool  # the entry gives the loss for labels that it takes
    watch: LossWatch
    loss: Tensor
    text: Tensor  # [B, T]
    labels: Mapping[str, Tensor]  # that were given, by name, [B, T]
    logits: tuple[Tensor, ...] = field(repr=False)  # [B, L, V], all that the loss hears of
    pulled: tuple[Tensor, ...] = field(repr=False)  # [B, L] of each
    logits_hear: bool  # of the loss, in whatever form they are
    strengths: tuple[Tensor, ...] = field(repr=False)  # [B, L] of each: how hard, in nats a logit

    @property
    def entropy(self) -> EntropyCall | None:
        """The comparison of logits with labels: one that is wrong, else the first."""
        calls = self.watch.entropies
        return next((one for one in calls if one.probabilities), calls[0] if calls else None)

    def distance(self, other: LabelledRun) -> float | None:
        """How far the loss of another run is from this one, over it; None: it is no number."""
        one, two = self.loss.item(), other.loss.item()
        gap = abs(one - two) / max(abs(one), torch.finfo(torch.float32).tiny)
        return gap if gap - gap == 0.0 else None

    def logits_differ(self, other: LabelledRun) -> bool:
        """Whether other labels gave other logits: then the model feeds them to itself."""
        pairs = zip(self.logits, other.logits, strict=False)
        return any(a.shape != b.shape or not torch.equal(a, b) for a, b in pairs)

    def ignores_another(self, token: int) -> bool:
        """Whether the code leaves out a label of its own choice that is not `token`."""
        ignored = self.entropy.ignored if self.entropy is not None else None
        return ignored not in (None, -100, token)  # -100 is what torch ignores by default

    def reading(self, name: str, *, hears: bool) -> LossReading:
        """What is known of the loss without asking which labels it is made of."""
        entropy = self.entropy
        return LossReading(
            name=name,
            by_entry=self.by_entry,
            labels="",
            loss=self.loss.item(),
            hears=hears,
            logits_live=bool(self.watch.roots),
            moved_by_labels=None,
            targets="",
            offset=None,
            positions=0,
            across_rows=0,
            unseen=None,
            convention="open",
            convention_shown="",
            padding="",
            padding_counted=None,
            mark=None,
            mark_counted=None,
            mark_lost=None,
            mark_ahead=None,
            divided_by_all=None,
            averaged=None,
            probabilities=None if entropy is None else entropy.probabilities,
            cross_entropy=self.watch.sum if entropy is None else entropy.place,
            softmax=None if entropy is None else entropy.scores.softmax,
            labels_sliced=None if entropy is None else entropy.labels.sliced,
            logits_sliced=None if entropy is None else entropy.scores.sliced,
            cut=None,
            cut_by="",
        )


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is changed in the text, in the labels or in both before a run."""

    start: int  # of the positions of row 0 that get other tokens
    stop: int
    token: int | None = None  # that they get; None: each gets the next one
    text: bool = True
    labels: bool = False

    def made(self, tokens: Tensor, below: int) -> Tensor:
        """Tokens [B, T] with the change made."""
        changed = tokens.clone()
        part = changed[0, self.start : self.stop]
        part.copy_(part % (below - 1) + 1 if self.token is None else torch.tensor(self.token))
        return changed


class Labeller:
    """Runs one loss of a specimen's own, each time with weights and random numbers as before."""

    def __init__(self, specimen: Specimen, own: OwnLoss, text: Text) -> None:
        self._specimen, self._own, self._text = specimen, own, text
        construction, recipe = specimen.construction, specimen.recipe
        self._below = construction.vocabulary
        widths = {construction.vocabulary}
        if recipe is not None:
            self._below = min(self._below, recipe.ids_below)
            widths |= recipe.vocabularies
        if own.classes:
            widths |= _scores(specimen)
        self._widths = frozenset(widths)

    def run(self, seed: int, change: Change | None = None) -> LabelledRun:
        """One run with the labels of `seed`; raises what the user's code raises."""
        specimen = self._specimen
        model = jitter(specimen.copy(), JITTER, specimen.seed)
        inputs = specimen.inputs()
        text = self._text.read(inputs)
        if change is not None and change.text:
            text = change.made(text, self._below)
            inputs[self._text.parameter] = self._text.given(text)
        watch = LossWatch(specimen.root, self._widths)
        labels: dict[str, Tensor] = {}
        loss = self._own.run
        if self._own.relabelled is not None:
            loss = self._own.relabelled(self._labels_of(seed, change, watch, labels))
        watch.follow(inputs[self._text.parameter])  # from which some make their own labels
        specimen.reseed()
        with watch:
            value = loss(model, inputs)
        heard = _heard(watch, value)
        found = list(self._by_rows(heard, text))
        return LabelledRun(
            model=model,
            by_entry=bool(self._own.labels) and self._own.name == self._own.labels,
            watch=watch,
            loss=value,
            text=text,
            labels=labels,
            logits=tuple(logits for logits, _, _ in found),
            pulled=tuple(pulled for _, pulled, _ in found),
            logits_hear=bool(heard),
            strengths=tuple(strength for _, _, strength in found),
        )

    def _labels_of(
        self, seed: int, change: Change | None, watch: LossWatch, kept: dict[str, Tensor]
    ) -> LabelsOf:
        """Labels that are no ids of the text, other ones for each name and seed."""

        def make(name: str, ids: Tensor) -> Tensor:
            generator = torch.Generator().manual_seed(1000 * seed + sum(name.encode()))
            made = torch.randint(1, self._below, ids.shape, generator=generator)
            if change is not None and change.labels:
                made = change.made(made, self._below)
            kept[name] = made
            given = made.to(ids)
            watch.follow(given)
            return given

        return make

    def _by_rows(self, found: list[_Pull], text: Tensor) -> Iterator[_Pull]:
        """The same with logits [B, L, V], pulled tokens [B, L] and strengths [B, L]."""
        fitting = [each for one in found if (each := self._rows(*one, text.shape)) is not None]
        if not fitting and len({root.dim() for root, _, _ in found}) == 1:
            # A head that is run on a piece of the text at a time, to save memory.
            along = found[0][0].dim() - 2
            logits, pulled, strength = (
                torch.cat(parts, dim=along) for parts in zip(*found, strict=True)
            )
            whole = self._rows(logits, pulled, strength, text.shape)
            fitting = [] if whole is None else [whole]
        yield from fitting

    def _rows(
        self, logits: Tensor, pulled: Tensor, strength: Tensor, shape: torch.Size
    ) -> _Pull | None:
        """All three by rows; None: they do not cover a text of `shape`."""
        rows = as_rows(logits, shape, turned=self._text.turned)
        tokens = as_rows(pulled[..., None], shape, turned=self._text.turned)
        forces = as_rows(strength[..., None], shape, turned=self._text.turned)
        if rows is None or tokens is None or forces is None:
            return None
        return rows, tokens[..., 0], forces[..., 0]


def _scores(specimen: Specimen) -> set[int]:
    """The number of classes that a model without logits gives scores for."""
    features = specimen.call(specimen.copy(), specimen.inputs()).features
    return set() if features is None else {features.shape[-1]}


def _heard(watch: LossWatch, loss: Tensor) -> list[_Pull]:
    """The logits that the loss hears of, in the order of their making, beside the text."""
    return [
        (root.detach().cpu(), torch.where(force > LEAST_PULL * force.max(), token, -1), force)
        for root in watch.roots
        if (pull := strongest_pull(loss, root)) is not None
        for force, token in [(pull[0].cpu(), pull[1].cpu())]
    ]


def as_rows(values: Tensor, shape: torch.Size, *, turned: bool) -> Tensor | None:
    """Values [B, L, D], [B * L, D] or turned as [B, L, D], of a text of `shape` [B, T].

    L is T, or T - 1 where the last token is only predicted; what stands before the text is left
    out.  None: they are none of these.
    """
    batch, length = shape
    if values.dim() == 2:
        known = {batch * each: each for each in (length, length - 1)}
        size = known.get(values.shape[0])
        if size is None:
            return None
        sizes = (size, batch) if turned else (batch, size)
        values = values.view(*sizes, -1)
    values = values.transpose(0, 1) if turned else values
    fits = values.shape[0] == batch and values.shape[1] >= length - 1
    return values[:, -length:] if fits else None

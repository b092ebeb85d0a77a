"""The inputs of the entry for any batch, length and seed, and the call that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.construction import InputFact
from gptdoctor.specimen.batches import Holder
from gptdoctor.specimen.forms import Form, Promised
from gptdoctor.specimen.kept_losses import kept_loss
from gptdoctor.specimen.outputs import (
    Layout,
    Path,
    arrange,
    features_in,
    is_shifted,
    logits_in,
    loss_in,
)
from gptdoctor.specimen.roles import Slot, asks_for_loss, entry_of
from gptdoctor.specimen.specimen import Outputs


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the entry is called: which parameters are given, and in which form."""

    entry: str
    slots: tuple[Slot, ...]
    forms: Mapping[str, Form]  # by parameter
    ids: str  # the parameter that the logits continue
    ids_below: int
    vocabularies: frozenset[int]  # widths that logits may have
    ids_sure: bool = False  # the ids are ids: by their name, or because an embedding took them
    time_first: bool = False
    labels: str | None = None  # labels that must be given to get the logits of every position
    holder: Holder | None = None  # the one parameter that takes all inputs in one value
    device: str = ""  # to which the code moves what it makes; "": it stays on the CPU

    def inputs(self, batch: int, length: int, seed: int) -> dict[str, Any]:
        """The keyword arguments of the entry for B = `batch` and T = `length`, without labels."""
        generator = torch.Generator().manual_seed(seed)
        made = {name: form.make(batch, length, generator) for name, form in self.forms.items()}
        if self.time_first:
            turned = {name for name, form in self.forms.items() if self._is_turned(form)}
            made.update({name: made[name].t().contiguous() for name in turned})
        return made

    def batch_dimensions(self) -> dict[str, int]:
        """Which dimension of each input counts the batch."""
        return {
            name: 1 if self.time_first and form.shape == ("B", "T") else form.shape.index("B")
            for name, form in self.forms.items()
            if form.shape is not None and "B" in form.shape and form.wrap is None
        }

    def within(self, words: int) -> Self:
        """The recipe, giving no ids from `words` on, though the embedding may know some."""
        form = self.forms[self.ids]
        if form.below is None or form.below <= words:
            return self
        return replace(self, forms={**self.forms, self.ids: replace(form, below=words)})

    def layout(self, inputs: Mapping[str, Any]) -> Layout:
        """What the logits for `inputs` look like."""
        sizes = tuple(inputs[self.ids].shape[:2])  # activations have a width as well
        if len(sizes) == 1:  # one token a row, or one row without a batch
            sizes = (*sizes, 1) if self.forms[self.ids].shape == ("B",) else (1, *sizes)
        batch, length = sizes[::-1] if self.time_first else sizes
        return Layout(
            batch=batch,
            length=length,
            vocabularies=self.vocabularies,
            time_first=self.time_first,
        )

    def run(self, model: nn.Module, inputs: Mapping[str, Any]) -> Any:
        """Call the entry and give what it returns."""
        spread = [slot.name for slot in self.slots if slot.spread and slot.name in inputs]
        inputs = self._kept(model, inputs)
        called = entry_of(model, self.entry)
        if self.holder is not None:
            ordered = {slot.name: inputs[slot.name] for slot in self.slots if slot.name in inputs}
            return called(self.holder.held(ordered))
        named = {name: value for name, value in inputs.items() if name not in spread}
        return called(*(inputs[name] for name in spread), **named)

    def _kept(self, model: nn.Module, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs with what the model makes in the place of what stands for it."""
        batch = self.layout(inputs).batch
        return {
            name: value.keep(model, batch) if isinstance(value, Promised) else value
            for name, value in inputs.items()
        }

    def call(self, model: nn.Module, inputs: Mapping[str, Any]) -> Outputs:
        """Run the entry and normalise what it returns: logits [B, T, V], and its loss."""
        given = dict(inputs)
        if self.labels is not None and self.labels not in given:
            given[self.labels] = given[self.ids]
        before = kept_loss(model)
        raw = self.run(model, given)
        layout = self.layout(given)
        found = logits_in(raw, layout)
        labelled = any(
            slot.kind == "labels" and given.get(slot.name) is not None for slot in self.slots
        )
        # a loss alone needs no labels to be one; a score for each of B = 1 rows is none
        labelled = labelled or (isinstance(raw, Tensor) and raw.dim() == 0)
        labelled = labelled or (found is None and is_shifted(raw, layout))
        labelled = labelled or any(
            asks_for_loss(slot) and given.get(slot.name) is True for slot in self.slots
        )
        loss = loss_in(raw, found[0] if found else None) if labelled else None
        kept = kept_loss(model)
        if labelled and loss is None and kept is not before:
            loss = kept
        return Outputs(
            logits=None if found is None else arrange(found[1], layout),
            loss=loss,
            raw=raw,
            features=features_in(raw, layout) if found is None and loss is None else None,
        )

    def logits_path(self, raw: Any, inputs: Mapping[str, Any]) -> Path | None:
        """Where in the output `raw` the logits are."""
        found = logits_in(raw, self.layout(inputs))
        return None if found is None else found[0]

    def facts(self, batch: int, length: int) -> tuple[InputFact, ...]:
        """What is given, in the order of the signature."""
        shown = [slot for slot in self.slots if slot.name in self.forms]
        return tuple(self._fact(slot, batch, length) for slot in shown)

    def _fact(self, slot: Slot, batch: int, length: int) -> InputFact:
        form = self.forms[slot.name]
        sizes = form.sizes(batch, length)
        if self.time_first and form.shape == ("B", "T"):
            sizes = sizes[::-1]
        kind = "other" if slot.kind == "flag" else slot.kind
        return InputFact(name=slot.name, kind=kind, shape=sizes)

    def code(self, batch: int, length: int) -> str:
        """The call as code that a user can paste behind `model = ...`."""
        codes = {
            name: form.code(batch, length, turned=self._is_turned(form))
            for name, form in self.forms.items()
        }
        return self._written({name: self._moved(name, code) for name, code in codes.items()})

    def _moved(self, name: str, code: str) -> str:
        """The code of a value, moved to where the model is."""
        is_tensor = self.forms[name].shape is not None
        return f"{code}.to({self.device!r})" if self.device and is_tensor else code

    def expression(self, without: str = "") -> str:
        """The call for any batch and length, as `--call` takes it; `without` one parameter."""
        codes = {
            name: self._expression(name, form)
            for name, form in self.forms.items()
            if name != without
        }
        if self.labels is not None and self.labels != without:
            codes[self.labels] = "labels.t()" if self.time_first else "labels"
        return self._written(codes)

    def _expression(self, name: str, form: Form) -> str:
        turned = self._is_turned(form)
        text = self.forms[self.ids].below  # less than `ids_below` where logits name fewer
        # An encoder reads a text of its own: given the same one, it knows what the decoder is to
        # tell, and what changes in one changes in both.
        own = name != self.ids and any(
            slot.name == name and slot.kind == "ids" for slot in self.slots
        )
        if form.shape == ("B", "T") and form.below in (self.ids_below, text) and not own:
            begun = "" if form.first is None else f".index_fill(1, torch.tensor([0]), {form.first})"
            return f"ids{begun}.t()" if turned else f"ids{begun}"
        return form.expression(turned=turned)

    def _is_turned(self, form: Form) -> bool:
        """Whether a value of this form is given as [T, B]."""
        return self.time_first and form.shape == ("B", "T")

    def _written(self, codes: Mapping[str, str]) -> str:
        """The call with the code of each parameter that is given."""
        called = "model" if self.entry == "forward" else f"model.{self.entry}"
        if self.holder is not None:
            ordered = {slot.name: codes[slot.name] for slot in self.slots if slot.name in codes}
            return f"{called}({self.holder.code(ordered)})"
        given = (
            codes[slot.name] if slot.spread else f"{slot.name}={codes[slot.name]}"
            for slot in self.slots
            if slot.name in codes
        )
        return f"{called}({', '.join(given)})"

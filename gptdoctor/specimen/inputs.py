"""The inputs of the entry for any batch, length and seed, and the call that runs it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from gptdoctor.core.measurements.construction import InputFact
from gptdoctor.specimen.outputs import Layout, Path, arrange, features_in, logits_in, loss_in
from gptdoctor.specimen.roles import Slot, entry_of
from gptdoctor.specimen.specimen import Outputs

# How many vectors an image or a sound has: the first that is neither the batch nor the length, so
# that no dimension of theirs fits one of the text's by chance.
_FRAMES = (5, 2, 13)


@dataclass(frozen=True, kw_only=True)
class Promised:
    """Stands for what a method of the model's will make, when there is a model: a first state."""

    method: str
    names: tuple[str, ...]  # of the parameters that it is given

    def keep(self, model: nn.Module, batch: int) -> Any:
        """What the method makes for B = `batch`."""
        given = {name: "cpu" if name == "device" else batch for name in self.names}
        return getattr(model, self.method)(**given)

    def code(self, batch: str) -> str:
        """The call of the method as code."""
        given = (f"{name}={repr('cpu') if name == 'device' else batch}" for name in self.names)
        return f"model.{self.method}({', '.join(given)})"


@dataclass(frozen=True, kw_only=True)
class Form:
    """What is given for one parameter: a tensor whose shape may name B, T and N, or a constant.

    `below`: integers from 1 up to this, exclusive; None: normal numbers.  `fill` says "ones",
    "true", "causal" or "arange" where the numbers are not to be random.  `wrap`: a class of the
    user's that holds the tensor.  `made_by`: what the model is to make instead.
    """

    shape: tuple[str | int, ...] | None
    below: int | None = None
    fill: str = ""
    constant: Any = None
    wrap: type | None = None
    made_by: Promised | None = None

    def sizes(self, batch: int, length: int) -> tuple[int, ...]:
        """The shape in numbers."""
        frames = next(n for n in _FRAMES if n not in (batch, length))
        known = {"B": batch, "T": length, "N": frames}
        return tuple(known[d] if isinstance(d, str) else d for d in self.shape or ())

    def make(self, batch: int, length: int, generator: Generator) -> Any:
        """The value itself; what the model is to make stands for itself until it is called."""
        if self.made_by is not None:
            return self.made_by
        if self.shape is None:
            return self.constant
        tensor = self._tensor(self.sizes(batch, length), generator)
        return tensor if self.wrap is None else self.wrap(tensor)

    def _tensor(self, sizes: tuple[int, ...], generator: Generator) -> Tensor:
        if self.fill == "ones":
            return torch.ones(sizes, dtype=torch.long)
        if self.fill == "true":
            return torch.ones(sizes, dtype=torch.bool)
        if self.fill == "causal":
            return torch.ones(sizes, dtype=torch.bool).tril()
        if self.fill == "arange":
            return torch.arange(sizes[-1]).expand(sizes).contiguous()
        if self.below is not None:
            return distinct_ids(sizes, self.below, generator)
        return torch.randn(sizes, generator=generator)

    def code(self, batch: int, length: int, *, turned: bool = False) -> str:
        """Code that makes such a value; `turned`: as [T, B] where it is [B, T]."""
        sizes = [str(size) for size in self.sizes(batch, length)]
        return self._whole(sizes, str(batch), turned=turned)

    def expression(self, *, turned: bool = False) -> str:
        """The same for the B and T that names stand for."""
        frames = str(_FRAMES[0])
        names = [frames if d == "N" else str(d) for d in self.shape or ()]
        return self._whole(names, "B", turned=turned)

    def _whole(self, sizes: list[str], batch: str, *, turned: bool) -> str:
        if self.made_by is not None:
            return self.made_by.code(batch)
        written = self._written(sizes, turned=turned)
        return written if self.wrap is None else f"{self.wrap.__name__}({written})"

    def _written(self, sizes: list[str], *, turned: bool) -> str:
        if self.shape is None:
            return repr(self.constant)
        if self.fill == "arange":
            row = f"torch.arange({sizes[-1]})"
            made = row if len(sizes) == 1 else f"{row}.repeat({', '.join(sizes[:-1])}, 1)"
            return f"{made}.t()" if turned else made
        shape = ", ".join(sizes[::-1] if turned else sizes) + ("," if len(sizes) == 1 else "")
        if self.fill:
            kind = "long" if self.fill == "ones" else "bool"
            made = f"torch.ones(({shape}), dtype=torch.{kind})"
            return f"{made}.tril()" if self.fill == "causal" else made
        if self.below is None:
            return f"torch.randn({', '.join(sizes[::-1] if turned else sizes)})"
        return f"torch.randint({self.below}, ({shape}))"


def distinct_ids(sizes: tuple[int, ...], below: int, generator: Generator) -> Tensor:
    """Ids [B, T] that are all different, or, where there are too few ids, rows that begin so.

    A causal model cannot learn two continuations of the same prefix.  0 is left out: it is often
    the padding, of which a model may make nothing.
    """
    pool = torch.randperm(max(below - 1, 1), generator=generator) + min(1, below - 1)
    count = math.prod(sizes)
    if count <= pool.numel():
        return pool[:count].view(sizes)
    ids = torch.randint(min(1, below - 1), below, sizes, generator=generator)
    if ids.dim() == 2 and sizes[0] <= pool.numel():
        ids[:, 0] = pool[: sizes[0]]
    return ids


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
        named = {name: value for name, value in inputs.items() if name not in spread}
        return entry_of(model, self.entry)(*(inputs[name] for name in spread), **named)

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
        raw = self.run(model, given)
        layout = self.layout(given)
        found = logits_in(raw, layout)
        labelled = any(
            slot.kind == "labels" and given.get(slot.name) is not None for slot in self.slots
        )
        # a loss alone needs no labels to be one; a score for each of B = 1 rows is none
        labelled = labelled or (isinstance(raw, Tensor) and raw.dim() == 0)
        loss = loss_in(raw, found[0] if found else None) if labelled else None
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
        return self._written(codes)

    def expression(self) -> str:
        """The call for any batch and length, as `--call` takes it."""
        codes = {name: self._expression(form) for name, form in self.forms.items()}
        if self.labels is not None:
            codes[self.labels] = "labels.t()" if self.time_first else "labels"
        return self._written(codes)

    def _expression(self, form: Form) -> str:
        turned = self._is_turned(form)
        if form.shape == ("B", "T") and form.below == self.ids_below:
            return "ids.t()" if turned else "ids"
        return form.expression(turned=turned)

    def _is_turned(self, form: Form) -> bool:
        """Whether a value of this form is given as [T, B]."""
        return self.time_first and form.shape == ("B", "T")

    def _written(self, codes: Mapping[str, str]) -> str:
        """The call with the code of each parameter that is given."""
        called = "model" if self.entry == "forward" else f"model.{self.entry}"
        given = (
            codes[slot.name] if slot.spread else f"{slot.name}={codes[slot.name]}"
            for slot in self.slots
            if slot.name in codes
        )
        return f"{called}({', '.join(given)})"

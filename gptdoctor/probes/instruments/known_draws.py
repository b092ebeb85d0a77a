"""Tokens that the methods of one specimen draw from known logits."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.written_call import WrittenCall
from gptdoctor.probes.instruments.fixed_logits import (
    FixedHead,
    FixedLogits,
    Script,
    always,
    at,
)
from gptdoctor.probes.instruments.generation import PROMPT, Method, arguments_for, methods_of
from gptdoctor.probes.instruments.new_tokens import new_sequences, new_tokens
from gptdoctor.probes.instruments.requirements import ids_of
from gptdoctor.probes.instruments.written_calls import written_call
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.outputs import LAST_ONLY, Path, tensors_in
from gptdoctor.specimen.specimen import Specimen

# With 97 tokens, 1024 draws keep a right sampler within 0.13 of softmax(z / T) in total
# variation; one that ignores T is off by 0.46 at T = 0.25, and argmax by 0.88 or more.
ROWS = 1024
# A method that takes one row is called this often, or for this long, at each temperature.
CALLS, SECONDS = 512, 2.0


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to ask: rows at once or one by one, and what stands in for the model."""

    rows: int
    flat: bool = False  # ids [T] rather than [1, T]
    real: bool = False  # the model computes, and its logits are exchanged
    head: bool = False  # the last layer is exchanged, for methods that do not call the entry


# The cheapest first. What keeps a cache needs the model's real outputs.
WAYS = (
    Way(rows=ROWS),
    Way(rows=ROWS, head=True),
    Way(rows=ROWS, real=True),
    Way(rows=1),
    Way(rows=1, flat=True),
    Way(rows=1, real=True),
)


class KnownDraws:
    """Asks the methods of one specimen for tokens, with known logits in place of the model's."""

    def __init__(self, specimen: Specimen) -> None:
        self.specimen = specimen
        self.vocabulary = specimen.construction.vocabulary
        found = _real_output(specimen)
        self.knows_form = found is not None  # of what the entry returns
        width = self.vocabulary
        bare: tuple[Any, Path] = torch.zeros(1, 1, width).expand(1, PROMPT, width), ()
        self._raw, self.path = found or bare
        self._ids = ids_of(specimen)
        # Logits [B, V] of the last position, and none of the others.
        self.without_positions = (
            LAST_ONLY in specimen.construction.returns and at(self._raw, self.path).dim() == 2
        )

    def methods(self) -> list[Method]:
        """The methods and functions that can be asked."""
        specimen = self.specimen
        return list(methods_of(specimen.model, specimen.target.entry, specimen.root))

    def tokens(
        self,
        method: Method,
        way: Way,
        logits: Tensor,
        chosen: Mapping[str, Any],
        calls: int = CALLS,
        watch: Any = None,
    ) -> Tensor | None:
        """Tokens [R] drawn from logits [V] with the `chosen` arguments, in so many calls at most.

        None where the known logits were not asked for, or no tokens of the vocabulary were given.
        `watch` is a context around each call.  Raises what the user's code raises.
        """
        model = self.specimen.copy().eval()
        fixed = self._fixed(model, way, always(logits))
        given = self._given(method, way, logits)
        found: list[Tensor] = []
        until = perf_counter() + SECONDS
        self.specimen.reseed()
        with torch.no_grad(), watch or nullcontext():
            while len(found) < (1 if way.rows > 1 else calls) and perf_counter() < until:
                arguments = arguments_for(method, given, self.vocabulary, chosen)
                tokens = new_tokens(method.bound(model)(**arguments), given)
                if tokens is None or not (fixed.calls or method.takes_logits):
                    return None
                found.append(tokens[: way.rows])
        drawn = torch.cat(found)
        return drawn if bool(((drawn >= 0) & (drawn < self.vocabulary)).all()) else None

    def sequences(
        self, method: Method, way: Way, script: Script, chosen: Mapping[str, Any], new: int
    ) -> Tensor | None:
        """Up to `new` tokens [B, N] that one call draws while the logits follow a script.

        None where the logits were not asked for, or no tokens were given.
        """
        model = self.specimen.copy().eval()
        fixed = self._fixed(model, way, script)
        given = self._given(method, way, script(1))
        self.specimen.reseed()
        with torch.no_grad():
            arguments = arguments_for(method, given, self.vocabulary, chosen, new)
            found = new_sequences(method.bound(model)(**arguments), given, new)
        return found if fixed.calls else None

    def written(
        self,
        method: Method,
        way: Way,
        script: Script,
        chosen: Mapping[str, Any],
        new: int = 1,
        names: Mapping[str, str] | None = None,
    ) -> WrittenCall | None:
        """Such a call as a test writes it, made once more; None: a test cannot make it so.

        `names` are written for the values of some parameters.
        """
        if way.head:  # a test exchanges what the entry gives
            return None
        model = self.specimen.copy().eval()
        self._fixed(model, way, script)
        given = self._given(method, way, script(1))
        self.specimen.reseed()
        with torch.no_grad():
            arguments = arguments_for(method, given, self.vocabulary, chosen, new)
            try:
                raw = method.bound(model)(**arguments)
            except FAILURES:  # that it fails may be what the test shows
                raw = None
        return written_call(method, arguments, given, raw, names)

    def _fixed(self, model: nn.Module, way: Way, script: Script) -> FixedLogits | FixedHead:
        if way.head:
            return FixedHead(model, self.vocabulary, script)
        entry = self.specimen.target.entry
        return FixedLogits(model, entry, self._raw, self.path, script, way.real)

    def _given(self, method: Method, way: Way, logits: Tensor) -> Tensor:
        """What the method is given to continue: ids [B, T], or logits [B, V]."""
        if method.takes_logits:
            return logits.expand(way.rows, -1).clone()
        prompt = self._prompt().reshape(1, -1)
        return prompt[0].clone() if way.flat else prompt.expand(way.rows, -1).clone()

    def _prompt(self) -> Tensor:
        """Ids of one row [T], or [1, T]."""
        if not self.specimen.only_at:
            made: Tensor = self.specimen.make_inputs(1, PROMPT, self.specimen.seed)[self._ids]
            return made
        known: Tensor = self.specimen.inputs()[self._ids]
        return known.flatten()[:PROMPT]


def _real_output(specimen: Specimen) -> tuple[Any, Path] | None:
    """An output of the known call and the way to its logits; None where that fails."""
    width = specimen.construction.vocabulary
    try:
        with torch.no_grad():
            outputs = specimen.call(specimen.copy().eval(), specimen.inputs())
    except FAILURES:
        return None
    wide = [
        each for each in tensors_in(outputs.raw) if each[1].dim() and each[1].shape[-1] == width
    ]
    named = [each for each in wide if any("logit" in str(step[1]) for step in each[0])]
    best = next(iter([*named, *wide]), None)
    return None if best is None else (outputs.raw, best[0])

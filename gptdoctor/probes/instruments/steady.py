"""Forward passes in evaluation that can be compared: what differs, differs by the inputs alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.texts import Text, text_in, two_texts, with_text
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.probes.probe import Abstention
from gptdoctor.specimen.duplicate import duplicate
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Outputs, Specimen


class NotFiniteError(Abstention):
    """The outputs are no numbers."""


Call = Callable[[nn.Module, Mapping[str, Any]], Outputs]
# Small initial weights hide what flows; 0.1 opens gates that begin at zero.
JITTER = 0.1
# Rounding moves logits by up to 3.3e-7 of the largest; the smallest real leak seen is 7e-4.
LEAST = 1e-5
# What moves more than this from call to call hides too much.
MOST_NOISE = 1e-4


class Steady:
    """A model with moved weights in evaluation, and its outputs [B, P, F] for given inputs.

    P is T, or 1 where there is one output for the whole text.  `noise`: how far two equal calls
    differ, relative to the largest output.  `least`: from what change on something flows.  A model
    that keeps a state is copied anew for each call.
    """

    def __init__(
        self,
        specimen: Specimen,
        seed: int,
        model: nn.Module | None = None,
        *,
        training: bool = False,
        call: Call | None = None,
    ) -> None:
        self.specimen = specimen
        self.text: Text = text_in(specimen)
        self.seed = seed
        self.call: Call = call or specimen.call
        made = model or specimen.copy()
        self.model = jitter(made if training else made.eval(), JITTER, seed)
        self.training = training
        self.keeps_state = False
        self.noise = 0.0
        self.random = False  # whether other random numbers move the outputs
        self.together = True  # whether rows may share a batch
        self.shift = 0  # of the seed that each call starts from
        self.finite_only = True  # whether outputs that are no numbers are refused

    def like(
        self, seed: int, model: nn.Module, *, training: bool = False, call: Call | None = None
    ) -> Steady:
        """The same call of another model, or another call of it."""
        made = Steady(
            self.specimen,
            seed,
            model,
            training=training or self.training,
            call=call or self.call,
        )
        made.together, made.keeps_state = self.together, self.keeps_state
        made.finite_only = self.finite_only
        return made

    def settle(self) -> None:
        """Run two equal calls, and abstain where nothing can be compared with anything."""
        inputs = self.specimen.inputs()
        first, again = self.outputs(inputs), self.outputs(inputs)
        if not torch.equal(first, again):
            self.keeps_state = True
            first, again = self.outputs(inputs), self.outputs(inputs)
        self.noise = relative_change(first, again)
        self.shift = 1
        self.random = relative_change(first, self.outputs(inputs)) > LEAST
        self.shift = 0
        if self.random:  # each row of a batch would have noise of its own
            self.together = False
        if self.noise > MOST_NOISE:
            raise Abstention(
                f"two equal calls in evaluation differ by {self.noise:.1e} of the largest output"
            )

    @property
    def least(self) -> float:
        """The least relative change that is no noise."""
        return max(LEAST, 10 * self.noise)

    def outputs(self, inputs: Mapping[str, Any]) -> Tensor:
        """The outputs [B, P, F] for inputs as `make_inputs` gives them.

        Raises what the user's code raises, and Abstention where there are no finite vectors.
        """
        model = duplicate(self.model) if self.keeps_state else self.model
        self.reseed()
        with torch.no_grad():
            outputs = self.call(model, inputs)
        vectors = outputs.features if outputs.logits is None else outputs.logits
        if vectors is None:
            raise Abstention("the call gives neither logits nor other vectors")
        rows = self.text.rows(inputs[self.text.name])
        vectors = vectors.detach().float() if vectors.dtype.itemsize < 4 else vectors.detach()
        if outputs.logits is None:
            vectors = _by_position(vectors, rows.shape[0], rows.shape[1], self.text)
        if self.finite_only and not vectors.isfinite().all():
            raise NotFiniteError("the outputs are not finite")
        return vectors

    def two_texts(self, length: int) -> tuple[Tensor, Tensor]:
        """Two texts [T, ...] that differ at every position."""
        return two_texts(self.specimen, self.text, length, self.seed)

    def of_rows(self, rows: Tensor) -> Tensor:
        """The outputs [N, P, F] for texts [N, T, ...], each as if it were alone."""
        if self.together:
            try:
                return self.outputs(with_text(self.specimen, self.text, rows, self.seed))
            except FAILURES as error:  # some models take no more than so many rows
                if isinstance(error, Abstention):
                    raise
                self.together = False
        batch = max(self.specimen.construction.batch, 1)
        return torch.stack([self._alone(row, batch) for row in rows])

    def _alone(self, row: Tensor, batch: int) -> Tensor:
        rows = row.repeat(batch, *[1] * row.dim())
        return self.outputs(with_text(self.specimen, self.text, rows, self.seed))[0]

    def run(self, model: nn.Module, inputs: Mapping[str, Any]) -> None:
        """Run the entry of `model`, whatever becomes of it: for what watches meanwhile."""
        self.reseed()
        with torch.no_grad(), suppress(*FAILURES):
            self.call(model, inputs)

    def reseed(self) -> None:
        """Start all random numbers anew, from `shift` further on."""
        self.specimen.reseed()
        if self.shift:
            seed = self.specimen.seed + self.shift
            torch.manual_seed(seed)
            random.seed(seed)
            numpy = sys.modules.get("numpy")
            if numpy is not None:
                numpy.random.seed(seed % 2**32)


def _by_position(vectors: Tensor, batch: int, length: int, text: Text) -> Tensor:
    """Vectors of a backbone as [B, T, F], or as [B, 1, F] where they tell of the whole text."""
    if text.batch_dimension == 1 and vectors.shape[:2] == (length, batch):
        vectors = vectors.transpose(0, 1)
    positions = length if vectors.dim() > 2 and vectors.shape[1] == length else 1
    return vectors.reshape(vectors.shape[0], positions, -1)


def relative_change(first: Tensor, second: Tensor) -> float:
    """The largest difference of two tensors of one shape, relative to the largest of the first."""
    if first.shape != second.shape:
        return float("inf")
    scale = first.abs().max().clamp_min(torch.finfo(first.dtype).tiny)
    return float((second - first).abs().max() / scale)

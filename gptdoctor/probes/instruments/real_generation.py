"""Running the generation methods of one specimen on its own weights."""

from __future__ import annotations

import inspect
import itertools
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.written_call import WrittenCall
from gptdoctor.probes.instruments.generation import Method, arguments_for
from gptdoctor.probes.instruments.new_tokens import new_sequences
from gptdoctor.probes.instruments.watched_model import WatchedModel
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.probes.instruments.written_calls import written_call
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.outputs import Path
from gptdoctor.specimen.places import place_in
from gptdoctor.specimen.roles import signature_of
from gptdoctor.specimen.specimen import Specimen

ROWS, LENGTH = 8, 6
# Logits of a fresh model are nearly even; weights moved by so much make some tokens clearly the
# likeliest, by several nats, and the context decides which.
SPREAD = 0.3
# Logits are made so much larger that a token which leads by 0.2 nats, CLEARLY, leads by 20: any
# sampler is as good as greedy then, with no argument that it might misunderstand.
SHARPER, CLEARLY = 100.0, 0.2
# Lengths beyond are not tried: specimens read 32 tokens, if their length is a size at all.
LONGEST = 80
_STATE = re.compile(r"cache|past|\bkv|state|hidden|memor|mems", re.IGNORECASE)


@dataclass(frozen=True)
class Run:
    """What one call gave."""

    tokens: Tensor | None  # [B, N], the new ones
    watched: WatchedModel
    raw: Any


class RealGeneration:
    """Generates with copies of one specimen's model."""

    def __init__(self, specimen: Specimen, way: Path) -> None:
        self.specimen, self._way = specimen, way
        self.vocabulary = specimen.construction.vocabulary
        facts = specimen.construction.inputs
        self.ids = next(fact.name for fact in reversed(facts) if fact.kind == "ids")

    def prompts(self, rows: int, length: int, seed: int = 0) -> Tensor:
        """Prompts [B, T] of the specimen's own ids."""
        made = self.specimen.make_inputs(rows, length, self.specimen.seed + seed)[self.ids]
        found: Tensor = made.reshape(rows, length)
        return found

    def run(
        self,
        model: nn.Module,
        method: Method,
        prompt: Tensor,
        new: int,
        *,
        sharp: bool = False,
        skipped: bool = False,
    ) -> Run:
        """One call of a method with a prompt [B, T] or [T], watched; `model` is used up.

        `sharp` makes it as good as greedy, with its cache in use.  With `skipped` it meets other
        random numbers.  Raises what the user's code raises.
        """
        entry, root = self.specimen.target.entry, self.specimen.root
        watched = WatchedModel(model, entry, root, self._way if sharp else None, SHARPER)
        chosen = _chosen(method, cached=sharp)
        self.specimen.reseed()
        if skipped:
            torch.rand(1)
        arguments = arguments_for(method, prompt.clone(), self.vocabulary, chosen, new)
        raw = method.bound(model)(**arguments)
        if inspect.isgenerator(raw):
            items = list(itertools.islice(raw, new))
            return Run(new_sequences((item for item in items), prompt, new), watched, items)
        return Run(new_sequences(raw, prompt, new), watched, raw)

    def written(
        self, method: Method, prompt: Tensor, new: int, raw: Any, *, cached: bool = False
    ) -> WrittenCall | None:
        """The call that gave `raw`, as a test writes it; None: a test cannot make it so."""
        chosen = _chosen(method, cached=cached)
        arguments = arguments_for(method, prompt, self.vocabulary, chosen, new)
        return written_call(method, arguments, prompt, raw)

    def working_prompt(self, method: Method, new: int) -> tuple[Tensor, Run] | None:
        """A prompt in the first form that the method takes: two rows, one row, ids [T].

        None where it gives no tokens from any; raises the first failure where all forms fail.
        """
        failure: BaseException | None = None
        for prompt in self._forms():
            try:
                run = self.run(self.specimen.copy().eval(), method, prompt, new)
            except FAILURES as error:
                failure = failure or error
                continue
            if run.tokens is not None:
                return prompt, run
        if failure is not None:
            raise failure
        return None

    def _forms(self) -> Iterator[Tensor]:
        prompt = self.prompts(2, 3)
        yield prompt
        yield prompt[:1]
        yield prompt[0]

    def sharpened(self) -> nn.Module:
        """A copy in evaluation mode whose logits are far from even."""
        return jitter(self.specimen.copy(), SPREAD, self.specimen.seed).eval()

    def next_logits(self, model: nn.Module, prompts: Tensor, *, by_chance: bool = False) -> Tensor:
        """The logits [B, V] after prompts [B, T]; `by_chance`: with other random numbers."""
        rows, length = prompts.shape
        inputs = self.specimen.make_inputs(rows, length, self.specimen.seed)
        inputs[self.ids] = prompts.reshape(inputs[self.ids].shape)
        self.specimen.reseed()
        if by_chance:
            torch.rand(1)  # moves all later draws on
        logits = self.specimen.call(model, inputs).logits
        if logits is None:
            raise ValueError("no logits")
        return logits[:, -1]

    def limit(self) -> int | None:
        """The most tokens that the forward pass reads; None: it reads as many as are tried."""
        if self._reads(LONGEST):
            return None
        low, high = self.specimen.construction.length, LONGEST
        if not self._reads(low):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._reads(middle) else (low, middle)
        # A model that wants whole chunks reads some longer texts, and has no limit here.
        return None if any(self._reads(low + more) for more in (2, 3, 4)) else low

    def failed_inside(self, error: BaseException) -> bool:
        """Whether an error came from the user's forward pass, also where that refuses."""
        entry = signature_of(self.specimen.model, self.specimen.target.entry)
        return place_in(error, entry, self.specimen.root) is not None

    def _reads(self, length: int) -> bool:
        model = self.specimen.copy().eval()
        try:
            with torch.no_grad():
                inputs = self.specimen.make_inputs(1, length, self.specimen.seed)
                return self.specimen.call(model, inputs).logits is not None
        except FAILURES:
            return False


def _chosen(method: Method, *, cached: bool) -> dict[str, Any]:
    """Its cache in use, where it asks whether to use one."""
    return {"use_cache": True} if cached and "use_cache" in method.parameters else {}


def speaks_of_state(method: Method) -> bool:
    """Whether the text of a method speaks of a cache or a state."""
    try:
        return _STATE.search(inspect.getsource(method.written)) is not None
    except (OSError, TypeError):
        return False


def own_line(error: BaseException, method: Method) -> int | None:
    """The line of the method's own at which an error came through it."""
    code = method.written.__code__
    lines = [
        number for frame, number in traceback.walk_tb(error.__traceback__) if frame.f_code is code
    ]
    return lines[-1] if lines else None

"""Probe generation: what methods that generate do to mode, gradients, context and prompt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.measurements.generation import (
    ContextRun,
    FollowedStep,
    GeneratedMethod,
    Generation,
    GraphUse,
    ModeUse,
    PromptChange,
)
from gptdoctor.core.measurements.written_call import WrittenCall
from gptdoctor.probes.instruments.end_tokens import end_run
from gptdoctor.probes.instruments.generation import Method
from gptdoctor.probes.instruments.known_draws import KnownDraws
from gptdoctor.probes.instruments.nearby_text import first_given_line, given_line
from gptdoctor.probes.instruments.real_generation import (
    CLEARLY,
    LENGTH,
    ROWS,
    RealGeneration,
    Run,
    own_line,
    speaks_of_state,
)
from gptdoctor.probes.instruments.requirements import require_any_size, require_logits
from gptdoctor.probes.instruments.traced_choice import TracedChoice
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.outputs import tensors_in
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import Specimen

STEPS = 3
# Rows in which two tokens may be about equally likely, also where logits are far apart.
UNCLEAR = 0.5


def follows(drawn: Tensor, logits: Tensor) -> FollowedStep:
    """How tokens [B] agree with the likeliest by logits [B, V], where one is clearly so."""
    best = logits.topk(2, dim=-1)
    clear = best.values[:, 0] - best.values[:, 1] > CLEARLY
    agree = (drawn == best.indices[:, 0]) & clear
    return FollowedStep(rows=int(clear.sum()), agreeing=int(agree.sum()))


def changed_prompts(prompts: Tensor, vocabulary: int) -> Iterator[tuple[str, Tensor]]:
    """The prompts [B, T] with other tokens at some positions."""
    other = (prompts + vocabulary // 2) % vocabulary
    yield "all tokens", other
    yield "all tokens but the last", torch.cat([other[:, :-1], prompts[:, -1:]], dim=1)
    yield "the last token", torch.cat([prompts[:, :-1], other[:, -1:]], dim=1)


class _Examined:
    """One method under examination."""

    def __init__(self, real: RealGeneration, draws: KnownDraws, method: Method) -> None:
        self._real, self._draws, self._method = real, draws, method

    def told(self, limit: int | None) -> GeneratedMethod | None:
        """All that is measured of it; None where it gives no tokens."""
        place = self._method.place
        told = GeneratedMethod(path=place.path, symbol=place.symbol, line=place.line or 0)
        try:
            found = self._real.working_prompt(self._method, STEPS)
        except FAILURES as error:
            crash = crash_of(error, self._real.specimen.root, "generate")
            given = self._real.prompts(1, LENGTH)
            written = self._real.written(self._method, given, STEPS, None)
            return replace(told, crash=crash, written=written, end=self._end())
        if found is None:
            return None
        prompt, run = found
        if not run.watched.passes:  # it goes around the entry, or uses no model at all
            return replace(told, end=self._end())
        told = replace(told, mode=self._mode(prompt, run), graph=_graph(run), end=self._end())
        told = replace(told, written=self._real.written(self._method, prompt, STEPS, run.raw))
        told = replace(told, **self._lines(prompt, run))
        if limit is not None and self._method.asks_how_many:
            told = replace(told, context=self._context(prompt, limit))
        try:
            return replace(told, **self._prompted(prompt))
        except FAILURES:
            return told  # it takes no prompts of that many rows and tokens

    def _lines(self, prompt: Tensor, run: Run) -> dict[str, Any]:
        """The lines of the method's own that run the model and read its logits."""
        here, root = self._method.place, self._real.specimen.root
        called = [one.place for one in run.watched.passes if one.place is not None]
        trace = TracedChoice(root, self._real.vocabulary)
        model = self._real.specimen.copy().eval()
        with suppress(*FAILURES), torch.no_grad(), trace:
            self._real.run(model, self._method, prompt, 1)
        read = [one.place for one in trace.steps if one.kind == "read"]
        lines = {
            name: next((p.line for p in places[::-1] if p.symbol == here.symbol), None)
            for name, places in {"call_line": called, "reading_line": read}.items()
        }
        call = replace(here, line=lines["call_line"])
        lines |= {"given_line": given_line(call, root)}
        return {**lines, "first_given_line": first_given_line(call, root)}

    def _mode(self, prompt: Tensor, run: Run) -> ModeUse | None:
        model = self._real.specimen.copy().train()
        try:
            trained = self._real.run(model, self._method, prompt, STEPS)
        except FAILURES:
            return None
        return ModeUse(
            trained_inside=any(one.training for one in run.watched.passes),
            left_training=run.watched.training,
            left_evaluating=not trained.watched.training,
            restores_unchanged=_restores_unchanged(trained),
            switches=(*run.watched.switches, *trained.watched.switches),
        )

    def _end(self) -> Any:
        return end_run(self._draws, self._method)

    def _context(self, prompt: Tensor, limit: int) -> ContextRun | None:
        """Generation from as many tokens as the model reads, in the form of a known prompt."""
        full = self._real.prompts(1, limit)
        given = full[0] if prompt.dim() == 1 else full
        model = self._real.specimen.copy().eval()
        try:
            with torch.no_grad():
                run = self._real.run(model, self._method, given, STEPS)
        except FAILURES as error:
            crash = crash_of(error, self._real.specimen.root, "generate")
            line, chosen = own_line(error, self._method), None
            if line is not None:
                raised = replace(self._method.place, line=line)
                chosen = given_line(raised, self._real.specimen.root)
            return ContextRun(
                limit=limit,
                new_tokens=0,
                calls=0,
                without_newest=0,
                crash=crash,
                line=chosen or line,
                in_forward=self._real.failed_inside(error),
                written=self._real.written(self._method, given, STEPS, None),
            )
        if run.tokens is None:
            return None
        return ContextRun(
            limit=limit,
            new_tokens=run.tokens.shape[1],
            calls=len(run.watched.passes),
            without_newest=_without_newest(run),
            crash=None,
            line=None,
        )

    def _prompted(self, prompt: Tensor) -> dict[str, Any]:
        """What changes of the prompt do, and how the tokens follow from all before them."""
        prompts = self._real.prompts(ROWS, LENGTH)
        one_by_one = prompt.dim() == 1 or len(prompt) == 1
        flat = prompt.dim() == 1
        given = prompts[0] if flat else prompts[:1] if one_by_one else prompts
        with torch.no_grad():
            base, shortened = self._drawn(prompts, one_by_one, flat, STEPS)
            before = self._real.next_logits(self._real.sharpened(), prompts)
            changes = []
            for name, other in changed_prompts(prompts, self._real.vocabulary):
                after = self._real.next_logits(self._real.sharpened(), other)
                drawn, _ = self._drawn(other, one_by_one, flat, 1)
                changes.append(
                    PromptChange(
                        changed=name,
                        forward_rows=_differing(before.argmax(-1), after.argmax(-1)),
                        drawn_rows=_differing(base[:, 0], drawn[:, 0]),
                    )
                )
            steps = tuple(self._followed(prompts, base))
            again, _ = self._drawn(prompts, one_by_one, flat, 1, other_numbers=True)
            differing = _differing(base[:, 0], again[:, 0])
            deaf = any(not one.drawn_rows for one in changes)
            strays = any(one.agreeing < one.rows for one in steps)
            prompted = self._prompted_call(given, 1) if deaf else None
            followed = self._prompted_call(given, STEPS) if strays else None
        return {
            "prompted": prompted,
            "followed": followed,
            "rows": ROWS,
            "changes": tuple(changes),
            "steps": steps,
            "steady": differing <= UNCLEAR * ROWS,
            "shortened": shortened,
            "keeps_state": speaks_of_state(self._method),
        }

    def _prompted_call(self, given: Tensor, new: int) -> WrittenCall | None:
        """So many steps for a test, with a prompt as it is given here."""
        model = self._real.sharpened()
        with suppress(*FAILURES):
            run = self._real.run(model, self._method, given, new, sharp=new > 1)
            return self._real.written(self._method, given, new, run.raw, cached=new > 1)
        return None

    def _followed(self, prompts: Tensor, drawn: Tensor) -> Iterator[FollowedStep]:
        usual, other = (
            self._real.next_logits(self._real.sharpened(), prompts, by_chance=chance)
            for chance in (False, True)
        )
        if not torch.allclose(usual, other, rtol=1e-3):
            return  # what follows is a matter of chance
        for step in range(min(STEPS, drawn.shape[1])):
            text = torch.cat([prompts, drawn[:, :step]], dim=1)
            logits = self._real.next_logits(self._real.sharpened(), text)
            yield follows(drawn[:, step], logits)

    def _drawn(
        self,
        prompts: Tensor,
        one_by_one: bool,
        flat: bool,
        new: int,
        other_numbers: bool = False,
    ) -> tuple[Tensor, bool]:
        """New tokens [B, N], and whether later passes got less than the text so far."""
        parts = prompts[:, None].unbind() if one_by_one else (prompts,)
        found, shortened = [], False
        for part in parts:
            given = part[0] if flat else part
            model = self._real.sharpened()
            run = self._real.run(model, self._method, given, new, sharp=True, skipped=other_numbers)
            if run.tokens is None or not run.tokens.numel() or not run.watched.passes:
                raise ValueError("no tokens")
            found.append(run.tokens)
            lengths = [one.ids.shape[-1] for one in run.watched.passes if one.ids is not None]
            shortened |= any(length < LENGTH for length in lengths[1:])
        fewest = min(each.shape[1] for each in found)
        return torch.cat([each[:, :fewest] for each in found]), shortened


def _restores_unchanged(run: Run) -> bool:
    """Whether all switches of a model that trained asked for training, and it stayed so."""
    switches, passes = run.watched.switches, run.watched.passes
    asked = bool(switches) and all(one.training for one in switches)
    return asked and bool(passes) and all(one.training for one in passes)


def _graph(run: Run) -> GraphUse:
    passes = run.watched.passes
    return GraphUse(
        forward_calls=len(passes),
        with_gradients=sum(one.differentiable for one in passes),
        returned_gradients=any(tensor.requires_grad for _, tensor in tensors_in(run.raw)),
    )


def _without_newest(run: Run) -> int:
    """Passes after the first whose last id is not the token that was drawn before."""
    passes = run.watched.passes
    if run.tokens is None or len(passes) != run.tokens.shape[1]:
        return 0  # other passes than one a token: nobody can say which saw what
    newest = run.tokens[0].tolist()
    last = [None if one.ids is None else int(one.ids.reshape(-1)[-1]) for one in passes]
    pairs = zip(newest[:-1], last[1:], strict=True)
    return sum(given is not None and given != token for token, given in pairs)


def _differing(one: Tensor, other: Tensor) -> int:
    return int((one != other).sum())


def measure(specimen: Specimen) -> Generation:
    """All methods that generate."""
    require_logits(specimen)
    require_any_size(specimen)
    draws = KnownDraws(specimen)
    real = RealGeneration(specimen, draws.path)
    methods = [method for method in draws.methods() if not method.takes_logits]
    limit = real.limit() if any(method.asks_how_many for method in methods) else None
    told = [_Examined(real, draws, method).told(limit) for method in methods]
    return Generation(methods=tuple(one for one in told if one is not None))


PROBE = Probe(name="generation", order=55, measure=measure)

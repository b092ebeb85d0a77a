"""Probe cached-decoding: token by token with a cache, against the forward pass over all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.cached_decoding import CachedDecoding
from gptdoctor.probes.instruments.cache_calls import (
    CacheCall,
    cache_call,
    left_behind,
    named_left,
)
from gptdoctor.probes.instruments.first_difference import (
    first_difference,
    outputs_of,
    users_modules,
)
from gptdoctor.probes.instruments.line_difference import LineTrace, first_place
from gptdoctor.probes.instruments.made_caches import made_cache
from gptdoctor.probes.instruments.requirements import ids_of, require_any_size, require_logits
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.outputs import Path, tensors_in
from gptdoctor.specimen.places import told
from gptdoctor.specimen.reading import path_code
from gptdoctor.specimen.specimen import Specimen

# Longer than the window of a specimen (8), so that its border is crossed.
LENGTH, PREFIX, CHUNK = 12, 5, 3
SPREAD = 0.1  # attention of fresh weights is so even that a wrong position hardly shows
# Logits that change by more with what comes after them are no base to compare with: capacity of
# experts, a model that looks ahead.
STEADY = 1e-3
# Differences from which on a position or a module is told as the first that differs; where two
# right formulas for one thing meet, they differ by 2e-4.
TELLING = 1e-3


def relative_difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of logits [..., V], over the largest logit; NaN counts as infinite."""
    difference = (one - other).abs().max() / other.abs().max().clamp_min(1e-12)
    return float(difference) if bool(torch.isfinite(difference)) else float("inf")


def decoded(
    first: Callable[[Tensor], tuple[Tensor, Any]],
    following: Callable[[Tensor, Any, int], tuple[Tensor, Any]],
    ids: Tensor,
    cuts: list[int],
) -> list[Tensor]:
    """The logits [B, V] after each part of ids [B, T] that ends at one of the cuts.

    `first(ids)` and `following(ids, left, before)` give logits [B, N, V] or [B, V] and what is
    left for the next call.
    """
    logits, left = first(ids[:, : cuts[0]])
    found = [last(logits)]
    for start, end in itertools.pairwise(cuts):
        logits, left = following(ids[:, start:end], left, start)
        found.append(last(logits))
    return found


def last(logits: Tensor) -> Tensor:
    """The logits [B, V] of the last position."""
    return logits[:, -1] if logits.dim() == 3 else logits


class NothingLeft(Abstention):
    """The first call gives nothing that the next one could go on from."""


class _Decoder:
    """One model with the calls that go on from each other."""

    def __init__(self, specimen: Specimen, call: CacheCall, ids: Tensor) -> None:
        self._specimen, self._call, self._ids = specimen, call, ids
        self._width = specimen.construction.vocabulary
        self._used = specimen.model

    def model(self) -> nn.Module:
        """A fresh copy: a cache of the model's own is empty."""
        return jitter(self._specimen.copy(), SPREAD, self._specimen.seed).eval()

    def full(self, length: int, *, by_chance: bool = False) -> Tensor:
        """Logits [B, T, V] or [B, V] over the first tokens; `by_chance`: with other draws."""
        self._specimen.reseed()
        if by_chance:
            torch.rand(1)  # moves all later draws on
        return self._split(self._call.full(self.model(), self._ids[:, :length]))[0]

    def after(self, model: nn.Module, cuts: list[int], *, whole: bool = False) -> list[Tensor]:
        """Logits [B, V] after each part; `whole`: a call is given the text so far as well."""
        self._specimen.reseed()

        def following(ids: Tensor, left: Any, before: int) -> tuple[Tensor, Any]:
            given = self._ids[:, : before + ids.shape[1]] if whole else ids
            logits, left = self._next(model, given, left, before)
            if whole and logits.shape[1:-1] != ids.shape[1:]:
                raise ValueError("it works on the whole text again, whatever it is given")
            return logits, left

        return decoded(lambda ids: self._first(model, ids), following, self._ids, cuts)

    def differences(self, wanted: list[Tensor], *, whole: bool = False) -> list[float]:
        """How far each token's logits are from those wanted, with a call for each."""
        found = self.after(self.model(), list(range(PREFIX, LENGTH + 1)), whole=whole)
        return [relative_difference(a, b) for a, b in zip(found, wanted, strict=True)]

    def cuts_itself(self, wanted: list[Tensor], least: float) -> bool:
        """Whether calls are meant to get the whole text, and take of it what is new."""
        try:
            return max(self.differences(wanted, whole=True)) <= least
        except FAILURES:
            return False

    def _first(self, model: nn.Module, ids: Tensor) -> tuple[Tensor, Any]:
        empty = deepcopy(self._call.empty)
        logits, left = self._split(self._call.first(model, ids, empty))
        if self._call.past and left is None and empty is None:
            raise NothingLeft(
                f"the first call leaves nothing behind to be given as {self._call.past}"
            )
        return logits, empty if left is None else left

    def _next(self, model: nn.Module, ids: Tensor, left: Any, before: int) -> tuple[Tensor, Any]:
        logits, found = self._split(self._call.next(model, ids, left, before))
        filled = found is None and self._call.empty is not None
        return logits, left if filled else found

    def _split(self, raw: Any) -> tuple[Tensor, Any]:
        path = self._logits(raw)
        if path is None:
            raise ValueError("no logits in what a call with a cache returns")
        tensor = next(tensor for way, tensor in tensors_in(raw) if way == path)
        return tensor, left_behind(raw, path)

    def written(self) -> dict[str, str]:
        """One call that goes on from another, as code; empty where no output tells of it."""
        if self._call.empty is not None:
            return {}
        raw = self._call.first(self.model(), self._ids[:, :PREFIX])
        path = self._logits(raw)
        if path is None:
            return {}
        left = named_left(raw, path) if self._call.past else None
        reading = "" if left is None else left[0]
        return {"call": self._call.written(), "logits": path_code(path), "left": reading}

    def _logits(self, raw: Any) -> Path | None:
        wide = [
            way
            for way, tensor in tensors_in(raw)
            if tensor.dim() in (2, 3) and tensor.shape[-1] == self._width
            if tensor.shape[0] == len(self._ids)
        ]
        named = [way for way in wide if any("logit" in str(step[1]) for step in way)]
        return next(iter([*named, *wide]), None)

    def guilty(self, position: int) -> tuple[str, Place] | None:
        """The user's module that is the first to differ at a position, with its line."""
        root = self._specimen.root
        with outputs_of(self.model_in_use()) as full:
            self._call.full(self._used, self._ids)
        with outputs_of(self.model_in_use()) as steps:
            self._step_to(position, steps.clear)
        name = first_difference(full, steps, position, TELLING)
        found = next(users_modules(self._used, name, root), None) if name else None
        if found is None:
            return None
        name, place = found
        with LineTrace(root) as whole:
            self._call.full(self.model_in_use(), self._ids)
        with LineTrace(root) as step:
            self.model_in_use()
            self._step_to(position, step.steps.clear)
        return name, first_place(whole.steps, step.steps, place, position, TELLING) or place

    def model_in_use(self) -> nn.Module:
        """A fresh model, which further calls go to."""
        self._used = self.model()
        return self._used

    def _step_to(self, position: int, before_each: Callable[[], None]) -> None:
        """One token a call, up to and with the one at a position."""
        cuts = list(range(PREFIX, position + 2))
        _, left = self._first(self._used, self._ids[:, : cuts[0]])
        for start, end in itertools.pairwise(cuts):
            before_each()
            _, left = self._next(self._used, self._ids[:, start:end], left, start)


NO_CACHE = CachedDecoding(
    parameter="",
    length=0,
    prefix=0,
    step_difference=0.0,
    chunk_difference=None,
    noise=0.0,
    position=None,
)


def measure(specimen: Specimen) -> CachedDecoding:
    """The differences, and where they begin."""
    require_logits(specimen)
    require_any_size(specimen)
    ids = ids_of(specimen)
    call = cache_call(specimen.model, specimen.target.entry, ids)
    if call is None:
        return NO_CACHE
    if any(fact.name not in (ids, call.start) for fact in specimen.construction.inputs):
        raise Abstention("nobody knows how its other inputs go on from an earlier call")
    text = specimen.make_inputs(2, LENGTH, specimen.seed)[ids]
    with torch.no_grad():
        try:
            try:
                return _measured(_Decoder(specimen, call, text), call)
            except NothingLeft:
                empty = made_cache(specimen, call, text[:, :PREFIX], LENGTH - PREFIX)
                if empty is None:
                    raise
                call = replace(call, empty=empty)
                return _measured(_Decoder(specimen, call, text), call)
        except Abstention:
            raise
        except FAILURES as error:
            why = f"no call with {call.parameter} was found that works"
            raise Abstention(f"{why}: {told(error, specimen.root)}") from error


def _measured(decoder: _Decoder, call: CacheCall) -> CachedDecoding:
    wanted = [last(decoder.full(end)) for end in range(PREFIX, LENGTH + 1)]
    whole = decoder.full(LENGTH)
    noise = relative_difference(last(decoder.full(LENGTH, by_chance=True)), wanted[-1])
    if whole.dim() == 3 and whole.shape[1] == LENGTH:
        noise = max(noise, relative_difference(whole[:, PREFIX - 1], wanted[0]))
    if noise > STEADY:
        raise Abstention("its logits change with what comes after them, or by themselves")
    differences, least = decoder.differences(wanted), max(TELLING, 10 * noise)
    if max(differences) > least and decoder.cuts_itself(wanted, least):
        raise Abstention("each call takes the whole text, and goes on from its cache as it should")
    bad = [at for at, one in enumerate(differences) if one > least]
    found = CachedDecoding(
        parameter=call.parameter,
        length=LENGTH,
        prefix=PREFIX,
        step_difference=max(differences),
        chunk_difference=_in_chunks(decoder, wanted),
        noise=noise,
        position=PREFIX - 1 + bad[0] if bad else None,
    )
    if bad:
        found = replace(found, **decoder.written())  # type: ignore[arg-type]
    guilty = decoder.guilty(PREFIX - 1 + bad[0]) if bad and bad[0] > 0 else None
    if guilty is None:
        return found
    name, place = guilty
    return replace(found, module=name, path=place.path, symbol=place.symbol, line=place.line)


def _in_chunks(decoder: _Decoder, wanted: list[Tensor]) -> float | None:
    """The largest difference after chunks of several tokens; None: they are refused."""
    cuts = [PREFIX, PREFIX + CHUNK, LENGTH]
    try:
        found = decoder.after(decoder.model(), cuts)
    except FAILURES:
        return None
    ends = [wanted[cut - PREFIX] for cut in cuts]
    return max(relative_difference(a, b) for a, b in zip(found, ends, strict=True))


PROBE = Probe(name="cached-decoding", order=56, measure=measure)

"""What a method does when the logits call for the token that ends a text."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gptdoctor.core.measurements.generation import EndRun
from gptdoctor.probes.instruments.generation import Method
from gptdoctor.probes.instruments.known_draws import KnownDraws, Way
from gptdoctor.probes.instruments.read_lines import comparing_line, first_reading
from gptdoctor.specimen.failures import FAILURES

STEPS = 7
# Far above all others: drawn all but surely, 30 nats away.
SURE = 30.0
_ONE_ROW = (
    Way(rows=1),
    Way(rows=1, head=True),
    Way(rows=1, real=True),
    Way(rows=1, flat=True),
)
_TWO_ROWS = (Way(rows=2), Way(rows=2, head=True), Way(rows=2, real=True))


def end_run(draws: KnownDraws, method: Method) -> EndRun | None:
    """How a method that takes an end token ends; None: it takes none, or cannot be asked."""
    name, size = method.end, draws.vocabulary
    if name is None or not method.asks_how_many or size < 8:
        return None
    if isinstance(method.parameters[name].default, list | tuple | str):
        return None
    end, text, after = size // 2, size // 3, size // 4
    goes_on = _first(draws, method, _ONE_ROW, ((end,), (after,)), end)
    if goes_on is None:
        return None
    drawn = goes_on[0].tolist()
    if drawn and end not in drawn:
        return None  # the first logits were not those of the first new token
    if after in drawn:
        told = _told(method, goes_on=True)
        return _for_a_test(told, draws, method, _ONE_ROW, ((end,), (after,)), (end, text, after))
    # The first row ends at once, the second three steps later.
    script = ((end, text), (after, text), (after, text), (after, end))
    both = _first(draws, method, _TWO_ROWS, script, end)
    if both is None or len(both) != 2:
        return _told(method, goes_on=False)
    second = both[1].tolist()
    # What does not fill it up is its own text, and three tokens of that are due.
    cut = end not in second and second.count(text) < 3
    if cut and not _writes_rows(draws, method, end, text):
        return _told(method, goes_on=False)
    told = _told(method, goes_on=False, rows_cut=cut)
    return _for_a_test(told, draws, method, _TWO_ROWS, script, (end, text, after))


def _writes_rows(draws: KnownDraws, method: Method, end: int, text: int) -> bool:
    """Whether a method goes on with two rows where neither ends: some take the first one alone."""
    both = _first(draws, method, _TWO_ROWS, ((text, text),), end)
    return both is not None and len(both) == 2


def _told(method: Method, *, goes_on: bool, rows_cut: bool = False) -> EndRun:
    name = str(method.end)
    return EndRun(
        parameter=name,
        goes_on=goes_on,
        rows_cut=rows_cut,
        line=comparing_line(method.written, name) or first_reading(method.written, name),
    )


def scripted(size: int, rows: tuple[tuple[int, ...], ...], call: int) -> Tensor:
    """Logits [B, V] that call for one token in each row, by the number of the call from 1."""
    tokens = rows[min(call, len(rows)) - 1]
    logits = torch.zeros(len(tokens), size)
    logits[torch.arange(len(tokens)), torch.tensor(tokens)] = SURE
    return logits


def _for_a_test(
    told: EndRun,
    draws: KnownDraws,
    method: Method,
    ways: tuple[Way, ...],
    rows: tuple[tuple[int, ...], ...],
    used: tuple[int, ...],
) -> EndRun:
    """The same with the call that shows what is wrong, in the first way that can be written."""
    if not (told.goes_on or told.rows_cut):
        return told
    for way in ways:
        written = draws.written(
            method,
            way,
            lambda call: scripted(draws.vocabulary, rows, call),
            {str(method.end): used[0]},
            STEPS,
        )
        if written is not None and written.tokens:
            return replace(told, written=written, used=used)
    return told


def _first(
    draws: KnownDraws,
    method: Method,
    ways: tuple[Way, ...],
    rows: tuple[tuple[int, ...], ...],
    end: int,
) -> Tensor | None:
    """New tokens [B, N] in the first way that works; None: none does."""
    for way in ways:
        try:
            found = draws.sequences(
                method,
                way,
                lambda call: scripted(draws.vocabulary, rows, call),
                {str(method.end): end},
                STEPS,
            )
        except FAILURES:
            continue
        if found is not None:
            return found
    return None

"""What a filter, top-k or top-p, leaves of known logits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.sampling import FilterDraw
from gptdoctor.probes.instruments.fixed_logits import always
from gptdoctor.probes.instruments.generation import Method
from gptdoctor.probes.instruments.known_draws import KnownDraws, Way
from gptdoctor.probes.instruments.loaded_text import line_at
from gptdoctor.probes.instruments.nearby_text import idle_line, next_reading, renaming_line
from gptdoctor.probes.instruments.read_lines import first_reading
from gptdoctor.probes.instruments.traced_choice import TracedChoice
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import crash_of

# Few enough that 64 draws miss one of as many about equal ones once in 10^10 times.
TOP_K, CALLS = 3, 64
# The likeliest have these shares, all others together 0.05.  At 0.6 the second token crosses:
# it belongs to the nucleus by its paper, and some leave it out.  At 0.2 the first one crosses,
# and every convention has to keep something.
SHARES = (0.4, 0.3, 0.15, 0.1)
NUCLEI = {0.6: (2, 1), 0.2: (1,)}
RANKS_TOLD = 12
SMALLEST = 16  # a smaller vocabulary has no tail to speak of
# A sort by a computed number, or one that begins with the least likely.
_ODD_SORT = re.compile(
    r"top_?k\(.*(?:k\s*[-+]\s*1\b|largest\s*=\s*False)|kthvalue|sort\((?!.*descending\s*=\s*True)"
)
# What turns another filter off, in the words of different authors; {} is its open value.
_OFF: tuple[Mapping[str, Any], ...] = ({}, {"value": None}, {"value": 0})


def known_logits(vocabulary: int, shares: tuple[float, ...] = ()) -> Tensor:
    """Logits [V] from 0 to 3 in no order: the likeliest token is 20 times as likely as the last.

    With `shares` the likeliest have these probabilities, and the others what is left.
    """
    values = torch.linspace(0, 3, vocabulary)
    if shares:
        rest = torch.linspace(1, 2, vocabulary - len(shares))
        rest = rest / rest.sum() * (1 - sum(shares))
        values = torch.cat([rest, torch.tensor(shares[::-1])]).log()
    # A filter that forgets to undo its sorting must not be right by chance.
    return values[torch.randperm(vocabulary, generator=torch.Generator().manual_seed(0))]


def ranks_drawn(tokens: Tensor, logits: Tensor) -> Tensor:
    """Ranks [N] of the distinct tokens among [R], in order; 0 is the likeliest by logits [V]."""
    ranks = logits.argsort(descending=True).argsort()
    found: Tensor = torch.unique(ranks[tokens])
    return found


def filter_draws(draws: KnownDraws, method: Method, way: Way) -> Iterator[FilterDraw]:
    """One draw for each filter of a method, two for top-p.

    Bare logits stand in for an output that nobody has seen: a method that unpacks another form
    fails by no fault of its own, and is not told of.
    """
    every = _filter_draws(draws, method, way)
    return (one for one in every if one.crash is None or draws.knows_form)


def _filter_draws(draws: KnownDraws, method: Method, way: Way) -> Iterator[FilterDraw]:
    if draws.vocabulary < SMALLEST:
        return
    if method.top_k is not None:
        logits = known_logits(draws.vocabulary)
        yield _best(draws, method, way, "top-k", method.top_k, TOP_K, logits, (TOP_K,))
    if method.top_p is not None:
        logits = known_logits(draws.vocabulary, SHARES)
        for value, may_keep in NUCLEI.items():
            yield _best(draws, method, way, "top-p", method.top_p, value, logits, may_keep)


def _best(
    draws: KnownDraws,
    method: Method,
    way: Way,
    kind: str,
    parameter: str,
    value: float,
    logits: Tensor,
    may_keep: tuple[int, ...],
) -> FilterDraw:
    """The draw, where needed with the other filter off in another way: it may take precedence."""
    others = [name for name in (method.top_k, method.top_p) if name not in (None, parameter)]
    tried = []
    for off in _OFF if others else _OFF[:1]:
        chosen = {parameter: value, **{str(name): off["value"] for name in others if off}}
        told, as_ranks = _told(draws, method, way, logits, chosen, max(may_keep))
        one = FilterDraw(kind=kind, parameter=parameter, value=value, may_keep=may_keep, **told)
        if one.right:
            return one
        tried.append((one, chosen, as_ranks))
    one, chosen, as_ranks = tried[0]
    place = _deciding(draws, method, way, logits, chosen, as_ranks) or method.place
    asked = replace(way, rows=1) if one.rows < way.rows else way  # as _told went on to ask
    written = draws.written(method, asked, always(logits), chosen)
    return replace(one, path=place.path, symbol=place.symbol, line=place.line, written=written)


def _deciding(
    draws: KnownDraws,
    method: Method,
    way: Way,
    logits: Tensor,
    chosen: Mapping[str, Any],
    as_ranks: bool,
) -> Place | None:
    """The statement that decides what a wrong filter leaves.

    Where ranks are taken for tokens, the one that does so.  Else the one that sorts, where it does
    so by a number that it computes or from the wrong end; else the last that compares with a
    bound, else the last that masks; else one that does nothing; else the first that reads the
    parameter.
    """
    root = draws.specimen.root
    trace = TracedChoice(root, draws.vocabulary)
    with suppress(*FAILURES):
        draws.tokens(method, way, logits, chosen, 1, trace)
    by_kind = {
        one.kind: [each.place for each in trace.steps if each.kind == one.kind]
        for one in trace.steps
    }
    taken = _taking_ranks(trace, root) if as_ranks and by_kind.get("sort") else None
    if taken is not None:
        return taken
    for place in by_kind.get("sort", ()):
        if _ODD_SORT.search(line_at(place, root)):
            return place
    for kind in ("compare", "mask"):
        if by_kind.get(kind):
            return by_kind[kind][-1]
    for place in by_kind.get("sort", ()):
        idle = idle_line(place, root)
        if idle is not None:
            return replace(place, line=idle)
    line = first_reading(method.written, next(iter(chosen)))
    return replace(method.place, line=line) if line is not None else None


def _taking_ranks(trace: TracedChoice, root: str) -> Place | None:
    """The statement that takes ranks for tokens.

    The one that masks what is in the order of the vocabulary, as by then the mask is in the order
    of the ranks; where all that is masked is sorted, the one that gives the sorted numbers the name
    that is drawn from, or that reads the rank that was drawn.
    """
    for step in trace.steps[::-1]:
        if step.kind == "mask" and step.floating and not step.sorted:
            return step.place
    if not trace.choices:
        return None
    place = trace.choices[-1]
    renamed = renaming_line(place, root)
    return replace(place, line=renamed or next_reading(place, root) or place.line)


def _told(
    draws: KnownDraws,
    method: Method,
    way: Way,
    logits: Tensor,
    chosen: Mapping[str, Any],
    most: int,
) -> tuple[dict[str, Any], bool]:
    """What is told of a draw, and whether its tokens are numbers below `most`, as ranks are."""
    try:
        tokens = draws.tokens(method, way, logits, chosen, CALLS)
    except FAILURES as error:
        if way.rows > 1:  # with the filter it may take one row alone
            return _told(draws, method, replace(way, rows=1), logits, chosen, most)
        crash = crash_of(error, draws.specimen.root, "generate")
        return {"rows": 0, "ranks": (), "distinct_tokens": 0, "crash": crash}, False
    if tokens is None:
        return {"rows": 0, "ranks": (), "distinct_tokens": 0}, False
    ranks = ranks_drawn(tokens, logits).tolist()
    told = {
        "rows": len(tokens),
        "ranks": tuple(ranks[:RANKS_TOLD]),
        "distinct_tokens": len(ranks),
    }
    return told, int(tokens.max()) < most

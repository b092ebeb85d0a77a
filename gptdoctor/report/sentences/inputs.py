"""The sentences of the rules about inputs."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, joined
from gptdoctor.report.sentences.sentence import Sentence


def _empty_input(values: Values, status: Status) -> str | None:
    inputs = joined(values.names("inputs"), "or")
    if not inputs:
        return None
    if values.text("error"):
        return f"called with no {inputs}, it raises {values.text('error')}"
    returned = values.text("returned")
    return f"called with no {inputs}, it returns a {returned}" if returned else None


def _missing(values: Values, status: Status) -> str | None:
    name, error = values.text("input"), values.text("error")
    if name is None:
        return None
    if status is Status.CONFIRMED:
        return f"called without {name}, which may be None, it raises {error}"
    refused = f"it is refused ({error})" if error else "it runs"
    return f"called without {name}, {refused}"


def _strange(values: Values, status: Status) -> str | None:
    token, read_as = values.integer("id"), values.integer("read_as")
    if token is None:
        return None
    if status is Status.REFUTED:
        return f"id {token} raises {values.text('error')}"
    size = values.integer("vocabulary")
    return f"with id {token} of {size} the logits are those of token {read_as}, to five digits"


def _overlong(values: Values, status: Status) -> str | None:
    length, longest = values.integer("length"), values.integer("longest")
    declared, error = values.text("declared"), values.text("error")
    if length is None or longest is None or declared is None:
        return None
    asked = f"{count(length, 'token')} where {declared} is {longest}"
    if status is Status.REFUTED:
        return f"{asked} {f'raise {error}' if error else 'are read as they are'}"
    back = values.integer("positions")
    return f"{asked} gave logits of {back} positions, and no error"


def _unguarded(values: Values, status: Status) -> str | None:
    length, longest = values.integer("length"), values.integer("longest")
    declared, error = values.text("declared"), values.text("error")
    if length == 0:
        return f"a text of no tokens raises {error}"
    if length is None or longest is None or declared is None:
        return None
    return f"{count(length, 'token')} where {declared} is {longest} raise {error}"


def _hidden(values: Values, status: Status) -> str | None:
    mask, hidden = values.text("mask"), values.text("hidden")
    positions, lost = values.integer("spoiled_positions"), values.integer("spoiled_parameters")
    if mask is None or hidden is None or positions is None or lost is None:
        return None
    of, padding = values.integer("parameters"), values.integer("padding")
    hides = f"{mask} hides" if padding is None else f"padding (id {padding} of {mask}) is"
    return (
        f"where {hides} {hidden}, NaN is in the logits of {count(positions, 'other token')} "
        f"and in the gradients of {lost} of {of} parameters"
    )


SENTENCES: Mapping[str, Sentence] = {
    "GD701": _empty_input,
    "GD702": _missing,
    "GD703": _strange,
    "GD704": _overlong,
    "GD705": _hidden,
    "GD706": _unguarded,
}

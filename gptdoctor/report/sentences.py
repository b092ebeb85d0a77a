"""The sentences of the rules whose numbers say more in a row of words than as a list.

A rule without a sentence here is told by the keys of its values; so is one whose values lack
what its sentence needs. A sentence begins after "confirmed by gradient-flow: ".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, decimal, joined, percent, some, whole

Sentence = Callable[[Values, Status], str | None]


def _no_grad(values: Values, status: Status) -> str | None:
    gained, changed = values.integer("parameters_gained"), values.integer("parameters_changed")
    place = f"this {values.text('operation') or 'place'}"
    if status is Status.REFUTED:
        return f"no gradient changes with {place} taken away" if gained == 0 else None
    parts = []
    if gained:
        names = some(values.names("parameters_gained_names"))
        listed = f" ({names})" if names else ""
        verb, pronoun = ("gets", "it gets") if gained == 1 else ("get", "they get")
        missing = f"{count(gained, 'parameter')} {verb} no gradient{listed}"
        parts.append(f"{missing}; {pronoun} one with {place} taken away")
    if changed:
        others = "others" if gained else count(changed, "parameter")
        size = values.number("largest_relative_change")
        by = f" by up to {percent(size)}" if size is not None else ""
        parts.append(
            f"the gradients of {whole(changed) + ' ' if gained else ''}{others} change{by}"
        )
    return ", and ".join(parts) or None


def _overwritten(values: Values, status: Status) -> str | None:
    lost, run = values.integer("rows_lost"), values.integer("rows_run")
    if lost is None or run is None:
        return None
    name = values.text("experts_list")
    rows = f"rows that {name or 'experts'} computed"
    if status is Status.REFUTED:
        return f"all {whole(run)} {rows} reach the output" if not lost else None
    return f"{whole(lost)} of {whole(run)} {rows} never reach the output"


def _transposed(values: Values, status: Status) -> str | None:
    influence, cases = values.number("row_influence"), values.integer("cases")
    if status is Status.REFUTED:
        told = "gave logits of the right shape, and no row of a batch changed another"
        return f"all {cases} pairs of batch and length {told}" if cases else None
    parts = []
    case = (values.text("case") or "some sizes").replace(" T=", ", T=")
    if values.text("error"):
        parts.append(f"forward fails at {case} ({values.text('error')})")
    elif values.numbers("logits_shape"):
        shape = ", ".join(str(int(size)) for size in values.numbers("logits_shape"))
        parts.append(f"at {case} the logits have the shape [{shape}]")
    if influence:
        told = "at B = T the rows of a batch change each other's logits by up to"
        parts.append(f"{told} {percent(influence)}")
    return "; ".join(parts) or None


def _empty_input(values: Values, status: Status) -> str | None:
    inputs = joined(values.names("inputs"), "or")
    if not inputs:
        return None
    if values.text("error"):
        return f"called with no {inputs}, it raises {values.text('error')}"
    returned = values.text("returned")
    return f"called with no {inputs}, it returns a {returned}" if returned else None


def _argmax(values: Values, status: Status) -> str | None:
    temperatures = [decimal(one) for one in values.numbers("temperatures")]
    shares, distances = values.numbers("argmax_shares"), values.numbers("total_variations")
    if not temperatures or not distances:
        return None
    at = f"at {'temperature' if len(temperatures) == 1 else 'temperatures'} {joined(temperatures)}"
    if status is Status.REFUTED:
        return (
            f"{at} the tokens follow softmax(logits / temperature), "
            f"within a total variation of {decimal(max(distances))}"
        )
    share = min(shares) if shares else 0.0
    rows = "every row" if share == 1 else f"more than {percent(share)} of the rows"
    away = f"softmax(logits / temperature) is up to {decimal(max(distances))} away"
    return f"{at} {rows} drew the likeliest token; {away} (total variation)"


def _import(values: Values, status: Status) -> str | None:
    error = values.text("error")
    if status is Status.REFUTED:
        if values.flag("imported"):
            return "every import that ran found what it asked for"
        return f"the code goes on without it ({error})" if error else None
    if error is None:
        return None
    if values.flag("needed"):
        return f"{error}; the model cannot be built without it"
    return f"{error}; a stand-in let the model be examined all the same"


def _loss(values: Values, status: Status) -> str | None:
    labels, methods = values.names("label_parameters"), values.names("loss_methods")
    if status is Status.REFUTED:
        ways = [*methods, *(labels if values.flag("loss_returned") else ())]
        loss = values.number("loss_nats")
        size = f" ({decimal(loss)} nats)" if loss is not None else ""
        return f"{joined(ways)} gave a loss that reaches the parameters{size}" if ways else None
    taken = f", although it takes {joined(labels)}" if labels else ""
    return f"no call and no method of the model gave a loss that reaches its parameters{taken}"


def _crash(values: Values, status: Status) -> str | None:
    """The instance alone: the message of the finding tells the error and the shapes."""
    build, fails = values.text("build"), values.text("fails")
    return f"`{build}` fails {fails}" if build and fails else None


SENTENCES: Mapping[str, Sentence] = {
    "GD101": _no_grad,
    "GD201": _overwritten,
    "GD301": _transposed,
    "GD302": _crash,
    "GD401": _argmax,
    "GD501": _import,
    "GD601": _loss,
    "GD701": _empty_input,
}

"""The sentences of the rules about gradients."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, decimal, percent, some, whole
from gptdoctor.report.sentences.sentence import Sentence


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


def _detached(values: Values, status: Status) -> str | None:
    lost, known = values.integer("parameters_lost"), values.integer("parameters")
    if status is Status.REFUTED or lost is None or known is None:
        return None
    names, share = some(values.names("parameters_lost_names")), values.number("share")
    if share is not None and share < 1.0:
        return (
            f"{percent(share)} of {count(lost, 'parameter')} get no gradient ({names}), and the "
            "loss changes when they are moved"
        )
    verb, they = ("gets", "it is") if lost == 1 else ("get", "they are")
    return (
        f"{whole(lost)} of {count(known, 'parameter')} {verb} no gradient ({names}), and the loss "
        f"changes when {they} moved"
    )


def _unregistered(values: Values, status: Status) -> str | None:
    weights, known = values.integer("weights_unregistered"), values.integer("weights")
    if status is Status.REFUTED:
        return "every weight that the loss reaches is a parameter" if known is not None else None
    numbers = values.integer("numbers_unregistered")
    if weights is None or known is None or numbers is None:
        return None
    return (
        f"the loss reaches {count(weights, 'tensor')} in it, {whole(numbers)} numbers, of which "
        f"model.parameters() knows nothing; {whole(known - weights)} others are known"
    )


def _overwritten(values: Values, status: Status) -> str | None:
    number = values.integer("parameters_overwritten")
    if status is Status.REFUTED:
        return "all parameters are the same ones after a forward pass" if number == 0 else None
    if not number:
        return None
    names = some(values.names("parameters_overwritten_names"))
    if values.text("how") == "removed":
        return f"{names} is a parameter before the first forward pass and none after it"
    return f"{names} is another parameter after the first forward pass, and another after the next"


def _in_place(values: Values, status: Status) -> str | None:
    if status is Status.REFUTED:
        return "the backward pass runs"
    error = values.text("error")
    return f"{values.text('stage') or 'backward'} ends with {error}" if error else None


def _unused(values: Values, status: Status) -> str | None:
    numbers, unused = values.integer("numbers_unused"), values.integer("parameters_unused")
    known = values.integer("parameters")
    if numbers is None or unused is None or known is None:
        return None
    return (
        f"in all batches {whole(unused)} of {count(known, 'parameter')}, {whole(numbers)} numbers, "
        f"took no part"
    )


def _untied(values: Values, status: Status) -> str | None:
    first, second = values.text("first"), values.text("second")
    if first is None or second is None:
        return None
    if values.flag("one_memory"):
        return f"{first} and {second} are two parameters at one address in memory"
    alike = ", though of the same values" if values.flag("same_values") else ""
    return f"{first} and {second} are two parameters of the model that was built{alike}"


def _plain(values: Values, status: Status) -> str | None:
    numbers, known = values.integer("numbers_unregistered"), values.integer("weights")
    if numbers is None or known is None:
        return None
    return (
        f"{count(numbers, 'number')} that move the loss are in none of {count(known, 'parameter')}"
    )


def _frozen(values: Values, status: Status) -> str | None:
    frozen, trained = values.integer("numbers_frozen"), values.integer("numbers_trained")
    if frozen is None or trained is None:
        return None
    return (
        f"{whole(frozen)} numbers of the head ask for no gradient, and {whole(trained)} of the "
        f"rest do"
    )


def _partly(values: Values, status: Status) -> str | None:
    changed, known = values.integer("parameters_changed"), values.integer("parameters")
    size, slope = values.number("largest_relative_change"), values.number("loss_slope")
    if slope is not None:
        way = "raises" if slope > 0 else "lowers"
        return (
            f"a number that is larger by 1% here {way} the loss by {decimal(abs(slope) / 100)}, of "
            "which the gradient knows nothing"
        )
    if changed is None or known is None or size is None:
        return None
    return (
        f"without this place the gradients of {whole(changed)} of {count(known, 'parameter')} "
        f"change by up to {percent(size)}"
    )


SENTENCES: Mapping[str, Sentence] = {
    "GD101": _no_grad,
    "GD102": _detached,
    "GD103": _unregistered,
    "GD104": _overwritten,
    "GD105": _in_place,
    "GD106": _unused,
    "GD107": _untied,
    "GD108": _partly,
    "GD109": _plain,
    "GD110": _frozen,
}

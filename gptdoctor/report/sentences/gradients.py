"""The sentences of the rules about gradients."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, percent, some, whole
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
    names = some(values.names("parameters_lost_names"))
    verb, they = ("gets", "it is") if lost == 1 else ("get", "they are")
    return (
        f"{whole(lost)} of {count(known, 'parameter')} {verb} no gradient ({names}), and the loss "
        f"changes when {they} moved"
    )


SENTENCES: Mapping[str, Sentence] = {
    "GD101": _no_grad,
    "GD102": _detached,
}

"""The sentences of the rules about training dynamics and numerics."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, decimal
from gptdoctor.report.sentences.sentence import Sentence


def _non_finite(values: Values, status: Status) -> str | None:
    if status is Status.REFUTED:
        passes = values.integer("passes")
        return f"every number of {count(passes, 'pass', 'passes')} is finite" if passes else None
    left_out = values.text("uninitialised")
    if left_out:
        return f"the loss is NaN where memory that nobody has written to is, through {left_out}"
    what = values.text("what")
    if what is None:
        return None
    steps = values.integer("steps")
    if steps is not None:
        return f"{what} is not finite after {count(steps, 'step')} at most"
    operation, result = values.text("operation"), values.text("result")
    by = f"; the first operation that makes it so is `{operation}` ({result})" if operation else ""
    verb = "are" if what.startswith("the gradients") else "is"
    return f"{values.text('weights') or ''}, {what} {verb} not finite in float32{by}".strip(", ")


def _non_finite_in_bfloat16(values: Values, status: Status) -> str | None:
    if status is Status.REFUTED:
        return "the loss and all gradients are finite under autocast to bfloat16"
    where = values.text("where")
    if where == "constant":
        return "under autocast to bfloat16 torch raises an overflow at this constant"
    verb = "are" if where == "gradients" else "is"
    return f"under autocast to bfloat16 the {where} {verb} not finite" if where else None


def _no_progress(values: Values, status: Status) -> str | None:
    first, best = values.number("first_loss_nats"), values.number("best_loss_nats")
    steps, rates = values.integer("steps"), values.integer("rates")
    if first is None or best is None or steps is None or rates is None:
        return None
    told = f"{decimal(first)} nats before, {decimal(best)} at best in {count(steps, 'step')}"
    if status is Status.REFUTED:
        return f"the loss on one batch falls: {told}"
    share, operation = values.number("gradient_share"), values.text("operation")
    at = f" at {count(rates, 'learning rate')}"
    through = ""
    if share is not None and operation:
        passed = "nothing" if share == 0 else decimal(share)
        through = f"; `{operation}` passes on {passed} of the gradient that it is told"
    return f"the loss on one batch stays: {told}{at}{through}"


SENTENCES: Mapping[str, Sentence] = {
    "GD902": _non_finite,
    "GD903": _no_progress,
    "GD909": _non_finite_in_bfloat16,
}

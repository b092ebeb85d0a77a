"""The sentences of the rules about training dynamics and numerics."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, decimal, some, whole
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
    made = "layer" if values.text("where") == "outputs" else "operation"
    by = f"; the first {made} that makes it so is `{operation}` ({result})" if operation else ""
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


def _initial_loss(values: Values, status: Status) -> str | None:
    expected, uniform = values.number("expected_loss_nats"), values.number("uniform_loss_nats")
    vocabulary = values.integer("vocabulary")
    if expected is None or uniform is None or vocabulary is None:
        return None
    least = f"{decimal(uniform)} would be that of knowing nothing (ln {whole(vocabulary)})"
    following = values.number("next_loss_nats")
    if status is not Status.REFUTED and following is not None and following < uniform < expected:
        seen = f"the next of random ids is named at {decimal(following)} nats"
        return f"{seen}, where {least}" if following < 0.8 * uniform else f"{_loud(values)}{least}"
    return f"{_loud(values)}{least}"


def _loud(values: Values) -> str:
    expected, spread = values.number("expected_loss_nats"), values.number("logits_spread")
    logits = f" (logits with a standard deviation of {decimal(spread)})" if spread else ""
    return f"the fresh model loses {decimal(expected or 0.0)} nats{logits}, where "


def _factor(values: Values, status: Status) -> str | None:
    factor, stack = values.number("gradient_factor"), values.text("stack")
    if factor is None:
        return None
    if status is Status.REFUTED:
        return f"a block multiplies the gradient by {decimal(factor)}"
    first, last = values.number("first_norm"), values.number("last_norm")
    blocks = values.integer("blocks")
    each = f"each block of {stack or 'the stack'} multiplies the gradient by {decimal(factor)}"
    if first is None or last is None or blocks is None:
        return each
    norms = f"its norm is {decimal(last)} at the last of {blocks} and {decimal(first)} at the first"
    return f"{each}; {norms}"


def _symmetric(values: Values, status: Status) -> str | None:
    steps = values.integer("steps")
    if status is Status.REFUTED:
        alike = values.integer("alike_as_built")
        return (
            f"rows that start equal differ after {count(steps, 'step')}"
            if alike and steps
            else None
        )
    names = values.names("parameters")
    if not names or steps is None:
        return None
    what = "moved alike" if values.flag("moved") else "did not move"
    return f"after {count(steps, 'step')} all rows of {some(names)} are equal still: they {what}"


def _residual(values: Values, status: Status) -> str | None:
    identity = values.number("identity")
    if identity is None:
        return None
    told = f"a direction sent back through a block returns with a cosine of {identity:.2f}"
    return told if status is Status.REFUTED else f"{told}: nothing of its input passes"


def _scale(values: Values, status: Status) -> str | None:
    if status is Status.REFUTED:
        return "every product of queries and keys is scaled, or made small enough"
    width = values.integer("head_width")
    if width is None:
        return None
    return f"a score reaches the softmax as it is multiplied, over {width} numbers (slope 1)"


SENTENCES: Mapping[str, Sentence] = {
    "GD901": _initial_loss,
    "GD902": _non_finite,
    "GD903": _no_progress,
    "GD904": _factor,
    "GD905": _factor,
    "GD906": _symmetric,
    "GD907": _residual,
    "GD908": _scale,
    "GD909": _non_finite_in_bfloat16,
}

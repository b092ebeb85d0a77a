"""The sentences of the rules about sampling."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, decimal, joined, percent
from gptdoctor.report.sentences.sentence import Sentence


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


SENTENCES: Mapping[str, Sentence] = {
    "GD401": _argmax,
}

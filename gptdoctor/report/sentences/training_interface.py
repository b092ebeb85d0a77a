"""The sentences of the rules about losses of a model."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, decimal, joined
from gptdoctor.report.sentences.sentence import Sentence


def _loss(values: Values, status: Status) -> str | None:
    labels, methods = values.names("label_parameters"), values.names("loss_methods")
    if status is Status.REFUTED:
        ways = [*methods, *(labels if values.flag("loss_returned") else ())]
        loss = values.number("loss_nats")
        size = f" ({decimal(loss)} nats)" if loss is not None else ""
        return f"{joined(ways)} gave a loss that reaches the parameters{size}" if ways else None
    taken = f", although it takes {joined(labels)}" if labels else ""
    return f"no call and no method of the model gave a loss that reaches its parameters{taken}"


SENTENCES: Mapping[str, Sentence] = {
    "GD601": _loss,
}

"""Statements of tests that the rules about a model's own losses share."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Value

# The functions that these statements measure with, as `Proof.measures` names them.
MEASURES = (
    "probes.instruments.made_logits:LogitsWatch",
    "probes.instruments.made_logits:pulls_of",
    "specimen.outputs:loss_in",
)


def loss_of(values: Mapping[str, Value]) -> str:
    """The expression of a model's loss for `ids` and `labels`; "" where it is not known."""
    call = str(values.get("call") or "")
    if values.get("by_entry"):
        call = f"run(model, ids, {values['name']}=labels)"
    return call and f"loss_in({call}, None)"


def pulls(values: Mapping[str, Value]) -> str:
    """Statements that set `ids`, `labels` and `pulled`, where the loss of `model` pulls logits."""
    value = loss_of(values)
    return value and f"{given(value)}{watched(value)}"


def watched(value: str) -> str:
    """Statements that set `pulled` to where the loss of an expression pulls its logits."""
    return (
        "with LogitsWatch(V) as watch:\n"
        f"    value = {value}\n"
        "pulled = pulls_of(value, watch.made, ids.shape)\n"
    )


def paired(values: Mapping[str, Value]) -> str:
    """A statement that sets `found` to how positions are paired with the tokens they learn."""
    tokens = "labels" if values.get("labels") else "ids"
    return f"found = None if pulled is None else pairing(pulled.tokens, {tokens})\n"


def given(value: str, *, classes: bool = False) -> str:
    """What the expression of a loss takes; its labels are unlike the ids."""
    if "labels" not in value:
        return "model, ids = build(), random_ids()\n"
    if classes:  # other tokens would be refused for them
        return "model, ids = build(), random_ids()\nlabels = labels_of(ids)\n"
    return "model, ids, labels = build(), random_ids(), random_ids(seed=1)\n"

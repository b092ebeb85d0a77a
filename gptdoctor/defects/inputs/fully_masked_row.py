"""GD705: where a mask leaves a query nothing to see, what is no number spreads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import (
    Conviction,
    Severity,
    Status,
    Value,
)
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.odd_inputs import HiddenTokens, OddInputs
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD705"
PROBE = "odd-inputs"


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, OddInputs) or not measurement.masked:
        return
    spoiled = [one for one in measurement.masked if one.spoiled_positions or one.spoiled_parameters]
    if spoiled:  # the worst of the masks: what one spoils, the other mostly does as well
        worst = max(spoiled, key=lambda one: (one.spoiled_positions, one.spoiled_parameters))
        yield _conviction(worst, record, Status.CONFIRMED)
    else:
        yield _conviction(measurement.masked[0], record, Status.REFUTED)


def _conviction(hidden: HiddenTokens, record: ModelRecord, status: Status) -> Conviction:
    target = record.target
    entry = target.entry_place
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=hidden.place or entry,
        message=(
            f"Where {_hider(hidden)} {hidden.hidden}, a query has nothing to see, and "
            f"the NaN that comes of it reaches {_reached(hidden)}"
            if status is Status.CONFIRMED
            else f"where {_hider(hidden)} all that a query could see, nothing else is spoiled"
        ),
        values={
            "mask": hidden.mask,
            "made": hidden.made,
            "padding": hidden.padding,
            "hidden": hidden.hidden,
            "spoiled_positions": hidden.spoiled_positions,
            "spoiled_parameters": hidden.spoiled_parameters,
            "parameters": hidden.parameters,
        },
    )


def _hider(hidden: HiddenTokens) -> str:
    """What hides it, in words."""
    if hidden.padding is None:
        return f"{hidden.mask} hides"
    return f"padding (id {hidden.padding} of {hidden.mask}) is"


def _reached(hidden: HiddenTokens) -> str:
    """What is spoiled, in words."""
    if not hidden.spoiled_positions:
        return "the gradients"
    also = " and the gradients" if hidden.spoiled_parameters else ""
    return f"the logits of tokens that are not hidden{also}"


def _test(values: Mapping[str, Value]) -> str:
    """Hidden tokens, and an objective of all others."""
    which = "0" if values.get("hidden") == "a whole row" else "0, :2"
    return (
        "hidden = torch.zeros(B, T, dtype=torch.bool)\n"
        f"hidden[{which}] = True\n"
        "model = build()\n"
        f"{_found(values)}"
        "positions, gradients = spoiled(found, hidden, dict(model.named_parameters()))\n"
        "assert not positions and not gradients, (\n"
        '    f"NaN in the logits of {positions} other tokens, and in {gradients} gradients"\n'
        ")\n"
    )


def _found(values: Mapping[str, Value]) -> str:
    """Statements that set `found` to the logits with a mask, or with padding in another text."""
    name, padding = values.get("mask"), values.get("padding")
    if not isinstance(padding, int):
        return f"found = logits(model, random_ids(), {name}={values.get('made')})\n"
    return f"""\

def padded(module, args, inputs):
    text = inputs["{name}"]
    text = text.masked_fill(text == {padding}, {padding - 1 if padding else 1})
    return args, {{**inputs, "{name}": text.masked_fill(hidden, {padding})}}

model.register_forward_pre_hook(padded, with_kwargs=True)
found = logits(model, random_ids())
"""


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.q, self.k, self.v = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids, attention_mask=None):
        x = self.wte(input_ids)
        length = x.size(1)
        scores = self.q(x) @ self.k(x).transpose(1, 2) / x.size(-1) ** 0.5
        seen = torch.ones(length, length, dtype=torch.bool).tril()
        if attention_mask is not None:
            seen = seen & (attention_mask[:, None, :] != 0)
        scores = scores.masked_fill(~seen, float("-inf"))
        return self.lm_head(x + scores.softmax(dim=-1) @ self.v(x))

    def compute_loss(self, logits, targets):
        return F.cross_entropy(logits.mT, targets)
"""

DEFECT = Defect(
    code=CODE,
    name="fully-masked-row",
    severity=Severity.MEDIUM,
    summary="A query that a mask leaves nothing to see gives NaN, which spreads to other tokens.",
    explanation=(
        "Scores that are all minus infinity have no softmax. A row padded on the left has such "
        "queries in a causal model, as has a row that is all padding. The NaN goes on into the "
        "next layer's keys, or back into the gradients of all weights, although the loss leaves "
        "those tokens out. Not meant: NaN that stays where the mask hides, and masks that use a "
        "finite number or scores of zero for such queries."
    ),
    harm="One padded row in a batch makes the step NaN, and the model with it.",
    confirmed_by=(
        "The probe odd-inputs hides the first tokens of one row, then a whole row, by the mask "
        "that the call takes or by the id that the model itself takes for padding in an encoder's "
        "text, and takes an objective of all other tokens. A logit or a gradient of it that is no "
        "number confirms; none refutes."
    ),
    sick=SICK,
    healed=SICK.replace('float("-inf")', "-1e9"),
    convicts={PROBE: _convict},
    proof=Proof(measures=("probes.instruments.hidden_tokens:spoiled",), test=_test),
)

"""GD803: what a padding mask hides moves the outputs of real tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.batch_isolation import BatchIsolation
from gptdoctor.core.measurements.causality import Causality
from gptdoctor.core.measurements.information import SEEDS, place_of
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.padding import Padding
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD803"
PROBE = "padding"


def read_padding(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict padding that moves real outputs with all seeds; refute where it moves none."""
    if not isinstance(measurement, Padding):
        return
    side = measurement.leaking_side
    if side is None:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message=f"{_what(measurement)} moves no output of a real token.",
            values={
                "mask": measurement.mask,
                "length": measurement.length,
                "pad_id": measurement.pad_id,
            },
        )
    elif measurement.seeds_leaking == SEEDS and not _has_a_root(record):
        turned = measurement.turned(side)
        yield Conviction(
            rule=CODE,
            status=Status.CONFIRMED,
            probe=PROBE,
            place=place_of(measurement.place, record.target),
            message=_told(measurement, turned=turned),
            values={
                "mask": measurement.mask,
                "side": side.side,
                "padded": side.padded,
                "length": measurement.length,
                "influence": measurement.promised_influence(side),
                "turned": turned,
                "ignored": side.real_is_one is not None and side.real_is_one == side.real_is_zero,
                "pad_id": measurement.pad_id,
                "form": measurement.form,
                "promised": measurement.promised,
            },
        )


def _what(measurement: Padding) -> str:
    if measurement.pad_id is None:
        return f"What {measurement.mask} hides"
    return f"The padding of {measurement.mask} (id {measurement.pad_id})"


def _told(measurement: Padding, *, turned: bool) -> str:
    mask = measurement.mask
    if measurement.pad_id is None:
        shown = f"{mask} hides the real tokens and shows the padding."
        return (
            shown if turned else f"What {mask} marks as padding moves the outputs of real tokens."
        )
    shown = f"The mask over {mask} hides the real tokens and shows the padding."
    return shown if turned else f"{_what(measurement)} moves the outputs of real tokens."


def _test(values: Mapping[str, Value]) -> str:
    """The padded tokens exchanged, under a mask of ones for the real ones."""
    if values.get("pad_id") is not None:
        return _test_with_id(values)
    if values.get("ignored"):
        return _test_of_any_form(values)
    if values.get("form", "tokens") != "tokens" or values.get("promised") == "zero":
        return _test_of_form(values)
    length, padded = values.get("length"), values.get("padded")
    real = f">= {padded}" if values.get("side") == "left" else f"< {length} - {padded}"
    return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # small first weights hide what flows
text = random_ids(batch=1, length={length})[0]
real = torch.arange({length}) {real}
mask = real.long().expand(2, -1)


def of_text(ids):
    return logits(model, ids.expand(2, -1), {values.get("mask")}=mask)[0]


with torch.no_grad():
    moved = padded_influence(of_text, text, other_ids(text), real)
assert moved <= 1e-5, f"what the mask hides moves the logits of real tokens by {{moved:.2g}}"
"""


def _test_of_form(values: Mapping[str, Value]) -> str:
    """The same under a mask of the form that was measured, of numbers that the model takes."""
    length = values.get("length")
    shown = "~" if values.get("promised") == "zero" else ""
    return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # small first weights hide what flows
text = random_ids(batch=1, length={length})[0]
real = torch.ones({length}, dtype=torch.bool)
real[1:3] = False  # the first token is real, for a causal model to see something everywhere
mask = {shown}shaped(real, {values.get("form")!r})


def influence(mask):
    def of_text(ids):
        return logits(model, ids.expand(2, -1), {values.get("mask")}=mask)[0]

    return padded_influence(of_text, text, other_ids(text), real)


moved = []
for kind in (torch.long, torch.bool, torch.float32):
    with torch.no_grad(), contextlib.suppress(IndexError, RuntimeError, TypeError, ValueError):
        moved.append(influence(mask.to(kind)))
assert moved[0] <= 1e-5, f"what the mask hides moves the logits of real tokens by {{moved[0]:.2g}}"
"""


def _test_of_any_form(values: Mapping[str, Value]) -> str:
    """The same under masks of every usual form: a mask that is ignored does not show its own."""
    length = values.get("length")
    return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # small first weights hide what flows
text = random_ids(batch=1, length={length})[0]
real = torch.ones({length}, dtype=torch.bool)
real[1:3] = False  # the first token is real, for a causal model to see something everywhere


def influence(mask):
    def of_text(ids):
        return logits(model, ids.expand(2, -1), {values.get("mask")}=mask)[0]

    return padded_influence(of_text, text, other_ids(text), real)


moved = []
for shape in ((2, -1), (2, 1, -1), (2, 1, 1, -1)):
    for mask in (real.long(), real, ~real):  # ones are real, or True is padding
        with torch.no_grad(), contextlib.suppress(IndexError, RuntimeError, TypeError, ValueError):
            moved.append(influence(mask.expand(shape)))
least = min(each for each in moved if each == each)  # without what is no number
assert least <= 1e-5, f"what the mask hides moves the logits of real tokens by {{least:.2g}}"
"""


def _test_with_id(values: Mapping[str, Value]) -> str:
    """The same text alone, and with padding behind it."""
    length, padded, pad_id = (values.get(name) for name in ("length", "padded", "pad_id"))
    if not (isinstance(length, int) and isinstance(padded, int) and isinstance(pad_id, int)):
        return ""
    return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # small first weights hide what flows
ids = random_ids(batch=2)
text = {pad_id + 1} + torch.arange({length - padded}) % (V - {pad_id + 1})
padding = torch.full(({padded},), {pad_id})

def of_text(tokens):
    def given(module, args, inputs):
        return args, {{**inputs, "{values.get("mask")}": tokens.expand(2, -1)}}

    hook = model.register_forward_pre_hook(given, with_kwargs=True)
    try:
        return logits(model, ids)[0]
    finally:
        hook.remove()

with torch.no_grad():
    moved = appended_influence(of_text, text, padding)
assert moved <= 1e-5, f"padding moves the logits of a text by {{moved:.2g}} of the largest"
"""


def _has_a_root(record: ModelRecord) -> bool:
    """Whether rows mix, or later tokens are seen: then padding is, with any mask."""
    mixed = any(one.seeds_leaking == SEEDS for one in record.told(BatchIsolation))
    return mixed or any(one.leaks or one.misplaced for one in record.told(Causality))


SICK = """\
import torch
from torch import nn
from torch.nn import functional as F


class DeafReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets, attention_mask=None):
        x = self.embedding(ids)
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)
        visible = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        if attention_mask is not None:
            visible & attention_mask.bool()[:, None, :]
        logits = self.head(x + F.scaled_dot_product_attention(q, k, v, attn_mask=visible))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="padding-leak",
    severity=Severity.HIGH,
    summary="Padded tokens move the outputs of real ones although a mask hides them.",
    explanation=(
        "The call takes a mask over the tokens, or makes one of the id that stands for padding, "
        "and the mask is not handed on, not applied, or applied the wrong way round. Masks of "
        "which the documentation says that they are not used are not meant, nor models that take "
        "none. Where the name does not say whether one stands for a token or for padding, both "
        "are tried, and one that works is enough."
    ),
    harm=(
        "A text gives other outputs in a batch with longer ones than alone: training on batches of "
        "unequal lengths learns from padding, and generation from left-padded prompts is wrong."
    ),
    confirmed_by=(
        "The probe padding pads on the left and on the right, gives the mask, and exchanges what "
        "is padded, in evaluation and with moved weights. A change of a real token's output by "
        "more than 1e-5 of the largest with three seeds confirms it. Where the model compares its "
        "text with one id to make a mask, the same text is run alone and with that id behind it. "
        "No change refutes it."
    ),
    sick=SICK,
    healed=SICK.replace("            visible & att", "            visible = visible & att"),
    convicts={PROBE: read_padding},
    proof=Proof(
        measures=(
            "probes.instruments.masked_text:padded_influence",
            "probes.instruments.masked_text:shaped",
            "probes.padding:appended_influence",
            "probes.instruments.weights:jitter",
        ),
        test=_test,
    ),
)

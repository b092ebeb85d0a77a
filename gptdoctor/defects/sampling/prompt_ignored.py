"""GD414: new tokens do not depend on the prompt, or on a part of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.generation import GeneratedMethod, Generation, PromptChange
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof
from gptdoctor.source.followed_test import MEASURES, followed_test

CODE = "GD414"
PROBE = "generation"
# Of eight prompts; where the forward pass moves, a method that reads the prompt moves as well.
MOVED_ROWS = 3


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Generation):
        return
    for method in measurement.methods:
        status = _status(method) if method.changes else None
        if status is not None:
            yield _conviction(method, status)


def _status(method: GeneratedMethod) -> Status | None:
    if _deaf(method) is not None or _forgets(method):
        return Status.CONFIRMED
    heard = all(one.drawn_rows for one in method.changes if one.forward_rows >= MOVED_ROWS)
    followed = all(step.agreeing == step.rows for step in method.steps)
    return Status.REFUTED if heard and followed else None


def _deaf(method: GeneratedMethod) -> PromptChange | None:
    """The first change of the prompt that no new token notices."""
    if not method.steady:
        return None
    return next(
        (one for one in method.changes if one.forward_rows >= MOVED_ROWS and not one.drawn_rows),
        None,
    )


def _forgets(method: GeneratedMethod) -> bool:
    """Whether later tokens follow no more, where the model is given less than the text."""
    return method.shortened and not method.keeps_state and method.departs


def _conviction(method: GeneratedMethod, status: Status) -> Conviction:
    deaf = _deaf(method)
    told, line = "reads its prompt", None
    given = method.given_line or method.call_line
    if deaf is not None:
        wrong_place = deaf.changed == "the last token"
        line = (method.reading_line if wrong_place else None) or method.first_given_line or given
        told = f"draws the same token with {deaf.changed} of the prompt changed"
    elif status is Status.CONFIRMED:
        told, line = "forgets the text after its first new token", given
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=method.at(line),
        message=f"`{method.symbol}` {told}",
        values={
            "prompts": method.rows,
            "changed": "" if deaf is None else deaf.changed,
            "rows_forward_moves": 0 if deaf is None else deaf.forward_rows,
            "clear_rows": tuple(step.rows for step in method.steps),
            "followed_rows": tuple(step.agreeing for step in method.steps),
            **values_of(method.prompted if deaf is not None else method.followed),
        },
    )


_CHANGED = {
    "all tokens": "other_ids(ids)",
    "all tokens but the last": "torch.cat([other_ids(ids)[..., :-1], ids[..., -1:]], dim=-1)",
    "the last token": "torch.cat([ids[..., :-1], other_ids(ids)[..., -1:]], dim=-1)",
}


def _test(values: Mapping[str, Value]) -> str:
    """The same random numbers for a prompt and another one, with weights that hear it."""
    changed, tokens = str(values.get("changed")), values.get("tokens")
    if not changed:
        return followed_test(values, "follow from the text so far")
    if not tokens or changed not in _CHANGED:
        return ""
    *before, last = str(values["given"]).splitlines()
    begun = "".join(f"{line}\n" for line in before)
    given = last.replace("random_ids(", "random_ids(seed, ").partition(" = ")[2]
    return (
        "model = jitter(build(), 0.3, seed=0).eval()  # so that the prompt decides\n"
        f"{begun}\n"
        "def draw(ids):\n"
        "    torch.manual_seed(0)\n"
        "    with torch.no_grad():\n"
        f"        return {tokens}.tolist()\n\n"
        f"prompts = [{given} for seed in range(8)]\n"
        f"others = [{_CHANGED[changed]} for ids in prompts]\n"
        "assert [draw(ids) for ids in prompts] != [draw(ids) for ids in others], (\n"
        f'    "the same tokens with {changed} of the prompt changed"\n'
        ")\n"
    )


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids))[0])

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        for _ in range(max_new_tokens):
            probs = self(ids)[:, 0].softmax(dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

HEALED = SICK.replace("self(ids)[:, 0]", "self(ids)[:, -1]")

DEFECT = Defect(
    code=CODE,
    name="prompt-ignored",
    severity=Severity.HIGH,
    summary=(
        "New tokens stay the same when the prompt changes, where the model itself tells prompts "
        "apart."
    ),
    explanation=(
        "The method hands the model something else than the prompt, reads the logits of a wrong "
        "position, or drops the text so far from one step to the next without a cache. Not meant: "
        "models that look at the last token only, and methods that keep a cache."
    ),
    harm=(
        "The text has nothing to do with what was asked, or forgets it after the first word; the "
        "model is blamed for it."
    ),
    confirmed_by=(
        "The probe generation makes the weights uneven and the choice greedy, changes all tokens "
        "of eight prompts, all but the last, or the last, and compares. Tokens that never change "
        "where the forward pass has other likeliest tokens confirm, and so do later tokens that "
        "no longer follow from the text so far; tokens that change and follow refute."
    ),
    sick=SICK,
    healed=HEALED,
    convicts={PROBE: _convict},
    proof=Proof(measures=MEASURES, test=_test),
)

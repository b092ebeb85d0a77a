"""What a model's own losses make of their labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.labels import Labels
from gptdoctor.probes.instruments.label_pulls import first_unseen, pairing, pulled_to
from gptdoctor.probes.labels import PROBE
from gptdoctor.probes.probe import Abstention
from gptdoctor.specimen.specimen import Specimen
from tests.defects.records import NO_RECORD
from tests.specimen.making import line_of, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768, pad_id=0, eos_id=2):
        super().__init__()
        self.e = nn.Embedding(vocab_size, n_embd)
        self.mix = nn.LSTM(n_embd, n_embd, batch_first=True)
        self.out = nn.Linear(n_embd, vocab_size)
{more}
    def logits(self, idx):
        return self.out(self.mix(self.e(idx))[0])

"""
HF = """\
    def forward(self, input_ids, labels=None):
        z, loss = self.logits(input_ids), None
        if labels is not None:
            {}
        return {{"logits": z, "loss": loss}}
"""
GPT = """\
    def forward(self, idx, targets=None):
        z, loss = self.logits(idx), None
        if targets is not None:
            {}
        return z, loss
"""
STEP = """\
    def forward(self, idx):
        return self.logits(idx)

    def training_step(self, batch):
        {}
"""
SHIFTED = "F.cross_entropy(z[:, :-1].flatten(0, 1), labels[:, 1:].flatten()"
GIVEN = "F.cross_entropy(z.view(-1, z.size(-1)), targets.view(-1)"


def text(form: str, *lines: str, more: str = "") -> str:
    """A model with these lines where its loss is made."""
    indent = "\n        " if form is STEP else "\n            "
    return HEAD.format(more=more) + form.format(indent.join(lines))


MASKED = """\
goal = targets[{goal}]
each = F.cross_entropy(z[{logits}].mT, goal, reduction="none", ignore_index=-100)
counted = (targets[{mask}] != -100).float()
loss = (each * counted).sum() / counted.sum().clamp(min=1)
"""
DEFAULTED = """
    def loss(self, idx, labels=None):
        if labels is None:
            labels = idx.clone()
        logits, goal = self(idx)[{logits}], labels[{goal}]
        return F.cross_entropy(logits.flatten(0, 1), goal.flatten())
"""
# Rule, the text of the line that it names, and the model.
SICK = {
    "labels-unread": (
        "GD602",
        "loss = F",
        text(HF, "loss = F.cross_entropy(z[:, :-1].flatten(0, 1), input_ids[:, 1:].flatten())"),
    ),
    "only-a-penalty": ("GD602", "square", text(GPT, "loss = z.square().mean()")),
    "no-shift": (
        "GD603",
        "loss = F",
        text(HF, "loss = F.cross_entropy(z.flatten(0, 1), labels.flatten())"),
    ),
    "no-shift-beside-much-else": (
        "GD603",
        "loss = F",
        text(
            HF,
            "loss = F.cross_entropy(z.mT, labels, label_smoothing=0.2, ignore_index=-100)",
            "loss = 3 * loss + 0.01 * z.logsumexp(-1).square().sum()",
        ),
    ),
    "shift-of-two": (
        "GD603",
        "goal = ",
        text(
            HF,
            "s = z[..., :-2, :].contiguous()",
            "goal = labels[..., 2:].contiguous()",
            "loss = F.cross_entropy(s.view(-1, s.size(-1)), goal.view(-1))",
        ),
    ),
    "labels-cut-at-the-wrong-end": (
        "GD603",
        "goal = ",
        text(
            HF,
            "s = z[..., :-1, :].contiguous()",
            "goal = labels[..., :-1].contiguous()",
            "loss = F.cross_entropy(s.view(-1, s.size(-1)), goal.view(-1))",
        ),
    ),
    "logits-cut-at-the-wrong-end": (
        "GD603",
        "s = z",
        text(
            HF,
            "s = z[..., 1:, :].contiguous()",
            "goal = labels[..., 1:].contiguous()",
            "loss = F.cross_entropy(s.view(-1, s.size(-1)), goal.view(-1))",
        ),
    ),
    "left-out-by-the-next-label": (
        "GD603",
        "goal = ",
        text(GPT, *MASKED.format(logits=":, :-1", goal=":, :-1", mask=":, 1:").splitlines()),
    ),
    "two-ahead-of-given-targets": (
        "GD603",
        "goal = ",
        text(
            GPT,
            "goal = targets[:, 2:].flatten()",
            "loss = F.cross_entropy(z[:, :-2].flatten(0, 1), goal, ignore_index=-1)",
        ),
    ),
    "behind-given-targets": (
        "GD603",
        "goal = ",
        text(
            GPT,
            "goal = targets[:, :-1].flatten()",
            "loss = F.cross_entropy(z[:, 1:].flatten(0, 1), goal, ignore_index=-1)",
        ),
    ),
    "targets-that-are-shown-to-be-shifted": (
        "GD603",
        "goal = ",
        text(
            GPT,
            "goal = targets[:, 1:].flatten()",
            "loss = F.cross_entropy(z[:, :-1].flatten(0, 1), goal)",
        )
        + "\ndef learn(model, ids):\n    return model(ids[:, :-1], targets=ids[:, 1:])\n",
    ),
    "labels-that-are-shown-to-be-the-inputs": (
        "GD603",
        "loss = F",
        text(HF, "loss = F.cross_entropy(z.mT, labels)").replace("input_ids", "tokens")
        + "\ndef learn(model, x):\n    return model(x, labels=x.clone())\n",
    ),
    "a-step-that-copies": (
        "GD603",
        "y = batch",
        text(
            STEP,
            "z = self(batch[:, :-1])",
            "y = batch[:, :-1]",
            "return F.cross_entropy(z.flatten(0, 1), y.flatten())",
        ),
    ),
    "no-shift-by-chunks": (
        "GD603",
        "loss = sum",
        text(
            HF,
            "h = self.mix(self.e(input_ids))[0]",
            "pairs = zip(h.split(2, dim=1), labels.split(2, dim=1))",
            "loss = sum(F.cross_entropy(self.out(a).mT, b, reduction='sum') for a, b in pairs) / 9",
        ),
    ),
    "no-shift-by-chunks-of-one-row": (
        "GD603",
        "loss = sum",
        text(
            HF,
            "h = self.mix(self.e(input_ids))[0].flatten(0, 1)",
            "pairs = zip(h.split(4), labels.flatten().split(4))",
            "loss = sum(F.cross_entropy(self.out(a), b, reduction='sum') for a, b in pairs) / 9",
        ),
    ),
    "likelihoods-by-hand": (
        "GD603",
        "loss = -logp.gather",
        text(
            HF, "logp = z.log_softmax(-1)", "loss = -logp.gather(-1, labels.unsqueeze(-1)).mean()"
        ),
    ),
    "softmax-inside": (
        "GD604",
        "p = z",
        text(
            GPT, "p = z.softmax(-1)", "loss = F.cross_entropy(p.flatten(0, 1), targets.flatten())"
        ),
    ),
    "probabilities-returned": (
        "GD604",
        "return nn.Softmax",
        text(GPT, f"loss = {GIVEN})").replace(
            "return self.out(self.mix(self.e(idx))[0])",
            "return nn.Softmax(dim=-1)(self.out(self.mix(self.e(idx))[0]))",
        ),
    ),
    "likelihoods-without-logarithm": (
        "GD604",
        "p = torch",
        text(GPT, "p = torch.softmax(z, -1)", "loss = F.nll_loss(p.mT, targets)"),
    ),
    "padding-counted": (
        "GD605",
        "loss = F",
        text(GPT, f"loss = {GIVEN})", more="        self.pad_id = pad_id\n"),
    ),
    "padding-counted-by-a-step": (
        "GD605",
        "return F",
        text(
            STEP,
            "z, y = self(batch[:, :-1]), batch[:, 1:]",
            "return F.cross_entropy(z.flatten(0, 1), y.flatten())",
            more="        self.config = {'pad_token_id': pad_id}\n",
        ),
    ),
    "padding-that-the-table-declares": (
        "GD605",
        "loss = F",
        text(GPT, f"loss = {GIVEN})").replace("(vocab_size, n_embd)", "(vocab_size, n_embd, 3)"),
    ),
    "beside-what-is-as-wide-as-the-vocabulary": (
        "GD603",
        "loss = F",
        text(
            HF,
            "loss = F.cross_entropy(z.mT, labels)",
            more="        self.up = nn.Linear("
            "n_embd, vocab_size)\n        self.down = nn.Linear(vocab_size, n_embd)\n",
        ).replace(
            "self.out(self.mix(self.e(idx))[0])",
            "self.out(self.down(self.up(self.mix(self.e(idx))[0]).relu()))",
        ),
    ),
    "its-own-guesses": (
        "GD602",
        "loss = F",
        text(GPT, "loss = F.cross_entropy(z.mT, z.argmax(dim=-1))"),
    ),
    "a-step-on-its-own-guesses": (
        "GD602",
        "return F",
        text(
            STEP,
            "z = self(batch[:, :-1])",
            "return F.cross_entropy(z.flatten(0, 1), z.flatten(0, 1).argmax(-1))",
        ),
    ),
    "marks-that-become-tokens": (
        "GD605",
        "goal = goal",
        text(
            GPT,
            "goal = targets.flatten()",
            "goal = goal.clamp(min=0)",
            "loss = F.cross_entropy(z.flatten(0, 1), goal)",
        ),
    ),
    "own-marks-that-become-tokens": (
        "GD605",
        "targets.abs()",
        text(GPT, "loss = F.cross_entropy(z.mT, targets.abs(), ignore_index=-7)"),
    ),
    "marks-in-the-mean": (
        "GD605",
        ".mean()",
        text(
            HF,
            "goal = labels[:, 1:]",
            "each = F.cross_entropy(z[:, :-1].mT, goal, ignore_index=-1, reduction='none')",
            "loss = 0.5 + each.mean()",
        ),
    ),
    "padding-in-the-mean": (
        "GD605",
        "loss = total / ",
        text(
            GPT,
            "real = targets != 0",
            "total = (F.cross_entropy(z.mT, targets, reduction='none') * real).sum()",
            "loss = total / targets.numel()",
        ),
    ),
    "detached-beside-a-penalty-that-is-not": (
        "GD606",
        "return_this",
        text(HF, f"loss = {SHIFTED}).detach()  # return_this")
        + "\n    def penalty_loss(self):\n        return self.out.weight.square().mean()\n",
    ),
    "a-number-beside-a-penalty": (
        "GD606",
        ".item()",
        text(HF, f"loss = {SHIFTED}).item()", "loss = loss + self.e(input_ids).square().mean()"),
    ),
    "a-method-that-detaches": (
        "GD606",
        "return (",
        text(STEP, "raise NotImplementedError") + "\n    def compute_loss(self, idx, targets):\n"
        "        return (F.cross_entropy(self(idx).mT, targets)).detach()\n",
    ),
    "a-method-of-that-name-that-detaches": (
        "GD606",
        "return (",
        text(STEP, "raise NotImplementedError") + "\n    def loss(self, idx, labels=None):\n"
        "        return (F.cross_entropy(self(idx).mT, labels)).detach()\n",
    ),
    "no-shift-of-labels-that-its-ids-stand-in-for": (
        "GD603",
        "logits, goal = ",
        text(STEP, "raise NotImplementedError") + DEFAULTED.format(logits=":, :-1", goal=":, :-1"),
    ),
    "detached": ("GD606", "return_this", text(HF, f"loss = {SHIFTED}).detach()  # return_this")),
    "as-a-number": ("GD606", "float(", text(HF, f"loss = {SHIFTED})", "loss = float(loss)")),
    "wrapped-anew": (
        "GD606",
        "torch.tensor",
        text(HF, f"loss = torch.tensor({SHIFTED}).item(), requires_grad=False)"),
    ),
    "from-logits-let-go": (
        "GD606",
        "s = z.data",
        text(GPT, "s = z.data", "loss = F.cross_entropy(s.mT, targets)"),
    ),
    "under-no-grad": (
        "GD606",
        "loss = F",
        text(GPT, "with torch.no_grad():", "    loss = F.cross_entropy(z.mT, targets)"),
    ),
    "rows-behind-one-another": (
        "GD607",
        "goal = ",
        text(
            HF,
            "s = z.view(-1, z.size(-1))[:-1]",
            "goal = labels.view(-1)[1:]",
            "loss = F.cross_entropy(s, goal)",
        ),
    ),
}
MLM = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, n_embd)
        self.mix = nn.LSTM(n_embd, n_embd, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * n_embd, vocab_size)

    def forward(self, input_ids, labels=None):
        z = self.out(self.mix(self.e(input_ids))[0])
        return z, None if labels is None else F.cross_entropy(z.mT, labels)
"""
SEQ2SEQ = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768, start=0):
        super().__init__()
        self.start = start
        self.e = nn.Embedding(vocab_size, n_embd)
        self.read = nn.LSTM(n_embd, n_embd, batch_first=True)
        self.mix = nn.LSTM(n_embd, n_embd, batch_first=True)
        self.out = nn.Linear(n_embd, vocab_size)

    def forward(self, input_ids, labels):
        first = torch.full_like(labels[:, :1], self.start)
        fed = torch.cat([first, labels[:, {}]], dim=1)
        state = self.read(self.e(input_ids))[1]
        z = self.out(self.mix(self.e(fed), state)[0])
        return F.cross_entropy(z.mT, labels), z
"""
LENGTHS = (
    HEAD.replace("{more}", "").replace(
        "nn.Embedding(vocab_size, n_embd)", "nn.Embedding(vocab_size, n_embd, padding_idx=pad_id)"
    )
    + """\
    def forward(self, idx, lengths):
        z, target = self.logits(idx)[:, :-1], idx[:, 1:]
        inside = torch.arange(1, idx.size(1))[None] < lengths[:, None]
        return z, F.cross_entropy(z[inside], target[inside])
"""
)
HEALTHY = {
    "padding-that-lengths-tell": LENGTHS,
    "shifted-inside": text(HF, f"loss = {SHIFTED}, ignore_index=-100)"),
    "shifted-outside": text(GPT, f"loss = {GIVEN}, ignore_index=-1)"),
    "targets-shifted-inside": text(
        GPT, "loss = F.cross_entropy(z[:, :-1].flatten(0, 1), targets[:, 1:].flatten())"
    ),
    "labels-of-an-unknown-caller": text(HF, "loss = F.cross_entropy(z.mT, labels)").replace(
        "input_ids", "idx"
    ),
    "labels-that-the-data-shift": text(HF, "loss = F.cross_entropy(z.mT, labels)")
    + "\ndef collate(rows):\n    return {'input_ids': rows[:, :-1], 'labels': rows[:, 1:]}\n",
    "labels-that-the-docstring-says-are-shifted": text(
        HF, "loss = F.cross_entropy(z.mT, labels)"
    ).replace("labels=None):\n", 'labels=None):\n        """Labels are already shifted."""\n'),
    "label-smoothing": text(HF, f"loss = {SHIFTED}, label_smoothing=0.9)"),
    "z-loss": text(HF, f"loss = {SHIFTED}) + 0.1 * z.logsumexp(-1).square().mean()"),
    "auxiliary-loss": text(HF, f"loss = {SHIFTED}) + 10 * self.e(input_ids).square().mean()"),
    "sum-over-count": text(
        HF,
        "goal = labels[:, 1:]",
        "each = F.cross_entropy(z[:, :-1].mT, goal, reduction='none')",
        "kept = (goal != -100).float()",
        "loss = (each * kept).sum() / kept.sum()",
    ),
    "marks-left-out-by-a-mask": text(
        GPT,
        "real = targets >= 0",
        "each = F.cross_entropy(z.mT, targets.clamp(min=0), reduction='none')",
        "loss = (each * real).sum() / real.sum()",
    ),
    "rows-weigh-the-same": text(
        GPT,
        "each = F.cross_entropy(z.mT, targets, ignore_index=-1, reduction='none')",
        "loss = (each.sum(-1) / (targets != -1).sum(-1)).mean()",
    ),
    "summed-without-marks": text(
        GPT, "loss = F.cross_entropy(z.mT, targets, ignore_index=-1, reduction='sum')"
    ),
    "summed-by-row": text(
        GPT,
        "each = F.cross_entropy(z.mT, targets, ignore_index=-1, reduction='none')",
        "loss = each.sum() / len(targets)",
    ),
    "masks-of-another-kind": text(
        GPT, "loss = F.cross_entropy(z.mT, targets, reduction='none').mean()"
    ),
    "a-token-that-weighs-more": text(
        GPT,
        "weight = 1 + (targets == 2).float()",
        "loss = (weight * F.cross_entropy(z.mT, targets, reduction='none')).mean()",
    ),
    "sharpened": text(GPT, "loss = F.cross_entropy(z.mT, targets)")
    + "\n    def sharpening_loss(self, idx):\n"
    "        z = self.logits(idx)\n        return F.cross_entropy(z.mT, z.argmax(-1))\n",
    "by-chunks": text(
        HF,
        "pairs = zip(z[:, :-1].split(2, dim=1), labels[:, 1:].split(2, dim=1))",
        "loss = sum(F.cross_entropy(a.mT, b, reduction='sum') for a, b in pairs) / labels.numel()",
    ),
    "heads-by-chunks": text(
        HF,
        "h = self.mix(self.e(input_ids))[0][:, :-1]",
        "pairs = zip(h.split(2, dim=1), labels[:, 1:].split(2, dim=1))",
        "loss = sum(F.cross_entropy(self.out(a).mT, b, reduction='sum') for a, b in pairs) / 9",
    ),
    "soft-targets": text(
        HF,
        "soft = F.one_hot(labels[:, 1:], z.size(-1)).float()",
        "loss = -(soft * z[:, :-1].log_softmax(-1)).sum(-1).mean()",
    ),
    "several-tokens-ahead": text(
        HF,
        f"loss = {SHIFTED})",
        "loss = loss + F.cross_entropy(self.next(z)[:, :-2].mT, labels[:, 2:])",
        more="        self.next = nn.Linear(vocab_size, vocab_size)\n",
    ),
    "flat-logits": text(GPT, "z = z.flatten(0, 1)", "loss = F.cross_entropy(z, targets.flatten())"),
    "by-a-step": text(
        STEP,
        "z, y = self(batch[:, :-1]), batch[:, 1:]",
        "return F.cross_entropy(z.flatten(0, 1), y.flatten())",
    ),
    "by-a-step-on-a-dictionary": text(
        STEP,
        "z, y = self(batch['input_ids'])[:, :-1], batch['labels'][:, 1:]",
        "return {'loss': F.cross_entropy(z.flatten(0, 1), y.flatten())}",
    ),
    "head-of-zeros": text(
        HF, f"loss = {SHIFTED})", more="        nn.init.zeros_(self.out.weight)\n"
    ),
    "reads-one-less": text(HF, "loss = F.cross_entropy(z.mT, labels)").replace(
        "self.logits(input_ids)", "self.logits(F.pad(input_ids[:, :-1], (1, 0)))"
    ),
    "sees-the-whole-text": MLM,
    "feeds-its-labels": SEQ2SEQ.format(":-1"),
    "logarithms-first": text(HF, f"z = z.log_softmax(-1)\n            loss = {SHIFTED})"),
    "padding-that-ends-texts": text(
        GPT, f"loss = {GIVEN})", more="        self.pad_id = self.eos_id = eos_id\n"
    ),
    "padding-left-out": text(
        GPT, f"loss = {GIVEN}, ignore_index=self.pad_id)", more="        self.pad_id = pad_id\n"
    ),
    "padding-that-callers-mark": text(
        GPT, f"loss = {GIVEN}, ignore_index=-1)", more="        self.pad_id = pad_id\n"
    ),
    "padding-that-callers-mark-as-usual": text(
        GPT, f"loss = {GIVEN})  # -100: no target", more="        self.pad_id = pad_id\n"
    ),
    "a-number-beside-the-loss": text(HF, f"loss = {SHIFTED})", "self.shown = loss.item()"),
    "a-number-beside-another-loss": text(GPT, "loss = F.cross_entropy(z.mT, targets).item()")
    + "\n    def compute_loss(self, logits, targets):\n"
    "        return F.cross_entropy(logits.mT, targets)\n",
    "a-method-that-evaluates": text(STEP, "raise NotImplementedError")
    + "\n    @torch.no_grad()\n    def compute_loss(self, idx, targets):\n"
    "        return F.cross_entropy(self(idx).mT, targets)\n",
    "says-that-it-does-not-shift": text(HF, "loss = F.cross_entropy(z.mT, labels)").replace(
        "labels=None):\n",
        'labels=None):\n        """The labels are **not shifted** inside the model."""\n',
    ),
    "masked-in-place": text(
        GPT, *MASKED.format(logits=":, :", goal=":, :", mask=":, :").splitlines()
    ),
    "masked-and-shifted": text(
        GPT, *MASKED.format(logits=":, :-1", goal=":, 1:", mask=":, 1:").splitlines()
    ),
    "without-the-last-of-given-targets": text(
        GPT, *MASKED.format(logits=":, :-1", goal=":, :-1", mask=":, :-1").splitlines()
    ),
    "shifts-labels-that-its-ids-stand-in-for": text(STEP, "raise NotImplementedError")
    + DEFAULTED.format(logits=":, :-1", goal=":, 1:"),
    "a-loss-under-no-grad-for-the-eye": text(STEP, "raise NotImplementedError")
    + "\n    @torch.no_grad()\n    def loss(self, idx, labels):\n"
    "        return F.cross_entropy(self(idx).mT, labels)\n",
    "wraps-around": text(
        HF,
        "goal = labels.roll(-1, dims=1).clone()",
        "goal[:, -1] = -100",
        "loss = F.cross_entropy(z.mT, goal)",
    ),
}


def measured(made: Specimen) -> Labels:
    """The measurement of the probe."""
    found = PROBE.measure(made)
    assert isinstance(found, Labels)
    return found


def convictions(found: Labels, status: Status = Status.CONFIRMED) -> list[Conviction]:
    """What the rules read in it."""
    handlers = [one.convicts["labels"] for one in all_defects() if "labels" in one.convicts]
    read = (each for handler in handlers for each in handler(found, NO_RECORD))
    return [each for each in read if each.status is status]


@pytest.mark.parametrize("name", SICK)
def test_a_loss_that_is_made_wrongly_is_convicted_at_its_line(tmp_path: Path, name: str) -> None:
    """By one rule, and no other."""
    rule, line, model = SICK[name]
    made = specimen(tmp_path, model)
    (found,) = convictions(measured(made))
    assert found.rule == rule
    assert found.place is not None
    assert found.place.line == line_of(made, line)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_loss_is_not_convicted(tmp_path: Path, name: str) -> None:
    """However it is made, and where what is right is not known."""
    assert convictions(measured(specimen(tmp_path, HEALTHY[name]))) == []


@pytest.mark.parametrize(
    "name", ["shifted-inside", "shifted-outside", "by-a-step", "label-smoothing"]
)
def test_a_healthy_loss_refutes(tmp_path: Path, name: str) -> None:
    """Silence is no proof: what was measured is told."""
    found = convictions(measured(specimen(tmp_path, HEALTHY[name])), Status.REFUTED)
    assert {"GD603", "GD606", "GD607"} <= {each.rule for each in found}


@pytest.mark.parametrize(
    "head",
    [
        "h @ self.e.weight.t()",
        "F.linear(h, self.e.weight)",
        "torch.matmul(h, self.e.weight.mT.contiguous())",
        "torch.einsum('btd,vd->btv', h, self.e.weight)",
        "30 * torch.tanh(self.out(h) / 30)",
        "self.out(h).float() * self.out.weight.norm().detach()",
        "self.out(h.flatten(0, 1)).view(*h.shape[:2], -1)",
    ],
)
def test_logits_are_found_however_they_are_made(tmp_path: Path, head: str) -> None:
    """By a tied table, with a cap, scaled, or of all rows behind one another."""
    sick, healthy = SICK["no-shift"][2], HEALTHY["shifted-inside"]
    plain = "return self.out(self.mix(self.e(idx))[0])"
    own = f"h = self.mix(self.e(idx))[0]\n        return {head}"
    (found,) = convictions(measured(specimen(tmp_path, sick.replace(plain, own))))
    assert found.rule == "GD603"
    found_healthy = measured(specimen(tmp_path, healthy.replace(plain, own)))
    assert convictions(found_healthy) == []
    assert "GD603" in {one.rule for one in convictions(found_healthy, Status.REFUTED)}


@pytest.mark.parametrize("call", ["model(ids)", "model(ids, labels=labels)"])
@pytest.mark.parametrize("sick", [False, True])
def test_a_call_that_the_user_gave_is_measured(tmp_path: Path, call: str, sick: bool) -> None:
    """With labels or without."""
    model = SICK["no-shift"][2] if sick else HEALTHY["shifted-inside"]
    call = call.replace("ids,", "input_ids=ids,").replace("(ids)", "(input_ids=ids)")
    rules = [one.rule for one in convictions(measured(specimen(tmp_path, model, call=call)))]
    assert rules == (["GD603"] if sick else [])


TIME_FIRST = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, n_embd=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, n_embd)
        self.mix = nn.LSTM(n_embd, n_embd)
        self.out = nn.Linear(n_embd, vocab_size)

    def forward(self, src, labels=None):
        z = self.out(self.mix(self.e(src))[0])  # [T, B, V]
        if labels is None:
            return z, None
        goal = labels{}
        return z, F.cross_entropy(z{}.flatten(0, 1), goal.flatten())


def learn(model, ids):
    return model(ids, labels=ids)
"""


@pytest.mark.parametrize(
    ("goal", "kept", "rules"),
    [("[1:]", "[:-1]", []), ("", "", ["GD603"]), ("[2:]", "[:-2]", ["GD603"])],
)
def test_a_text_that_runs_down_the_columns_is_read_so(
    tmp_path: Path, goal: str, kept: str, rules: list[str]
) -> None:
    """[T, B] in place of [B, T]."""
    found = convictions(measured(specimen(tmp_path, TIME_FIRST.format(goal, kept))))
    assert [one.rule for one in found] == rules


def test_a_decoder_that_is_fed_the_label_it_has_to_tell_is_convicted(tmp_path: Path) -> None:
    """The convention is measured: what the decoder reads decides what it is to tell."""
    before = "torch.cat([first, labels[:, :-1]], dim=1)"
    model = SEQ2SEQ.format(":-1").replace(before, "labels")
    (found,) = convictions(measured(specimen(tmp_path, model)))
    assert (found.rule, found.values["convention"]) == ("GD603", "fed")


def test_a_model_without_a_loss_is_not_measured(tmp_path: Path) -> None:
    """Another rule tells that there is none."""
    with pytest.raises(Abstention):
        PROBE.measure(specimen(tmp_path, text(STEP, "raise NotImplementedError")))


ASKED = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e, self.mix = nn.Embedding(vocab_size, dim), nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, ids, return_loss=False):
        z = self.out(self.mix(self.e(ids[:, :-1] if return_loss else ids))[0])
        return F.cross_entropy(z.mT, ids[:, 1:]){} if return_loss else z
"""


@pytest.mark.parametrize("end", ["", ".detach()", ".item()"])
def test_a_loss_that_a_switch_asks_for_is_to_train_with(tmp_path: Path, end: str) -> None:
    """Whether it takes labels or not."""
    made = specimen(tmp_path, ASKED.format(end))
    found = [(one.rule, one.place and one.place.line) for one in convictions(measured(made))]
    assert found == ([("GD606", line_of(made, "F.cross"))] if end else [])


def test_a_detached_loss_for_the_eye_is_none_to_train_with(tmp_path: Path) -> None:
    """No name of it says that it is more than a report."""
    report = (
        "\n    def estimate_loss(self, idx, targets):\n"
        "        return F.cross_entropy(self(idx).mT, targets).detach()\n"
    )
    with pytest.raises(Abstention):
        PROBE.measure(specimen(tmp_path, text(STEP, "raise NotImplementedError") + report))


def test_the_same_number_for_other_labels_is_no_proof_where_they_are_learned(
    tmp_path: Path,
) -> None:
    """Two losses may be equal in all digits of a float, and still pull to their labels."""
    (reading,) = measured(specimen(tmp_path, HEALTHY["shifted-inside"])).readings
    found = Labels(readings=(replace(reading, moved_by_labels=0.0),))
    assert convictions(found) == []


def test_what_the_user_says_of_looking_ahead_counts(tmp_path: Path) -> None:
    """A model that may look ahead is not trained to tell the next token."""
    found = measured(specimen(tmp_path, SICK["no-shift"][2]))
    told = replace(NO_RECORD, target=replace(NO_RECORD.target, causal=False))
    (rule,) = (one for one in all_defects() if one.code == "GD603")
    assert list(rule.convicts["labels"](found, told)) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("offset", [0, 1, 2])
def test_positions_are_pulled_to_their_labels_and_to_no_others(seed: int, offset: int) -> None:
    """The gradient tells a shift where the losses are as near as two numbers can be."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.zeros(3, 7, 31, requires_grad=True)  # every label has the same loss
    labels = torch.randint(31, (3, 7), generator=generator)
    z, goal = logits[:, : 7 - offset], labels[:, offset:]
    loss = functional.cross_entropy(z.flatten(0, 1), goal.flatten(), label_smoothing=0.5)
    pulled = pulled_to(loss + logits.square().mean(), logits)
    assert pulled is not None
    found = pairing(pulled, labels)
    assert found is not None
    assert (found.offset, found.positions, found.across_rows) == (offset, 3 * (7 - offset), 0)


def test_a_near_match_is_no_match() -> None:
    """One position that is trained on something else leaves no pairing."""
    labels = torch.arange(21).view(3, 7)
    pulled = labels.clone()
    assert pairing(pulled, labels) is not None
    pulled[1, 3] = 30
    assert pairing(pulled, labels) is None


def test_what_a_position_has_not_seen_is_found_by_exchanging_a_token() -> None:
    """1 in a causal model, 0 where it reads one less, none where it looks ahead."""
    before = torch.zeros(2, 7, 5)
    for first, unseen in ((3, 1), (4, 0), (1, None)):
        after = before.clone() + torch.ones(1)  # a scale to compare with
        moved = after.clone()
        moved[0, first:] += 1
        assert first_unseen(after, moved, 3) == unseen

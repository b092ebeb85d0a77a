"""A loss that is made in a step beside forward: what becomes of it, and where."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Conviction, Status
from gptdoctor.probes.probe import Abstention
from gptdoctor.specimen.specimen import Specimen
from tests.defects.records import NO_RECORD
from tests.specimen.making import line_of, specimen

RULES = ("GD606", "GD608")
PROBES = ("labels", "training_interface")
HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=5000, n_embd=256):
        super().__init__()
        self.vocab = vocab_size
        self.e = nn.Embedding(vocab_size, n_embd)
        self.mix = nn.LSTM(n_embd, n_embd, batch_first=True)
        self.out = nn.Linear(n_embd, vocab_size)

    def forward(self, idx):
        return self.out(self.mix(self.e(idx))[0])

"""
CE = "F.cross_entropy(z.flatten(0, 1), y.flatten())"


def steps(*methods: str) -> str:
    """A model with these methods; `|` begins a line of a body."""
    indented = ("    " + each.replace("|", "\n        ") for each in methods)
    return HEAD + "\n\n".join(indented) + "\n"


def shared(loss: str, *more: str) -> str:
    """Lightning's way: training and validation hand on to one step."""
    return steps(
        f"def shared_step(self, batch):|x, y = batch|z = self(x)|loss = {loss}|return loss",
        "def training_step(self, batch, batch_idx):|return self.shared_step(batch)",
        "@torch.no_grad()\n    def validation_step(self, batch, batch_idx):"
        "|return self.shared_step(batch)",
        *more,
    )


def named(loss: str) -> str:
    """A batch by names, and a log of every tenth one."""
    return steps(
        "def training_step(self, batch, batch_idx):"
        "|x, y = batch['input_ids'], batch['labels']|z = self(x)"
        f"|loss = {loss}|if batch_idx % 10 == 0:|    self.seen = batch_idx|return {{'loss': loss}}"
    )


def alone(loss: str) -> str:
    """A batch of ids alone, which the step shifts."""
    return steps(
        "def train_step(self, batch):|x, y = batch[:, :-1], batch[:, 1:]|z = self(x)"
        f"|loss = {loss}|return loss"
    )


def computed(loss: str) -> str:
    """As the trainer of transformers asks for it, but as a method of the model."""
    return steps(
        "def compute_loss(self, input_ids, labels, return_outputs=False):"
        f"|z, y = self(input_ids), labels|loss = {loss}"
        "|return (loss, z) if return_outputs else loss"
    )


def plain(loss: str) -> str:
    """The word alone."""
    return steps(
        f"def loss(self, idx, targets):|z, y = self(idx), targets|loss = {loss}|return loss"
    )


def beside(loss: str) -> str:
    """A function of the file that takes the model."""
    return f"""{HEAD}
def train_step(model, batch, step=0):
    x, y = batch
    z = model(x)
    loss = {loss}
    return loss
"""


def trained(loss: str) -> str:
    """A trainer of transformers' kind."""
    return f"""{HEAD}
class LanguageTrainer:
    def __init__(self, args):
        self.args = args

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        y = inputs.pop("labels")
        z = model(inputs["input_ids"])
        loss = {loss}
        return (loss, {{"logits": z}}) if return_outputs else loss
"""


FORMS = {
    "shared": shared,
    "named": named,
    "alone": alone,
    "computed": computed,
    "plain": plain,
    "beside": beside,
    "trained": trained,
}


def convicted(made: Specimen) -> list[Conviction]:
    """What the rules confirm of what the probes measure."""
    found: list[Conviction] = []
    for name in PROBES:
        try:
            measurement = import_module(f"gptdoctor.probes.{name}").PROBE.measure(made)
        except Abstention:
            continue
        for defect in all_defects():
            handler = defect.convicts.get(name.replace("_", "-"))
            if defect.code in RULES and handler is not None:
                found += handler(measurement, NO_RECORD)
    return [one for one in found if one.status is Status.CONFIRMED]


def only(made: Specimen) -> tuple[str, int | None]:
    """Rule and line of the one conviction."""
    (found,) = convicted(made)
    return found.rule, found.place.line if found.place is not None else None


@pytest.mark.parametrize("form", FORMS)
def test_a_loss_of_a_step_is_heard(tmp_path: Path, form: str) -> None:
    """Whatever the batch is and whoever makes the loss."""
    made = specimen(tmp_path, FORMS[form](CE))
    assert (made.objective == "own loss") is (form not in ("beside", "trained"))
    assert convicted(made) == []


@pytest.mark.parametrize("form", FORMS)
def test_a_detached_loss_of_a_step_trains_nothing(tmp_path: Path, form: str) -> None:
    """Told once, at the line that detaches it."""
    made = specimen(tmp_path, FORMS[form](f"{CE}.detach()"))
    assert only(made) == ("GD606", line_of(made, ".detach()"))


@pytest.mark.parametrize("form", [one for one in FORMS if one != "plain"])
def test_a_loss_of_a_step_that_is_a_number_trains_nothing(tmp_path: Path, form: str) -> None:
    """A method that is only called `loss` may be a report."""
    made = specimen(tmp_path, FORMS[form](f"{CE}.item()"))
    assert only(made) == ("GD606", line_of(made, ".item()"))


@pytest.mark.parametrize("form", [one for one in FORMS if one != "plain"])
def test_a_step_that_makes_no_loss_is_told(tmp_path: Path, form: str) -> None:
    """At the line that leaves it out."""
    made = specimen(tmp_path, FORMS[form]("None"))
    assert only(made) == ("GD608", line_of(made, "loss = None"))


def test_a_training_step_without_gradients_is_no_report(tmp_path: Path) -> None:
    """Unlike a loss that some method computes without them."""
    text = steps(
        "def training_step(self, batch):|x, y = batch|z = self(x)|with torch.no_grad():"
        f"|    loss = {CE}|return loss"
    )
    made = specimen(tmp_path, text)
    assert only(made) == ("GD606", line_of(made, "loss = F"))
    assert convicted(specimen(tmp_path, text.replace("training_step", "lm_loss"))) == []


HEALTHY = {
    "trains by itself and reports": steps(
        "def training_step(self, batch):|x, y = batch|z = self(x)|loss = " + CE,
    )
    + "        loss.backward()\n        return loss.detach()\n",
    "trains by itself and reports a number": steps(
        "def training_step(self, batch):|x, y = batch|z = self(x)|loss = " + CE,
    )
    + "        loss.backward()\n        return loss.item()\n",
    "trains by itself and returns nothing": steps(
        "def training_step(self, batch):|x, y = batch|z = self(x)|loss = " + CE,
    )
    + "        loss.backward()\n",
    "steps by itself": steps(
        "def train_step(self, batch):|x, y = batch|z = self(x)|loss = " + CE,
    )
    + "        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)\n        loss.backward()\n"
    "        optimizer.step()\n        optimizer.zero_grad()\n        return loss.item()\n",
    "hands the logits on": steps(
        "def training_step(self, batch):|x, y = batch|return {'logits': self(x), 'targets': y}"
    ),
    "leaves a bad batch out": steps(
        "def training_step(self, batch):|x, y = batch|z = self(x)|loss = " + CE,
    )
    + "        return None if loss < 100 else loss\n",
    "is not written yet": steps("def training_step(self, batch):|raise NotImplementedError"),
    "does nothing": steps("def training_step(self, batch):|pass"),
    "reports to the eye": steps(
        f"def evaluate_loss(self, batch):|x, y = batch|z = self(x)|return {CE}.item()",
        f"def loss(self, idx, targets):|z, y = self(idx), targets|return {CE}.item()",
    ),
    "a function that trains": HEAD
    + f"""
def train_step(model, batch):
    x, y = batch
    z = model(x)
    loss = {CE}
    loss.backward()
    return loss.item()
""",
    "a report beside the loss": HEAD
    + f"""
def compute_loss(model, batch):
    x, y = batch
    z = model(x)
    return {CE}


def train_loss(model, batch):
    return compute_loss(model, batch).detach()
""",
    "keeps its loss": steps(
        f"def training_step(self, batch):|x, y = batch|z = self(x)|self.last = {CE}"
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_no_loss_to_train_with_is_left_alone(tmp_path: Path, name: str) -> None:
    """Steps that go back by themselves, reports, and methods that promise nothing."""
    assert convicted(specimen(tmp_path, HEALTHY[name])) == []

"""GD601: a loss, and one method that a training loop can call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gptdoctor.core.diagnosis import ModelDiagnosis, SpecimenFacts
from tests.remedies.mending import PREFIX, again, declined, dedented, mended, run

MODULE = "training_interface.no_training_loss"
V = 11

# name: (a whole file but for the common imports, the input that takes ids, lines of the result).
CASES = {
    "forward gives logits": (
        """
        class Model(nn.Module):  # HERE
            def __init__(self):
                super().__init__()
                self.wte = nn.Embedding(11, 6)
                self.head = nn.Linear(6, 11)

            def forward(self, input_ids):
                return self.head(self.wte(input_ids))

            @torch.no_grad()
            def generate(self, input_ids):
                return self(input_ids).argmax(-1)
        """,
        "input_ids",
        ["return F.cross_entropy(", "        logits = self(**inputs)\n"],
    ),
    "a step method and a state": (
        """
        class Model(nn.Module):  # HERE
            def __init__(self):
                super().__init__()
                self.wte = nn.Embedding(11, 6)
                self.head = nn.Linear(6, 11)

            def forward_step(self, input_ids, memory=None, *, scale: float = 1.0):
                x = self.wte(input_ids)
                logits = self.head(x) * scale
                return logits, x[:, -1]
        """,
        "input_ids",
        [
            "    def forward(self, input_ids, memory=None, *, scale: float = 1.0):\n",
            "        return self.forward_step(input_ids, memory, scale=scale)\n",
            "        logits = self(**inputs)[0]\n",
        ],
    ),
    "a dict, and types": (
        """
        from __future__ import annotations

        import torch
        from torch import Tensor, nn


        class Model(nn.Module):  # HERE
            def __init__(self) -> None:
                super().__init__()
                self.wte = nn.Embedding(11, 6)
                self.head = nn.Linear(6, 11)

            def step(self, chunk: Tensor, carry: Tensor | None = None) -> dict[str, Tensor]:
                x = self.wte(chunk)
                out = {"carry": x[:, -1], "logits": self.head(x)}
                return out
        """,
        "chunk",
        [
            "def forward(self, chunk: Tensor, carry: Tensor | None = None) -> dict[str, Tensor]:",
            "    def compute_loss(self, logits: Tensor, labels: Tensor) -> Tensor:\n",
            "    def training_step(self, batch: Tensor | dict[str, Tensor]) -> Tensor:\n",
            "return nn.functional.cross_entropy(",
            'logits = self(**inputs)["logits"]',
        ],
    ),
    "an object, labels for the interface's sake": (
        """
        from typing import NamedTuple


        class Output(NamedTuple):
            hidden: torch.Tensor
            logits: torch.Tensor


        class Model(nn.Module):  # HERE
            def __init__(self):
                super().__init__()
                self.wte = nn.Embedding(11, 6)
                self.head = nn.Linear(6, 11)

            def forward(self, input_ids, attention_mask=None, labels=None):
                x = self.wte(input_ids)
                return Output(hidden=x, logits=self.head(x))
        """,
        "input_ids",
        ["logits = self(**inputs).logits\n"],
    ),
    "a tuple only sometimes": (
        """
        class Model(nn.Module):  # HERE
            def __init__(self):
                super().__init__()
                self.wte = nn.Embedding(11, 6)
                self.head = nn.Linear(6, 11)

            def forward(self, idx, states=False):
                x = self.wte(idx)
                if states:
                    return self.head(x), x
                return self.head(x)
        """,
        "idx",
        ["logits = outputs[0] if isinstance(outputs, tuple) else outputs"],
    ),
    "ids that do not come first": (
        """
        class Model(nn.Module):  # HERE
            def __init__(self):
                super().__init__()
                self.wte = nn.Embedding(11, 6)
                self.head = nn.Linear(6, 11)

            def forward(self, image=None, tokens=None):
                return self._logits(self.wte(tokens))

            def _logits(self, x):
                return self.head(x)
        """,
        "tokens",
        ['inputs = {"tokens": batch} if isinstance(batch, torch.Tensor) else dict(batch)'],
    ),
    "an input that is embedded": (
        """
        class Model(nn.Module):  # HERE
            def __init__(self):
                super().__init__()
                self.wte = nn.Embedding(11, 6)
                self.head = nn.Linear(6, 11)

            def forward(self, mood=None, story=None):
                x = self.wte(story)
                return self.head(x)
        """,
        "story",
        ['labels = inputs["story"]'],
    ),
    "a loss that is there already": (
        """
        class Model(nn.Module):  # HERE
            def __init__(self):
                super().__init__()
                self.wte = nn.Embedding(11, 6)
                self.head = nn.Linear(6, 11)

            def forward(self, ids):
                return self.head(self.wte(ids))

            def compute_loss(self, logits, labels):
                return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        """,
        "ids",
        ["return self.compute_loss(logits, labels)"],
    ),
    "a base that has the forward": (
        """
        class Base(nn.Module):
            def __init__(self):
                super().__init__()
                self.wte = nn.Embedding(11, 6)

            def forward(self, ids):
                return self.head(self.wte(ids))


        class Model(Base):  # HERE
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(6, 11)
        """,
        "ids",
        ["        self.head = nn.Linear(6, 11)\n\n    def compute_loss(self, logits, labels):\n"],
    ),
}


def whole(text: str) -> str:
    """The text of a case with the imports that it does not bring itself."""
    body = dedented(text)
    return body if body.startswith("from __future__") else PREFIX + body


@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_the_shifted_cross_entropy(name: str, tmp_path: Path) -> None:
    """For a tensor of ids, for a dict with the model's own inputs, and with labels left out."""
    text, ids_name, lines = CASES[name]
    new = mended(MODULE, whole(text), tmp_path)
    for line in lines:
        assert line in new, new
    model: Any = run(new)["Model"]()
    ids = torch.randint(V, (3, 7))
    logits = model.head(model.wte(ids))
    wanted = F.cross_entropy(logits[:, :-1].reshape(-1, V), ids[:, 1:].reshape(-1))
    torch.testing.assert_close(model.training_step(ids), wanted)
    batch = {ids_name: ids}
    torch.testing.assert_close(model.training_step(batch), wanted)
    assert batch == {ids_name: ids}  # what the caller gave is left as it was
    model.training_step(ids).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_labels_may_be_given_and_left_out(tmp_path: Path) -> None:
    """Labels of -100 do not count."""
    text, ids_name, _ = CASES["forward gives logits"]
    model: Any = run(mended(MODULE, whole(text), tmp_path))["Model"]()
    ids = torch.randint(V, (3, 7))
    labels = ids.clone()
    labels[:, 4:] = -100
    logits = model.head(model.wte(ids))
    wanted = F.cross_entropy(logits[:, :3].reshape(-1, V), ids[:, 1:4].reshape(-1))
    found = model.training_step({ids_name: ids, "labels": labels})
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", CASES)
def test_a_second_run_changes_nothing(name: str, tmp_path: Path) -> None:
    """A class that has a training_step gets no other."""
    text = whole(CASES[name][0])
    new = mended(MODULE, text, tmp_path)
    assert again(MODULE, text, new, tmp_path) == new


def test_what_the_specimen_showed_outweighs_names(tmp_path: Path) -> None:
    """The entry and the input with integers are those of the call that worked."""
    text = PREFIX + dedented(
        """
        class Model(nn.Module):  # HERE
            def encode_ids(self, ids):
                return ids

            def read(self, text, page):
                return self.head(self.wte(page) + text)
        """
    )
    facts = SpecimenFacts(
        build="Model()",
        call="model.read(text, page)  # text: float32 [3, 7, 6], page: int64 [3, 7]",
        parameters=1,
        entry="read",
    )
    model = ModelDiagnosis(
        name="Model", path="model.py", line=6, verdict=None, reasons=(), specimen=facts
    )
    new = mended(MODULE, text, tmp_path, model=model)
    assert "    def forward(self, text, page):\n" in new
    assert 'labels = inputs["page"]' in new


def test_lightning_gives_the_number_of_the_batch(tmp_path: Path) -> None:
    """Its trainer calls training_step with two arguments."""
    text = "import lightning as L\n" + whole(CASES["forward gives logits"][0]).replace(
        "class Model(nn.Module)", "class Model(L.LightningModule)"
    )
    assert "def training_step(self, batch, batch_idx=None):" in mended(MODULE, text, tmp_path)


DECLINES = {
    "a step that is there": (
        """
        class Model(nn.Module):  # HERE
            def forward(self, ids):
                return self.head(ids)

            def training_step(self, batch):
                return 0
        """,
        "has a training_step already",
    ),
    "a loss that takes something else": (
        """
        class Model(nn.Module):  # HERE
            def forward(self, ids):
                return self.head(ids)

            def compute_loss(self, batch):
                return 0
        """,
        "takes something else",
    ),
    "a dict without logits": (
        """
        class Model(nn.Module):  # HERE
            def forward(self, ids):
                return {"hidden": 1, "state": 2}
        """,
        "not clear where the logits are",
    ),
    "no entry": (
        """
        class Model(nn.Module):  # HERE
            def encode(self, image):
                return image
        """,
        "no method of the class",
    ),
    "inputs of which any might be ids": (
        """
        class Model(nn.Module):  # HERE
            def forward(self, left, right):
                return self.head(left, right)
        """,
        "which input of the entry takes ids",
    ),
    "no class": ("x = 1  # HERE", "no such class"),
    "a class on one line": ("class Model(nn.Module): forward = f  # HERE", "no lines of its own"),
    "different kinds": (
        """
        class Model(nn.Module):  # HERE
            def forward(self, ids, full=False):
                if full:
                    return {"logits": self.head(ids)}
                return self.head(ids)
        """,
        "different kinds",
    ),
}


@pytest.mark.parametrize("name", DECLINES)
def test_it_declines(name: str, tmp_path: Path) -> None:
    """Where it is not clear how the logits are had, nothing is added."""
    body, reason = DECLINES[name]
    assert reason in declined(MODULE, PREFIX + dedented(body), tmp_path)


def test_without_torch_in_sight_it_declines(tmp_path: Path) -> None:
    """A file that imports nothing of torch has no cross-entropy to call."""
    text = (
        "class Model(Base):  # HERE\n    def forward(self, ids):\n        return self.head(ids)\n"
    )
    assert "imports nothing of torch" in declined(MODULE, text, tmp_path)

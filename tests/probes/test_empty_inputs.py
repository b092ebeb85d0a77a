"""Modules that are given nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.empty_inputs import EmptyCall, EmptyInputs
from gptdoctor.probes.empty_inputs import PROBE
from tests.specimen.making import line_of, specimen

HEAD = """
class Front(nn.Module):
    def __init__(self, vocab_size, dim, image_dim):
        super().__init__()
        self.e, self.image = nn.Embedding(vocab_size, dim), nn.Linear(image_dim, dim)

{front}

class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, image_dim=512):
        super().__init__()
        self.front = Front(vocab_size, dim, image_dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        return self.out(self.front({call}))
"""
SUM = """\
    def forward(self, ids=None, image=None):
        parts = [] if ids is None else [self.e(ids)]
        parts += [] if image is None else [self.image(image)]
        return sum(parts) / len(parts)
"""
GUARDED = SUM.replace(
    "        return",
    "        if not parts:\n            raise ValueError('nothing')\n        return",
)


def calls(folder: Path, front: str, call: str = "ids") -> tuple[EmptyCall, ...]:
    """The calls that the probe made of a model with this front."""
    found = PROBE.measure(specimen(folder, HEAD.format(front=front, call=call)))
    assert isinstance(found, EmptyInputs)
    return found.calls


def test_a_division_by_the_number_of_inputs_fails_without_any(tmp_path: Path) -> None:
    """The module, its inputs, and the line that failed."""
    made = specimen(tmp_path, HEAD.format(front=SUM, call="ids"))
    found = PROBE.measure(made)
    assert isinstance(found, EmptyInputs)
    (call,) = found.calls
    assert (call.symbol, call.inputs, call.outcome) == ("Front.forward", ("ids", "image"), "raised")
    assert call.line == line_of(made, "def forward(self, ids=None")
    assert call.crash is not None
    assert (call.crash.kind, call.crash.raised_there) == ("ZeroDivisionError", False)
    assert call.crash.line == line_of(made, "sum(parts)")


def test_a_check_of_the_users_own_is_told_apart(tmp_path: Path) -> None:
    """It raises as well, and means to."""
    (call,) = calls(tmp_path, GUARDED)
    assert call.crash is not None
    assert (call.crash.kind, call.crash.raised_there) == ("ValueError", True)


def test_an_answer_to_nothing_is_told(tmp_path: Path) -> None:
    """With the type that was returned."""
    (call,) = calls(tmp_path, SUM.replace("/ len(parts)", "if parts else self.e.weight[:0]"))
    assert (call.outcome, call.returned, call.crash) == ("returned", "Tensor", None)


def test_a_list_of_inputs_can_be_empty(tmp_path: Path) -> None:
    """A required list is given without anything in it."""
    front = (
        "    def forward(self, parts: list[torch.Tensor]):\n"
        "        return torch.stack([self.e(part) for part in parts]).mean(0)\n"
    )
    (call,) = calls(tmp_path, front, "[ids]")
    assert (call.inputs, call.outcome) == (("parts",), "raised")


@pytest.mark.parametrize(
    "signature",
    [
        "self, ids",
        "self, ids=None",
        "self, ids, image=None",
        "self, ids=None, mask=None, labels=None",
        "self, ids=None, past_key_values=None, use_cache=False",
    ],
)
def test_modules_that_need_an_input_or_have_but_one_are_not_called(
    tmp_path: Path, signature: str
) -> None:
    """Masks, labels and caches are no inputs that could stand alone."""
    front = f"    def forward({signature}):\n        return self.e(ids)\n"
    assert calls(tmp_path, front) == ()


def test_the_entry_itself_is_called_with_nothing(tmp_path: Path) -> None:
    """Also where the model has no part that could be."""
    text = HEAD.format(
        front="    def forward(self, ids):\n        return self.e(ids)\n", call="ids"
    )
    text = text.replace(
        "def forward(self, ids):\n        return self.out(",
        "def forward(self, ids=None, image=None):\n        return self.out(",
    )
    found = PROBE.measure(specimen(tmp_path, text))
    assert isinstance(found, EmptyInputs)
    assert [call.symbol for call in found.calls] == ["Model.forward"]

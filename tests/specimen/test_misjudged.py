"""Arguments of a constructor that are no numbers, though nothing says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specimen.making import build

TAIL = """
        self.e = nn.Embedding(vocab_size, dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        return self.out(self.e(ids))
"""
SEVERAL = {
    "iterated": "self.parts = nn.ModuleList(nn.Linear(dim, size) for size in sizes)",
    "by-index": "self.part = nn.Linear(sizes[0], sizes[1])",
    "counted": "self.part = nn.Linear(dim, len(sizes))",
    "paired": "self.parts = nn.ModuleList(nn.Linear(a, dim) for a, b in zip(sizes, range(9)))",
    "unpacked": "low, high = sizes\n        self.part = nn.Linear(low, high)",
    "spread": "self.part = nn.Linear(*sizes[:2])",
}


@pytest.mark.parametrize("line", SEVERAL.values(), ids=SEVERAL)
def test_a_number_that_is_taken_for_a_list_becomes_one(tmp_path: Path, line: str) -> None:
    """The code says what it wants, and it is no fault of the code's."""
    head = "\nclass Model(nn.Module):\n    def __init__(self, vocab_size, dim, sizes):\n"
    construction, made = build(
        tmp_path, f"{head}        super().__init__()\n        {line}\n{TAIL}"
    )
    assert made is not None
    assert construction.outcome == "built"
    assert "sizes=[" in construction.build


def test_a_number_that_is_taken_for_a_tensor_becomes_one(tmp_path: Path) -> None:
    """Word vectors are given to some."""
    text = """
class Model(nn.Module):
    def __init__(self, vectors):
        super().__init__()
        self.e = nn.Embedding(*vectors.shape)
        self.e.weight.data.copy_(vectors)
        self.out = nn.Linear(vectors.size(1), vectors.size(0))

    def forward(self, ids):
        return self.out(self.e(ids))
"""
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "built"
    assert construction.vocabulary == 97


UNKNOWN = """
class Model(nn.Module):
    def __init__(self, vocab_size, dim, tasks):
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(dim, n) for name, n in tasks.items()})
"""


def test_what_cannot_be_given_is_no_fault_of_the_code(tmp_path: Path) -> None:
    """Nobody knows the keys of such a dictionary."""
    construction, made = build(tmp_path, UNKNOWN + TAIL)
    assert made is None
    assert (construction.outcome, construction.crash) == ("not-built", None)


def test_a_number_by_its_annotation_is_held_against_the_code(tmp_path: Path) -> None:
    """The user says that it is a number, and takes it for a list."""
    text = UNKNOWN.replace("tasks)", "tasks: int)").replace(
        "name: nn.Linear(dim, n) for name, n in tasks.items()",
        "str(n): nn.Linear(dim, n) for n in tasks",
    )
    construction, _ = build(tmp_path, text + TAIL)
    assert construction.outcome == "crashed"


@pytest.mark.parametrize("line", ["for size in args.sizes: pass", "width = args.model.width"])
def test_what_a_configuration_of_ours_lacks_is_no_fault_of_the_code(
    tmp_path: Path, line: str
) -> None:
    """Nobody knows which of its keys are lists, or configurations themselves."""
    text = f"""
class Model(nn.Module):
    def __init__(self, args):
        super().__init__()
        {line}
        self.e = nn.Embedding(args.vocab_size, args.dim)
"""
    construction, _ = build(tmp_path, text)
    assert (construction.outcome, construction.crash) == ("not-built", None)


def test_a_tensor_by_its_annotation_is_given_as_one(tmp_path: Path) -> None:
    """Also where its name says that it is left out: pretrained_weights."""
    text = """
class Model(nn.Module):
    def __init__(self, pretrained: torch.Tensor, dim: int):
        super().__init__()
        self.e = nn.Embedding.from_pretrained(pretrained, freeze=False)
        self.out = nn.Linear(pretrained.size(1), pretrained.size(0))

    def forward(self, ids):
        return self.out(self.e(ids))
"""
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "built"

"""What is kept of an examination is found again for the same case, and for no other."""

from pathlib import Path

import pytest

from benchmarks.mutations.cases import Case
from benchmarks.mutations.kept import keep, kept
from benchmarks.mutations.registry import hosts

DOCUMENT = {"findings": [], "models": [{"verdict": "trainable"}], "errors": []}


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTATIONS_SCRATCH", str(tmp_path))


def case(source: str) -> Case:
    """A case of the first host with this text."""
    return Case(host=next(iter(hosts())), operator=None, source=source)


def test_a_document_is_found_again_by_its_text() -> None:
    """Another text is another case."""
    assert kept(case("a = 1")) is None
    keep(case("a = 1"), DOCUMENT)
    assert kept(case("a = 1")) == DOCUMENT
    assert kept(case("a = 2")) is None


@pytest.mark.parametrize(
    "part", [{"errors": [{"message": "crashed"}]}, {"models": [{"verdict": "unexamined"}]}]
)
def test_what_may_pass_is_asked_for_again(part: dict[str, object]) -> None:
    """An error or a model that was not examined may be the machine's fault."""
    keep(case("a = 1"), {**DOCUMENT, **part})
    assert kept(case("a = 1")) is None

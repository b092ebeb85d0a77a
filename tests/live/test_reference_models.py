"""The whole line on the three models of the review: found, proven, repaired, trainable."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import SICK
from tests.commands import gptdoctor
from tests.live.reference import GROUP, REFERENCE, Copy, copied
from tests.written_tests import assert_sick, run_pytest

pytestmark = pytest.mark.xdist_group(GROUP)
# Rule, file and a piece of the line that the review quotes.
SEVEN = [
    ("GD101", "gpto3_model.py", "@torch.no_grad()"),
    ("GD201", "gpto3_model.py", "z_new[mask] = z_upd"),
    ("GD301", "gpt4o_model.py", "gate_weights.T"),
    ("GD401", "gpt4o_model.py", "torch.argmax("),
    ("GD501", "gpt5_model.py", "from apt_model.modeling.blocks import VeinProjector"),
    ("GD601", "gpt4o_model.py", "class GPT4oModel"),
    ("GD601", "gpto3_model.py", "class GPTo3Model"),
    ("GD701", "gpt4o_model.py", "sum(parts) / len(parts)"),
]
PROVEN = {"gpt5_model": {"GD501"}, "gpto3_model": {"GD101"}}  # with a rule that is to be shown


@pytest.fixture(scope="module")
def sick() -> dict[str, Any]:
    """The examination of the reference models as they are."""
    return copied().found


@pytest.fixture(scope="module")
def healed() -> Copy:
    """The copy of the reference models after `fix --apply`.

    Beside it lie the tests that `prove` wrote before, which failed then; results are kept in
    between, as a user's are.
    """
    copy = copied()
    for name in PROVEN:
        words = ("prove", copy.models / f"{name}.py", "-o", f"test_{name}.py")
        done = gptdoctor(*words, cwd=copy.project, cache=copy.cache)
        assert done.code == 0, done.err
    assert_sick(*written_in(copy.project))
    done = gptdoctor("fix", "--apply", copy.models, cwd=copy.project, cache=copy.cache)
    assert done.code == 0, done.out + done.err
    return copy


def written_in(project: Path) -> list[Path]:
    """The tests that were written beside a copy."""
    return [project / f"test_{name}.py" for name in PROVEN]


@pytest.mark.parametrize(("rule", "file", "text"), SEVEN, ids=lambda value: str(value)[:20])
def test_each_finding_of_the_review_is_confirmed(
    sick: dict[str, Any], rule: str, file: str, text: str
) -> None:
    """Confirmed by a measurement, on the line that the review quotes."""
    lines = (REFERENCE / file).read_text().splitlines()
    found = [one for one in sick["findings"] if one["rule"] == rule and one["path"].endswith(file)]
    assert [one["evidence"]["status"] for one in found] == ["confirmed"]
    assert text in lines[found[0]["line"] - 1]
    assert found[0]["evidence"]["values"]
    assert found[0]["fix"]["applicability"] == "safe"


def test_nothing_else_is_found(sick: dict[str, Any]) -> None:
    """Eight confirmed places, and GPT-5's missing loss behind its import."""
    assert len(sick["findings"]) == len(SEVEN) + 1


def test_what_the_missing_import_hides_stays_suspected(sick: dict[str, Any]) -> None:
    """GPT-5 cannot be run, and the finding names what blocks it."""
    hidden = [
        one
        for one in sick["findings"]
        if one["path"].endswith("gpt5_model.py") and one["rule"] != "GD501"
    ]
    assert [one["evidence"]["status"] for one in hidden] == ["suspected"]
    assert "GD501" in hidden[0]["evidence"]["reason"]


def test_the_verdicts(sick: dict[str, Any]) -> None:
    """GPT-o3 and GPT-5 as the review says; GPT-4o crashes where B and T differ."""
    verdicts = {one["name"]: one["verdict"] for one in sick["models"]}
    assert verdicts == {
        "GPT4oModel": "untrainable",
        "GPT5Model": "untrainable",
        "GPTo3Model": "untrainable",
    }
    assert all(one["reasons"] for one in sick["models"])


def test_checking_writes_nothing() -> None:
    """Not even bytecode is left in the user's tree."""
    project = copied().project
    assert not list(project.rglob("__pycache__"))
    assert not list(project.rglob("*.pyc"))


def test_repaired_models_train(healed: Copy) -> None:
    """Exit 0, trainable, nothing suspected at the gate, the loss below a tenth of its start.

    And nothing is left of what the review has found.
    """
    done = gptdoctor("check", "--output-format", "json", healed.models, cache=healed.cache)
    document = done.document
    assert done.code == 0
    assert [one["verdict"] for one in document["models"]] == ["trainable"] * 3
    left = [one for one in document["findings"] if one["evidence"]["status"] != "refuted"]
    assert not [one for one in left if one["severity"] in ("critical", "high")]
    assert not {one["rule"] for one in left} & {rule for rule, _, _ in SEVEN}
    for model in document["models"]:
        facts = model["facts"]
        assert facts["steps_to_tenth"] is not None
        assert facts["steps_to_tenth"] <= 300
        assert facts["best_loss"] < facts["first_loss"] / 10


def test_repaired_models_pass_the_tests_that_they_failed(healed: Copy) -> None:
    """Written before the repair, for what was to be repaired."""
    tests = written_in(healed.project)
    for rules, test in zip(PROVEN.values(), tests, strict=True):
        assert rules <= set(re.findall(r"GD\d{3}(?= at )", test.read_text()))
    code, told = run_pytest(*tests)
    assert code == 0, told


def test_a_second_fix_changes_nothing(healed: Copy) -> None:
    """Byte for byte, from what the check has found of the repaired files."""
    before = {file.name: file.read_bytes() for file in healed.models.glob("*.py")}
    assert gptdoctor("fix", "--apply", healed.models, cache=healed.cache).code == 0
    assert {file.name: file.read_bytes() for file in healed.models.glob("*.py")} == before


def test_fix_without_apply_writes_nothing(tmp_path: Path) -> None:
    """The diff is shown, the file is as it was: of a small one, for each is run again."""
    copy = tmp_path / "tiny.py"
    copy.write_text(SICK)
    before = copy.read_bytes()
    done = gptdoctor("fix", copy)
    assert "-    @torch.no_grad()" in done.out
    assert "--apply" in done.out
    assert copy.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [copy.name]

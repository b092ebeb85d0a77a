"""`gptdoctor prove`: tests that fail today for the stated reason, and pass when healed."""

from __future__ import annotations

from pathlib import Path

from gptdoctor.catalog import defect_named
from tests.commands import ROOT, gptdoctor
from tests.written_tests import assert_sick, run_pytest


def test_what_fails_for_another_reason_is_not_written(tmp_path: Path) -> None:
    """Without logits a test that needs them cannot show anything."""
    (tmp_path / "net.py").write_text(
        (ROOT / "fixtures/gradients/no_grad_in_forward/sick.py").read_text()
    )
    (tmp_path / "pyproject.toml").write_text("")
    done = gptdoctor("prove", "net.py::LearnedPositions", "-o", "test_it.py", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "no short test shows it" in done.err
    assert not (tmp_path / "test_it.py").exists()


def test_a_foreign_file_is_not_written_over(tmp_path: Path) -> None:
    """Nothing of the user's is ever lost."""
    (tmp_path / "net.py").write_text("import torch\n")
    mine = tmp_path / "test_mine.py"
    mine.write_text("def test_mine():\n    pass\n")
    done = gptdoctor("prove", "net.py", "-o", "test_mine.py", cwd=tmp_path)
    assert done.code == 2
    assert "did not write it" in done.err
    assert mine.read_text().startswith("def test_mine")


def test_without_a_confirmed_finding_nothing_is_written(tmp_path: Path) -> None:
    """A healthy model needs no test of ours."""
    (tmp_path / "net.py").write_text((ROOT / "fixtures/healthy_models/rezero.py").read_text())
    done = gptdoctor("prove", "net.py", "--rule", "GD1", "-o", "test_health.py", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "nothing was written" in done.err
    assert not (tmp_path / "test_health.py").exists()


def test_a_model_that_never_ran_is_built_and_called_by_the_test_itself(tmp_path: Path) -> None:
    """A constructor that another class refuses: nothing is known but how it was tried."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "net.py").write_text(defect_named("GD502").sick)
    done = gptdoctor("prove", "net.py", "-o", "test_it.py", cwd=tmp_path)
    assert done.code == 0, done.err
    assert_sick(tmp_path / "test_it.py")
    (tmp_path / "net.py").write_text(defect_named("GD502").healed)
    code, told = run_pytest(tmp_path / "test_it.py")
    assert code == 0, told

"""The same function, harmless where its result is only compared and harmful where it is used."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.commands import ROOT, expected_in, gptdoctor

CASES = ROOT / "fixtures" / "gradients" / "no_grad_in_forward"


def test_a_result_that_is_only_compared_is_refuted_and_left_alone(tmp_path: Path) -> None:
    """No gradient could flow anyway: the gate passes and `fix` does not touch it."""
    copy, cache = tmp_path / "project" / "only_compared.py", tmp_path / "cache"
    copy.parent.mkdir()
    shutil.copy(CASES / "only_compared.py", copy)
    before = copy.read_bytes()
    words = ("--select", "GD101", copy)
    done = gptdoctor("check", "--output-format", "json", *words, cache=cache)
    assert [one["evidence"]["status"] for one in done.document["findings"]] == ["refuted"]
    assert done.code == 0
    gptdoctor("fix", "--apply", *words, cache=cache)
    assert copy.read_bytes() == before


def test_the_same_function_feeding_the_loss_is_confirmed(tmp_path: Path) -> None:
    """The counterfactual shows gradients that were missing."""
    copy = tmp_path / "feeds_loss.py"
    shutil.copy(CASES / "feeds_loss.py", copy)
    done = gptdoctor("check", "--select", "GD101", "--output-format", "json", copy)
    found = done.document["findings"]
    assert {(one["rule"], one["line"]) for one in found} == {
        one for one in expected_in(copy) if one[0] == "GD101"
    }
    assert [one["evidence"]["status"] for one in found] == ["confirmed"]
    assert done.code == 1

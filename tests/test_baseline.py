"""Findings that are known, and what is new beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gptdoctor.baseline import (
    Baseline,
    Looked,
    baseline_of,
    read_baseline,
    without_known,
    write_baseline,
)
from gptdoctor.config import Options
from gptdoctor.core.diagnosis import Examination, Verdict
from gptdoctor.core.errors import ConfigError, DoctorError
from gptdoctor.core.findings import Status
from gptdoctor.diagnose.gate import gate
from gptdoctor.diagnose.set_aside import settle
from tests.commands import gptdoctor
from tests.diagnose.found import PATH, comment, examination, finding, model

NAME = "known.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the file that all findings are in."""
    (tmp_path / PATH).write_text("")
    return tmp_path


def looked(root: Path, *paths: str, **options: Any) -> Looked:
    """What a run of model.py, or of other files, looks at."""
    return Looked(root=root, paths=frozenset(paths or (PATH,)), options=Options(**options))


def known(root: Path, *findings: Any, **changes: Any) -> Baseline:
    """The baseline of an examination, as it comes back from its file."""
    write_baseline(
        root / NAME, baseline_of(examination(*findings, **changes), Baseline(), looked(root))
    )
    return read_baseline(root / NAME)


def left(root: Path, baseline: Baseline, found: Examination, **options: Any) -> Examination:
    """What an examination shows beside the baseline."""
    return without_known(found, baseline, looked(root, **options), NAME)


def test_what_is_known_is_set_aside_wherever_it_has_moved(root: Path) -> None:
    """It is counted, and no matter of the gate; what is new is both."""
    baseline = known(root, finding(line=9, excerpt="x = 1"))
    found = left(root, baseline, examination(finding(line=20, excerpt="x  =  1"), finding("GD201")))
    assert [one.rule for one in found.findings] == ["GD201"]
    assert [one.rule for one in found.suppressed] == ["GD101"]
    assert found.remarks == ()
    assert (
        gate(left(root, baseline, examination(finding(excerpt="x = 1"))), Options()).exit_code == 0
    )


def test_the_second_of_two_that_are_alike_is_new(root: Path) -> None:
    """Each entry knows one."""
    baseline = known(root, finding(line=9, excerpt="x = 1"))
    found = examination(*(finding(line=line, excerpt="x = 1") for line in (9, 12)))
    assert [one.location.line for one in left(root, baseline, found).findings] == [12]


def test_what_a_run_had_refuted_is_new_once_it_is_confirmed(root: Path) -> None:
    """It was known to be harmless, and is not."""
    baseline = known(root, finding(status=Status.REFUTED))
    assert not left(root, baseline, examination(finding())).findings
    assert left(root, baseline, examination(finding(status=Status.CONFIRMED))).findings


def test_what_is_gone_is_told(root: Path) -> None:
    """So that the file can be made shorter."""
    baseline = known(root, finding(), finding("GD201", line=12))
    (remark,) = left(root, baseline, examination(finding())).remarks
    assert remark == (
        "1 finding of known.json is gone (GD201 in model.py): --write-baseline takes it out."
    )


GONE = {
    "it was looked for": ({}, {}, {}, True),
    "its rule was not asked": ({}, {"select": ("GD2",)}, {}, False),
    "its file was not read": ({}, {}, {"paths": ("other.py",)}, False),
    "only a run shows it, and there was one": ({"seen_by": "line"}, {}, {}, True),
    "only a run shows it, and only a part of it was made": (
        {"seen_by": "line"},
        {"fast": True},
        {},
        False,
    ),
    "only a run shows it, and the model was not": ({"seen_by": "line"}, {}, {"live": False}, False),
}


@pytest.mark.parametrize(("how", "options", "run", "gone"), GONE.values(), ids=GONE)
def test_only_what_was_looked_for_is_gone(
    root: Path, how: dict[str, Any], options: dict[str, Any], run: dict[str, Any], gone: bool
) -> None:
    """And only that is taken out when the file is written anew."""
    baseline = known(root, finding(**how))
    where = looked(root, *run.get("paths", ()), **options)
    found = examination(live=run.get("live", True))
    assert bool(without_known(found, baseline, where, NAME).remarks) is gone
    assert (baseline_of(found, baseline, where).findings == ()) is gone


def test_a_file_that_is_no_more_takes_its_findings_along(root: Path) -> None:
    """Whether or not it was asked for."""
    baseline = known(root, finding())
    (root / PATH).unlink()
    where = looked(root, "other.py")
    assert without_known(examination(), baseline, where, NAME).remarks


def test_what_comments_set_aside_needs_no_entry(root: Path) -> None:
    """It is known in its own way."""
    found = settle(examination(finding(), comments=(comment("GD101"),)), Options(), whole=True)
    assert baseline_of(found, Baseline(), looked(root)).findings == ()


def test_reasons_of_a_model_are_known_whatever_numbers_they_have(root: Path) -> None:
    """An untrainable model fails for a reason that is new, and for no other."""

    def sick(*reasons: str) -> Examination:
        told = model(Verdict.UNTRAINABLE, reasons=reasons, reason_rules=(None,) * len(reasons))
        return examination(models=(told,))

    baseline = known(root, models=sick("backward fails at model.py:12").models)
    moved = left(root, baseline, sick("backward fails at model.py:15"))
    assert gate(moved, Options()).exit_code == 0
    worse = left(root, baseline, sick("backward fails at model.py:15", "step fails"))
    assert gate(worse, Options()).exit_code == 1


def test_the_file_is_sorted_and_says_what_a_reader_wants_to_know(root: Path) -> None:
    """Its order is that of the text, and the same findings give the same bytes."""
    known(root, finding("GD201", line=3), finding(line=9))
    text = (root / NAME).read_text()
    known(root, finding(line=9), finding("GD201", line=3))
    assert (root / NAME).read_text() == text
    assert [one["rule"] for one in json.loads(text)["findings"]] == ["GD101", "GD201"]
    assert set(json.loads(text)["findings"][0]) == {
        "path",
        "rule",
        "symbol",
        "message",
        "fingerprint",
    }
    assert [file.name for file in root.iterdir() if file.name.startswith(".")] == []


def test_a_file_that_cannot_be_written_is_as_it_was(root: Path) -> None:
    """And the error is one sentence."""
    with pytest.raises(DoctorError, match="cannot be written"):
        write_baseline(root / "nowhere" / NAME, Baseline())


BROKEN = {
    "no file": (None, "there is no baseline"),
    "no JSON": ("{", "is not JSON"),
    "a list": ("[]", "is not as gptdoctor writes it"),
    "another version": ('{"version": 9}', "version 9, and this gptdoctor reads 1"),
    "no findings": ('{"version": 1}', "no 'findings'"),
    "an entry without its rule": ('{"version": 1, "findings": [{}], "models": []}', "rule"),
    "an entry of numbers": ('{"version": 1, "findings": [{"path": 3}], "models": []}', "texts"),
    "no entry": ('{"version": 1, "findings": [3], "models": []}', "is not as gptdoctor writes it"),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_in_one_sentence(root: Path, text: str | None, told: str) -> None:
    """With what to do."""
    if text is not None:
        (root / NAME).write_text(text)
    with pytest.raises(ConfigError) as error:
        read_baseline(root / NAME)
    assert told in error.value.message
    assert "\n" not in error.value.message
    assert "--write-baseline" in error.value.hint


SICK = """import torch
from torch import nn


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 8)

    @torch.no_grad()
    def forward(self, x):
        return self.head(x)
"""


def test_a_team_adopts_the_gate_on_old_code(tmp_path: Path) -> None:
    """Written once, named in the settings, and then only what is new fails."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "old.py").write_text(SICK)
    static = ("check", "--static", "--no-cache")
    assert gptdoctor(*static, cwd=tmp_path).code == 1
    written = gptdoctor(*static, "--write-baseline", cwd=tmp_path)
    assert written.code == 0
    assert "wrote 1 finding to" in written.err
    (tmp_path / "pyproject.toml").write_text(
        '[tool.gptdoctor]\nbaseline = "gptdoctor-baseline.json"\n'
    )
    known = gptdoctor(*static, cwd=tmp_path)
    assert known.code == 0
    assert "suppressed by the baseline" in known.out
    (tmp_path / "new.py").write_text(SICK)
    new = gptdoctor(*static, cwd=tmp_path)
    assert new.code == 1
    assert "new.py:10" in new.out
    assert "old.py:10" not in new.out

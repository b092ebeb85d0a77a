"""`gptdoctor rules` and `explain`: which rules, and in which form."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from gptdoctor.catalog import all_defects
from gptdoctor.cli.main import app
from tests.commands import gptdoctor


def listed(*words: str) -> list[str]:
    """The codes that `gptdoctor rules WORDS` lists."""
    done = CliRunner().invoke(app, ["rules", *words])
    assert done.exit_code == 0, done.output
    return [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  GD")]


def test_words_choose_rules_by_code_name_and_family() -> None:
    """In any case and order, each once, and a family with spaces for its underscores."""
    every = [one.code for one in all_defects()]
    assert listed() == every
    assert listed("gd1") == [code for code in every if code.startswith("GD1")]
    assert listed("no-grad-in-forward", "GD101", "GD102") == ["GD101", "GD102"]
    assert listed("routing", "GD1") == [one for one in every if one[:3] in ("GD1", "GD2")]
    assert listed("information-flow") == [one for one in every if one.startswith("GD8")]


def test_static_lists_what_text_can_show() -> None:
    """And nothing that only a run can."""
    assert listed("--static") == [one.code for one in all_defects() if one.in_text]
    assert listed("GD1", "--static")[0] == "GD101"


def test_a_word_that_names_no_rule_is_an_error() -> None:
    """Exit code 2, one sentence, and what could be given."""
    done = gptdoctor("rules", "GD1", "nonsense")
    assert (done.code, done.out) == (2, "")
    assert "'nonsense'" in done.err
    assert "gradients" in done.err


def test_rules_as_json_hold_all_that_is_told() -> None:
    """One list on stdout, in the order of the codes."""
    done = gptdoctor("rules", "GD101", "GD103", "--output-format", "json")
    first, second = json.loads(done.out)
    assert (first["code"], first["name"], first["family"]) == (
        "GD101",
        "no-grad-in-forward",
        "gradients",
    )
    assert first["fix"]["applicability"] == "safe"
    assert first["probes"] == ["gradient-flow"]
    assert second["code"] == "GD103"
    told = ("summary", "explanation", "harm", "confirmed_by", "sick", "healed", "home")
    assert all(first[key] and second[key] for key in told)


def test_json_says_what_is_not_there() -> None:
    """No confidence where no text shows it, no fix where there is none."""
    done = CliRunner().invoke(app, ["rules", "--output-format", "json"])
    by_code = {one["code"]: one for one in json.loads(done.stdout)}
    for defect in all_defects():
        record = by_code[defect.code]
        assert record["confidence"] == (defect.confidence.value if defect.in_text else None)
        assert (record["fix"] is None) == (defect.fix is None)

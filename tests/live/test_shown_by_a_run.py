"""What no text shows: a run of the sick reports it, a run of the healthy does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gptdoctor.catalog import defect_named, module_of
from gptdoctor.core.findings import Severity
from tests.commands import ROOT, examined, expected_in
from tests.examples import BY_RUN, GROUP, examples, path_of

pytestmark = pytest.mark.xdist_group(GROUP)
# What the worst verdict of a sick model may be, by the severity of its finding.
FEARED = {
    Severity.CRITICAL: {"degraded", "untrainable"},
    Severity.HIGH: {"degraded", "untrainable"},
    Severity.MEDIUM: {"trainable"},
    Severity.LOW: {"trainable"},
}
WHERE_SICK = {"GD302": {"untrainable"}}
FOLDERS = {
    defect.code: ROOT / "fixtures" / module_of(defect).replace(".", "/") for defect in BY_RUN
}
CASES = [file for folder in FOLDERS.values() for file in sorted(folder.glob("*.py"))]


@pytest.fixture(scope="module")
def fixtures_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """The examination of the fixtures of a rule: one for each family, when it is asked for."""

    @cache
    def of_family(family: str) -> dict[str, Any]:
        folder = empty_project(tmp_path_factory)
        for code in [code for code in FOLDERS if code.startswith(family)]:
            for file in FOLDERS[code].glob("*.py"):
                (folder / f"fixture_{file.stem}_{code}.py").write_text(file.read_text())
        return examined(folder)

    return lambda code: of_family(code[:3])


@pytest.fixture(scope="module")
def sick_sizes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The examination of the models that crash at sane sizes."""
    folder = empty_project(tmp_path_factory)
    (folder / "sick.py").write_text((FOLDERS["GD302"] / "sick.py").read_text())
    return examined(folder)


def empty_project(factory: pytest.TempPathFactory) -> Path:
    """An empty project."""
    folder = factory.mktemp("examined")
    (folder / "pyproject.toml").write_text("")
    return folder


def found_in(document: dict[str, Any], path: str) -> list[tuple[str, int]]:
    """Rule and line of each confirmed or suspected finding in a file that matters to training."""
    return sorted(
        (one["rule"], one["line"])
        for one in document["findings"]
        if one["path"] == path and one["evidence"]["status"] != "refuted"
        if one["rule"] not in ("GD601", "GD701")
    )


@pytest.mark.parametrize("code", FOLDERS)
def test_the_examples_of_a_rule_are_true(code: str) -> None:
    """The sick example shows the rule when it is run, the healed one shows no rule at all."""
    _, document = examples()
    assert code in [rule for rule, _ in found_in(document, path_of(code))]
    assert found_in(document, path_of(code, healed=True)) == []


@pytest.mark.slow
@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_fixture_shows_what_it_says(
    fixtures_of: Callable[[str], dict[str, Any]], file: Path
) -> None:
    """Sick lines are confirmed, each once, and no other line is; healthy files have none."""
    code = next(code for code, folder in FOLDERS.items() if folder == file.parent)
    document = fixtures_of(code)
    path = f"fixture_{file.stem}_{code}.py"
    assert found_in(document, path) == sorted(expected_in(file))
    verdicts = {one["name"]: one["verdict"] for one in document["models"] if one["path"] == path}
    assert verdicts
    if file.stem != "sick":
        assert verdicts == dict.fromkeys(verdicts, "trainable")
    else:
        severity = defect_named(code).severity
        assert set(verdicts.values()) <= WHERE_SICK.get(code, FEARED[severity])


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            "RotaryOfTheWholeWidth",
            r"with 4 heads, and works with 1.*= \[B, heads, T, width/heads\]",
        ),
        ("PaddingOverTheScores", r"at B=3, T=5, and works at B=5, T=5.*scores .*= \[B, T, T\]"),
        ("KeysNotRepeated", r"with 2 key-value heads, and works with 4"),
        ("WideningLayers", r"with 2 layers, and works with 1"),
        ("HalfAHead", r"at all sizes that were tried.*cannot be multiplied.*= \[B, T, width\]"),
        ("OneRowLost", r"at B=1, T=7, and works at B=3, T=7"),
    ],
)
def test_the_message_names_the_size_and_the_shapes(
    sick_sizes: dict[str, Any], model: str, told: str
) -> None:
    """What fails, what works, and which dimension is which."""
    messages = [
        one["message"]
        for one in sick_sizes["findings"]
        if one["rule"] == "GD302" and any(each["name"] == model for each in one["models"])
    ]
    assert len(messages) == 1
    assert re.search(told, messages[0]), messages[0]

"""Each rule's own page tells the truth: its sick example is seen, its healed one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.catalog import all_defects, module_of
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.defect import Defect
from gptdoctor.scan import ModelNames, scan
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import discover


def rules_in(text: str, folder: Path) -> list[str]:
    """The rules that a scan of `text` reports."""
    (folder / "example.py").write_text(text)
    project = Project(root=folder, search_paths=(folder / "installed",))
    module = project.read(folder / "example.py")
    assert isinstance(module, SourceModule)
    models: list[ModelTarget] = discover(project, [module])
    names = ModelNames(by_path={module.path: tuple(model.name for model in models)})
    return [suspicion.rule for suspicion in scan(project, [module], names)]


@pytest.mark.parametrize("defect", all_defects(), ids=lambda defect: defect.name)
def test_the_examples_of_a_rule_are_true(defect: Defect, tmp_path: Path) -> None:
    """The sick example shows the rule, the healed one shows no rule at all.

    What no text shows is proven by running the examples: tests/live/test_shown_by_a_run.py.
    """
    assert (defect.code in rules_in(defect.sick, tmp_path)) is defect.in_text
    assert rules_in(defect.healed, tmp_path) == []


@pytest.mark.parametrize("defect", all_defects(), ids=lambda defect: defect.name)
def test_a_rule_is_whole(defect: Defect) -> None:
    """Every field that a user reads is filled in, and the file is where its name says."""
    texts = (defect.summary, defect.explanation, defect.harm, defect.confirmed_by)
    assert all(len(text) > 20 for text in texts)
    assert module_of(defect)
    assert defect.suspects or defect.convicts or defect.of_comments
    assert defect.fix is None or defect.fix.safety

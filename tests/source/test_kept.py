"""What is kept about trees is let go with them: else a scan of a large tree fills the memory."""

from __future__ import annotations

import gc
from pathlib import Path
from weakref import ref

from gptdoctor.scan_file import scan_file
from gptdoctor.source.kept import forget_answers, kept
from gptdoctor.source.project import Project

FIXTURES = Path(__file__).parents[2] / "fixtures"


def test_no_rule_keeps_a_tree_that_the_project_forgets() -> None:
    """Every sick fixture is scanned, so that every rule has had something to keep."""
    project = Project(root=FIXTURES)
    for file in sorted(FIXTURES.glob("*/*/sick.py")):
        scan_file(project, file, named=False)
    read = {module.path: ref(module) for module in project.trees.modules()}
    assert len(read) > 50

    project.forget(project.trees.files)
    gc.collect()

    assert [path for path, module in read.items() if module() is not None] == []


def test_a_file_that_is_read_again_is_told_as_missed(tmp_path: Path) -> None:
    """By that a scan knows which files to keep."""
    often, once = tmp_path / "often.py", tmp_path / "once.py"
    project = Project(root=tmp_path)
    for file in (often, once):
        file.write_text("import torch\n")
        project.read(file)

    project.forget({often, once})
    project.read(often)

    assert project.trees.missed == {often}


def test_an_answer_is_kept_until_answers_are_forgotten() -> None:
    """And is asked for anew after that."""
    asked: list[str] = []

    @kept(4)
    def shout(word: str) -> str:
        asked.append(word)
        return word.upper()

    assert [shout("a"), shout("a")] == ["A", "A"]
    forget_answers()
    assert shout("a") == "A"
    assert asked == ["a", "a"]

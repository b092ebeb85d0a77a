"""The state of a project: what makes it another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.cache import tree
from gptdoctor.cache.tree import tree_state
from tests.worker.conftest import write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a package and an environment."""
    files = {"m.py": "x = 1", "pkg/a.py": "", "venv/pyvenv.cfg": "", "venv/lib/b.py": ""}
    write(tmp_path, files | {"pyproject.toml": "", "weights.bin": ""})
    return tmp_path


CHANGES = {
    "another text": {"m.py": "x = 2"},
    "the same text again": {"m.py": "x = 1"},  # time tells, and a new look is cheap
    "a new module": {"pkg/c.py": ""},
    "a new folder": {"more/note.md": ""},
    "another declaration": {"requirements.txt": "einops"},
}


@pytest.mark.parametrize("files", CHANGES.values(), ids=CHANGES)
def test_what_the_text_side_may_read_is_part_of_it(root: Path, files: dict[str, str]) -> None:
    """Sources, declarations, and which folders there are."""
    before = tree_state((root,))
    assert before is not None
    assert before == tree_state((root,))
    write(root, files)
    assert tree_state((root,)) != before


@pytest.mark.parametrize("name", ["weights.bin", "venv/lib/b.py", ".git/x.py", "__pycache__/m.py"])
def test_what_it_does_not_read_is_not(root: Path, name: str) -> None:
    """Data, environments and hidden folders."""
    write(root, {name: "x"})
    before = tree_state((root,))
    write(root, {name: "another"})
    assert tree_state((root,)) == before


def test_a_link_to_a_folder_is_followed_once(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Imports follow links; a link that leads back up ends nowhere."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(elsewhere, {"part.py": "x = 1"})
    (root / "linked").symlink_to(elsewhere)
    (root / "pkg" / "up").symlink_to(root)
    before = tree_state((root,))
    write(elsewhere, {"part.py": "x = 2"})
    assert tree_state((root,)) != before


def test_too_much_has_no_state(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home folder is not walked to its end, nor are installed packages."""
    monkeypatch.setattr(tree, "MOST_ENTRIES", 3)
    assert tree_state((root,)) is None
    monkeypatch.undo()
    assert tree_state((root, Path("/some/site-packages"))) is None

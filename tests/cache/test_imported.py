"""What the imports of a file may bring, by its text."""

from __future__ import annotations

from pathlib import Path

from gptdoctor.cache.imported import Imported, imported
from tests.source.projects import project_of

PACKAGE = {
    "pkg/__init__.py": "",
    "pkg/models/__init__.py": "",
    "pkg/models/gpt.py": "from . import blocks\nfrom ..config import Config",
    "pkg/models/blocks.py": "import pkg.far",
    "pkg/config.py": "",
    "pkg/far.py": "",
}


def of(root: Path, texts: dict[str, str], file: str) -> Imported:
    """What one file of a project imports."""
    return imported(project_of(root, texts), [root / file], [])


def paths(root: Path, found: Imported) -> set[str]:
    """The files, relative to the root."""
    return {path.relative_to(root).as_posix() for path in found.files}


def test_relative_imports_and_packages_are_found(tmp_path: Path) -> None:
    """The file, its packages and what it names; not what those name in turn: a run tells that."""
    found = of(tmp_path, PACKAGE, "pkg/models/gpt.py")
    assert paths(tmp_path, found) == {
        "pkg/__init__.py",
        "pkg/models/__init__.py",
        "pkg/models/gpt.py",
        "pkg/models/blocks.py",
        "pkg/config.py",
    }


def test_names_that_are_nowhere_are_told(tmp_path: Path) -> None:
    """They are what a new file would change; also inside functions and handlers."""
    text = "try:\n    import flash\nexcept ImportError:\n    flash = None\n"
    text += "def f():\n    import late.part\n"
    found = of(tmp_path, {"m.py": text}, "m.py")
    assert {"flash", "late.part"} <= found.names
    assert paths(tmp_path, found) == {"m.py"}


def test_the_files_own_names_are_told(tmp_path: Path) -> None:
    """An import may compute the name; a file that hides this one is another answer."""
    assert "pkg.models.gpt" in of(tmp_path, PACKAGE, "pkg/models/gpt.py").names


def test_what_only_type_checkers_import_is_left_out(tmp_path: Path) -> None:
    """No run depends on it."""
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import words"
    found = of(tmp_path, {"m.py": text, "words.py": ""}, "m.py")
    assert paths(tmp_path, found) == {"m.py"}


def test_installed_packages_are_left_out(tmp_path: Path) -> None:
    """Their versions stand for them, even where they lie below the project's root."""
    texts = {"m.py": "import lib", "venv/lib/site-packages/lib/__init__.py": ""}
    project = project_of(tmp_path, texts)
    project.search_paths = (tmp_path / "venv/lib/site-packages",)
    found = imported(project, [tmp_path / "m.py"], [])
    assert paths(tmp_path, found) == {"m.py"}


def test_packages_installed_in_place_count(tmp_path: Path) -> None:
    """A folder of sources on the search path is at work like the project itself."""
    project = project_of(tmp_path / "project", {"m.py": "import lib"})
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/__init__.py").write_text("")
    project.search_paths = (tmp_path,)
    found = imported(project, [tmp_path / "project/m.py"], [tmp_path])
    assert tmp_path / "lib/__init__.py" in found.files
    assert tmp_path in found.folders

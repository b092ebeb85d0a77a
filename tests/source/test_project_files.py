"""The files of a project, and who is imported by networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.source import project_files as files
from gptdoctor.source.project import Project
from tests.source.projects import module_of, project_of


def test_folders_that_hold_no_source_are_skipped(tmp_path: Path) -> None:
    """Hidden ones, environments, builds and installed packages."""
    texts = {
        "b.py": "",
        "pkg/a.py": "",
        ".hidden/x.py": "",
        "env/pyvenv.cfg": "",
        "env/lib/x.py": "",
        "build/x.py": "",
        "lib/site-packages/x.py": "",
        "notes.txt": "",
    }
    project = project_of(tmp_path, texts)
    found = [file.relative_to(tmp_path).as_posix() for file in files.project_files(project)]
    assert found == ["b.py", "pkg/a.py"]


def test_the_number_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near ones come before far ones."""
    monkeypatch.setattr(files, "MOST_FILES", 2)
    project = project_of(tmp_path, {"a/x/y.py": "", "a/z.py": "", "b.py": ""})
    assert [file.name for file in files.project_files(project)] == ["b.py", "z.py"]


def test_installed_packages_are_no_project_of_each_other(tmp_path: Path) -> None:
    """A folder of installed packages is not searched through."""
    root = tmp_path / "site-packages"
    root.mkdir()
    (root / "a.py").touch()
    assert files.project_files(Project(root=root)) == ()


def test_networks_are_served_through_other_modules(tmp_path: Path) -> None:
    """Directly, or by a module that imports it for them."""
    texts = {
        "near.py": "import far",
        "far.py": "",
        "lonely.py": "",
        "model.py": "from torch import nn\nfrom near import (\n    x,\n)\nclass A(nn.Module): ...",
    }
    project = project_of(tmp_path, texts)
    answers = {
        name: files.serves_networks(project, module_of(project, f"{name}.py"))
        for name in ("model", "near", "far", "lonely")
    }
    assert answers == {"model": True, "near": True, "far": True, "lonely": False}


@pytest.mark.parametrize(
    "use",
    [
        "def plot():\n    import tool",
        "try:\n    import tool\nexcept ImportError:\n    tool = None",
        "if wanted():\n    import tool",
    ],
    ids=["lazy", "guarded", "behind a test"],
)
def test_what_a_network_can_do_without_does_not_serve_it(use: str, tmp_path: Path) -> None:
    """Only what the model's file needs to be imported."""
    model = f"from torch import nn\n{use}\nclass A(nn.Module): ...\n"
    project = project_of(tmp_path, {"tool.py": "", "model.py": model})
    assert not files.serves_networks(project, module_of(project, "tool.py"))

"""What a project declares, in all the places where projects do."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.source.dependencies import (
    declared,
    declared_distribution,
    normalised,
)
from tests.source.projects import module_of, project_of

FILES = {
    "project": ("pyproject.toml", '[project]\ndependencies = ["Some_Pack.age[x]>=1"]'),
    "extra": ("pyproject.toml", '[project.optional-dependencies]\nx = ["some-pack-age"]'),
    "group": ("pyproject.toml", '[dependency-groups]\nx = ["some-pack-age", {include-group="y"}]'),
    "poetry": ("pyproject.toml", '[tool.poetry.dependencies]\nsome-pack-age = "^1"'),
    "poetry group": (
        "pyproject.toml",
        '[tool.poetry.group.x.dependencies]\nsome-pack-age = {version = "1"}',
    ),
    "requirements": ("requirements.txt", "# all\n-e .\nsome_pack_age==1  # why\n"),
    "requirements of a kind": ("requirements/gpu.txt", "some-pack-age @ https://x.y/z.whl"),
    "an egg": ("requirements.txt", "-e git+https://x.y/z.git#egg=some-pack-age"),
    "setup.cfg": ("setup.cfg", "[options]\ninstall_requires =\n  some-pack-age>1\n"),
    "setup.cfg extra": ("setup.cfg", "[options.extras_require]\nx =\n  some-pack-age\n"),
    "setup.py": ("setup.py", "setup(extras_require={'x': ['some-pack-age']})"),
    "conda": ("environment.yml", "dependencies:\n  - python\n  - some-pack-age=1\n"),
    "an unpacked wheel": ("a-1.dist-info/METADATA", "Name: a\nRequires-Dist: some-pack-age>1\n"),
}
BROKEN = {
    "pyproject.toml": "[project\n",
    "setup.cfg": "x",
    "setup.py": "setup(",
    "requirements.txt": "",
}


@pytest.mark.parametrize(("name", "text"), FILES.values(), ids=FILES)
def test_declarations_are_found(name: str, text: str, tmp_path: Path) -> None:
    """By their normalised name."""
    project = project_of(tmp_path, {name: text, "model.py": ""})
    assert "some-pack-age" in declared(project, module_of(project, "model.py"))


def test_requirements_include_others(tmp_path: Path) -> None:
    """-r names another file; a circle of them ends."""
    texts = {
        "requirements.txt": "-r base.in\n",
        "base.in": "--requirement requirements.txt\ndeep\n",
        "model.py": "",
    }
    project = project_of(tmp_path, texts)
    assert declared(project, module_of(project, "model.py")) == {"deep"}


def test_folders_on_the_way_declare_too(tmp_path: Path) -> None:
    """A project in a project has requirements of its own; a neighbour's do not count."""
    texts = {
        "requirements.txt": "outer",
        "sub/requirements.txt": "inner",
        "other/requirements.txt": "elsewhere",
        "sub/deep/model.py": "",
    }
    project = project_of(tmp_path, texts)
    assert declared(project, module_of(project, "sub/deep/model.py")) == {"outer", "inner"}


def test_broken_files_declare_nothing(tmp_path: Path) -> None:
    """They are not ours to complain about."""
    project = project_of(tmp_path, {**BROKEN, "model.py": ""})
    assert declared(project, module_of(project, "model.py")) == frozenset()


@pytest.mark.parametrize(
    ("module", "line", "distribution"),
    [
        ("PIL.Image", "Pillow", "pillow"),
        ("sklearn.base", "scikit_learn>=1", "scikit-learn"),
        ("cv2", "opencv-python-headless", "opencv-python-headless"),
        ("flash_attn.ops", "flash-attn", "flash-attn"),
        ("trainer.io", "coqui-tts-trainer", "coqui-tts-trainer"),
        ("lost", "found", None),
        ("kernels_of_lost", "lost", None),
    ],
)
def test_import_names_lead_to_packages(
    module: str, line: str, distribution: str | None, tmp_path: Path
) -> None:
    """Normalised, by the famous exceptions, or as a word of a longer name."""
    project = project_of(tmp_path, {"requirements.txt": line, "model.py": ""})
    assert declared_distribution(project, module_of(project, "model.py"), module) == distribution


def test_names_are_normalised_as_pep_503_says() -> None:
    """Runs of "-", "_" and "." are one "-"."""
    assert normalised("Flash__Attn.Ops-X") == "flash-attn-ops-x"

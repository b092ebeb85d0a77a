"""What the files of a model import of installed packages."""

from __future__ import annotations

from pathlib import Path

from gptdoctor.source.installed_imports import installed_imports
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

MODEL = """\
import os, einops
import einops.layers.torch as layers
from einops import rearrange, repeat as again
from lib.blocks import *
from .part import Part
import missing_package
try:
    from einops import fast
except ImportError:
    import einops.slow
if os.environ.get("FAST"):
    import lib

class Model(Part):
    def forward(self, x):
        import lib.late
        return Part()(x)
"""
INSTALLED = ("einops/__init__.py", "einops/slow.py", "einops/layers/__init__.py")
INSTALLED += ("einops/layers/torch.py", "lib/__init__.py", "lib/blocks.py", "lib/late.py")


def imports_of(root: Path, installed: Path, path: str) -> tuple[str, ...]:
    """What is found for the class `Model` of a file."""
    project = Project(root=root, search_paths=(installed,))
    module = project.read(root / path)
    assert isinstance(module, SourceModule)
    return installed_imports(project, project.family(project.classes(module)["Model"]))


def fill(folder: Path, *names: str) -> None:
    """Write empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")


def test_imports_of_all_files_of_a_model(tmp_path: Path) -> None:
    """Installed modules with the names asked of them; not what a function or a test imports."""
    site, root = tmp_path / "site-packages", tmp_path / "project"
    fill(site, *INSTALLED)
    fill(root, "pyproject.toml", "pack/__init__.py")
    part = "from torch import nn\nimport lib.blocks\nclass Part(nn.Module): ...\n"
    (root / "pack/model.py").write_text(MODEL)
    (root / "pack/part.py").write_text(part)
    assert imports_of(root, site, "pack/model.py") == (
        "einops",
        "einops.layers.torch",
        "einops:rearrange",
        "einops:repeat",
        "lib.blocks",
        "einops:fast",
    )


def test_of_an_installed_model_its_own_package_counts(tmp_path: Path) -> None:
    """The other files of an installed package are installed code; the model's own file is not."""
    site = tmp_path / "site-packages"
    fill(site, *INSTALLED, "own/__init__.py", "own/models/__init__.py", "own/base.py")
    fill(site, "own/models/part.py")
    text = MODEL.replace("lib.blocks import *", "..base import Base\nfrom . import model")
    (site / "own/models/model.py").write_text(text)
    found = imports_of(site, site, "own/models/model.py")
    assert found[4:] == ("own.base:Base", "own.models.part:Part", "einops:fast")

"""What may belong to a class, by the words of its text."""

from __future__ import annotations

from pathlib import Path

from gptdoctor.source.lineage import Link
from gptdoctor.source.mentions import any_in_family
from tests.source.projects import module_of, project_of

BLOCK = "from torch import nn\nclass Block(nn.Module):\n    vocab = 1\n"


def _finds(tmp_path: Path, model: str) -> bool:
    """Whether a class with the word may belong to `Model`."""
    project = project_of(tmp_path, {"block.py": BLOCK, "model.py": model})
    module = module_of(project, "model.py")
    info = project.classes(module)["Model"]
    return any_in_family(project, info, _has_word)


def _has_word(link: Link) -> bool:
    return "vocab" in link.text


def test_parts_of_other_files_are_found_by_name(tmp_path: Path) -> None:
    """By the name that an import gives them."""
    model = "from torch import nn\nfrom block import Block as B\n"
    assert _finds(tmp_path, f"{model}class Model(nn.Module):\n    part = B()\n")
    assert not _finds(tmp_path, f"{model}class Model(nn.Module):\n    part = 1\nb = B()\n")


def test_an_attribute_of_a_module_may_be_anything(tmp_path: Path) -> None:
    """Then words tell nothing, and the family is followed."""
    model = (
        "import block\nfrom torch import nn\nclass Model(nn.Module):\n    part = block.Block()\n"
    )
    assert _finds(tmp_path, model)


def test_what_is_no_network_belongs_to_none(tmp_path: Path) -> None:
    """A configuration that a text names is no part."""
    model = "from torch import nn\nclass Config:\n    vocab = 1\n"
    assert not _finds(tmp_path, f"{model}class Model(nn.Module):\n    made_by = Config\n")

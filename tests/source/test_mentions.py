"""What may belong to a class, by the words of its text."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.source.mentions import family_by_words, uses
from tests.source.projects import module_of, project_of

BLOCK = "from torch import nn\nclass Block(nn.Module):\n    vocab = 1\n"


def _finds(tmp_path: Path, model: str) -> bool:
    """Whether a class with the word may belong to `Model`."""
    project = project_of(tmp_path, {"block.py": BLOCK, "model.py": model})
    module = module_of(project, "model.py")
    info = project.classes(module)["Model"]
    family = family_by_words(project, info)
    return any(one is None or "vocab" in one.text for one in family)


def test_parts_of_other_files_are_found_by_name(tmp_path: Path) -> None:
    """By the name that an import gives them."""
    model = "from torch import nn\nfrom block import Block as B\n"
    assert _finds(tmp_path, f"{model}class Model(nn.Module):\n    part = B()\n")
    assert not _finds(tmp_path, f"{model}class Model(nn.Module):\n    part = 1\nb = B()\n")


@pytest.mark.parametrize("attribute", ["Block", "Other"])
def test_attributes_of_modules_are_followed(tmp_path: Path, attribute: str) -> None:
    """Where a module does not plainly define one, words tell nothing."""
    model = f"import block\nclass Model(nn.Module):\n    part = block.{attribute}()\n"
    assert _finds(tmp_path, f"from torch import nn\n{model}")


def test_a_function_of_a_module_is_no_part(tmp_path: Path) -> None:
    """Modules of initialisers are called all over."""
    block = f"{BLOCK}def normal_(weight): ...\n"
    model = (
        "import block\nfrom torch import nn\nclass Model(nn.Module):\n    a = block.normal_(1)\n"
    )
    project = project_of(tmp_path, {"block.py": block, "model.py": model})
    info = project.classes(module_of(project, "model.py"))["Model"]
    assert [one and one.name for one in family_by_words(project, info)] == ["Model"]


@pytest.mark.parametrize(
    "text",
    [
        *("class A(Name):", "class A(Other, Name):", "Name(config)", "Name (config)", "f(Name)"),
        *("f(a, Name, b)", "Name.of(config)", "Name[int](1)", "f(  # a note:\n    Name,\n)"),
        *("lambda: Name(1)", "part = Name(1)", "part: Any = Name(1)", "f(\n    Name  # a part\n)"),
    ],
)
def test_bases_calls_and_arguments_use_a_name(text: str) -> None:
    """Wherever lines break."""
    assert uses(text, "Name")


@pytest.mark.parametrize(
    "text",
    [
        *("config: Name", "def f(config: Name, x):", "def f(x) -> Name:", "config_class = Name"),
        *("see [`Name`]", "as in Name forward", "Names(1)", "MyName(1)", "f(kind=Name)"),
    ],
)
def test_what_only_speaks_of_a_class_does_not_use_it(text: str) -> None:
    """Annotations, sentences, and longer names."""
    assert not uses(text, "Name")


def test_what_is_no_network_belongs_to_none(tmp_path: Path) -> None:
    """A configuration that a text names is no part."""
    model = "from torch import nn\nclass Config:\n    vocab = 1\n"
    assert not _finds(tmp_path, f"{model}class Model(nn.Module):\n    made_by = Config\n")

"""Classes and imports that lines tell, and what only a parse does."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.source.project import Project
from tests.source.projects import module_of, project_of

NETWORK = "from torch import nn\n\n\nclass Base(nn.Module):\n    ...\n"
FARTHER = {"far.py": NETWORK, "near.py": "from far import Base as Root\nclass Block(Root): ...\n"}
USER = "from near import Block\nclass Model(Block): ...\n"


def _judged(tmp_path: Path, texts: dict[str, str]) -> tuple[bool, set[str]]:
    """Whether `Model` of model.py is a network, and the files that were parsed to tell."""
    project: Project = project_of(tmp_path, texts)
    module = module_of(project, "model.py")
    network = project.is_network(project.classes(module)["Model"])
    return network, {file.name for file in project.trees.files}


def test_a_network_is_told_by_the_heads_of_other_files(tmp_path: Path) -> None:
    """No file but its own is parsed."""
    assert _judged(tmp_path, {**FARTHER, "model.py": USER}) == (True, {"model.py"})


@pytest.mark.parametrize(
    "near",
    [
        "try:\n    from far import Base\nexcept ImportError:\n    Base = object\n"
        "if True:\n    class Block(Base): ...\n",
        "from far import \\\n    Base\nclass Block(Base): ...\n",
        "from far import (  # the (only) one\n    Base,\n)\nclass Block(Base): ...\n",
        "if True: from far import Base\nclass Block(Base): ...\n",
        "if True: from far \\\n    import Base\nclass Block(Base): ...\n",
        "import os; from far import Base\nclass Block(Base): ...\n",
        "import far\nRoot = far.Base\nclass Block(Root): ...\n",
        "from far import Base\nclass Block(\n    Base,  # (all)\n): ...\n",
    ],
)
def test_what_lines_do_not_say_a_parse_does(tmp_path: Path, near: str) -> None:
    """Conditional classes, imports in odd places, and renamed bases."""
    network, read = _judged(tmp_path, {"far.py": NETWORK, "near.py": near, "model.py": USER})
    assert network
    assert "near.py" in read


def test_a_second_name_of_a_class_is_none_of_its_own(tmp_path: Path) -> None:
    """What a plain assignment of a name brings is not followed, and takes no parse."""
    near = "from far import Base\nRoot = Base  # the old name\n"
    texts = {"far.py": NETWORK, "near.py": near}
    texts["model.py"] = "from near import Root\nclass Model(Root): ...\n"
    assert _judged(tmp_path, texts) == (False, {"model.py"})


def test_sentences_are_no_imports(tmp_path: Path) -> None:
    """A line of a text may begin as an import does."""
    near = '"""A block.\n\nfrom the base that networks have\n"""\n' + FARTHER["near.py"]
    assert _judged(tmp_path, {**FARTHER, "near.py": near, "model.py": USER})[0]


def test_a_sentence_with_a_colon_hides_no_import(tmp_path: Path) -> None:
    """None is without the word."""
    near = (
        '"""A block: from the base.\n\nSee (the) class of it: from far.\n"""\n' + FARTHER["near.py"]
    )
    texts = {**FARTHER, "near.py": near, "model.py": USER}
    assert _judged(tmp_path, texts) == (True, {"model.py"})

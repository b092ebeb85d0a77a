"""Single definitions, and the names of a file, read without a parse of the whole."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gptdoctor.source.definitions import definition_in
from gptdoctor.source.heads import heads_of, imported_words

TEXT = '''
import torch


@torch.no_grad()
def draw(logits, top_k=None):
    """Draw.

at the margin
    """
    return logits


def twice(): ...


class Quoted:
    """A class.

at the margin
    """

    def __init__(self): ...


class Block(Base):
    size = 1

    def __init__(
        self, dim, *, rank
    ):
        super().__init__()

    def forward(self, x):
        return x


class Bare(Block):
    def forward(self, x):
        return x


def plain(a, b): return a
def twice(): ...
'''


@pytest.mark.parametrize("name", ["twice", "lost", "torch", "Quoted"])
def test_what_cannot_be_read_by_itself_is_none(name: str) -> None:
    """Two of a name, none, no definition, and one that is cut off within quotes."""
    assert definition_in(TEXT, name) is None


def test_a_class_is_read_up_to_its_constructor() -> None:
    """What comes behind is not asked for."""
    block = definition_in(TEXT, "Block")
    assert isinstance(block, ast.ClassDef)
    assert [getattr(one, "name", "") for one in block.body] == ["", "__init__"]
    assert ast.unparse(block.bases[0]) == "Base"


def test_of_a_function_the_head_is_read() -> None:
    """What it does is not asked for, whatever stands in it; of one on a line all is read."""
    draw = definition_in(TEXT, "draw")
    assert isinstance(draw, ast.FunctionDef)
    assert [one.arg for one in draw.args.args] == ["logits", "top_k"]
    assert len(draw.body) == 1
    text = 'def f(\n    a={\n        1:\n        2},  # so:\n    *, b=")",\n) -> "x:":\n    if a:\n'
    plain = definition_in(f"{text}        return b\n", "f")
    assert isinstance(plain, ast.FunctionDef)
    assert [one.arg for one in plain.args.kwonlyargs] == ["b"]
    short = definition_in("def f(a): return {\n    a:\n    1}\n", "f")
    assert isinstance(short, ast.FunctionDef)
    assert isinstance(short.body[0], ast.Return)


def test_a_class_in_a_branch_is_read() -> None:
    """Where none begins a line, and only one of the name is there."""
    text = "if x:\n    from a import A\nelse:\n    @made\n    class A: ...\n    class B(A): ...\n"
    found = definition_in(text, "A")
    assert isinstance(found, ast.ClassDef)
    assert len(found.decorator_list) == 1
    assert (
        definition_in(f"{text}try:\n    class A: ...\nexcept E:\n    class B: ...\n", "B") is None
    )
    assert definition_in("def f():\n    class A: ...\n", "A") is None


def test_a_class_without_constructor_is_read_whole() -> None:
    """So that its bases are known."""
    bare = definition_in(TEXT, "Bare")
    assert isinstance(bare, ast.ClassDef)
    assert ast.unparse(bare.bases[0]) == "Block"


def test_decorators_of_a_line_belong_to_a_function() -> None:
    """Whoever asks what it takes has to know that something stands around it."""
    text = TEXT.replace("at the margin", "    inside")
    draw = definition_in(text, "draw")
    assert isinstance(draw, ast.FunctionDef)
    assert len(draw.decorator_list) == 1
    plain = definition_in(text, "plain")
    assert isinstance(plain, ast.FunctionDef)
    assert not plain.decorator_list


IMPORTS = """\
import alone; x = 1
from pack.part import (
    one,  # the first
    two,
)
from far \\
    import joined
if x:
    import inner as other
# import nothing
text = "import quoted"
from prose to verse
"""


def test_the_words_of_import_statements_are_found(tmp_path: Path) -> None:
    """In brackets, on lines that are joined and in branches; a comment is no statement."""
    file = tmp_path / "a.py"
    file.write_text(IMPORTS)
    words = imported_words(file)
    assert words >= {"alone", "pack", "part", "one", "two", "far", "joined", "inner", "other"}
    assert not words & {"nothing", "quoted", "prose", "verse"}


def test_the_heads_of_a_file_are_found(tmp_path: Path) -> None:
    """From the first line on; none where there is no file."""
    file = tmp_path / "a.py"
    file.write_text(
        "first = 1\nclass A: ...\nasync def f(): ...\nkind: int = 3\nif a == b: c = 1\n"
    )
    assert heads_of(file) == {"first", "A", "f", "kind"}
    assert heads_of(tmp_path / "lost.py") == frozenset()

"""What a file tells by name: what changes for those that ask for one, and what does not."""

from __future__ import annotations

import ast

import pytest

from gptdoctor.source.told import (
    EVERYTHING,
    NAMES,
    STARRED,
    Texts,
    changed_names,
    digests_of,
    reached_by,
    texts_of,
)

TEXT = '''\
"""A file of layers."""

import math
from parts import Inner, Other as Outer

WIDTH = 8
if WIDTH:
    DEPTH = 2


class Layer(Inner):
    def forward(self, x):
        return helper(x) * WIDTH


def helper(x):
    return x


@decorated
def alone(x):
    return math.sqrt(x)
'''


def texts(text: str) -> Texts:
    """The texts of a file by name."""
    return texts_of(ast.parse(text), text)


def affected(old: str, new: str) -> set[str]:
    """The names about which the new text may answer otherwise."""
    now = texts(new)
    return reached_by(now, changed_names(digests_of(texts(old)), digests_of(now)))


def test_each_name_has_the_text_that_binds_it() -> None:
    """Imports are told apart by name; what binds nothing by itself is behind everything."""
    found = texts(TEXT)
    assert set(found) == {
        *(EVERYTHING, STARRED, NAMES, "math", "Inner", "Outer", "WIDTH", "Layer", "helper", "alone")
    }
    assert found["Outer"] == "parts Other"
    assert found["alone"].startswith("@decorated\ndef alone")
    assert found[EVERYTHING] == "if WIDTH:\n    DEPTH = 2"


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("return x\n", "return -x\n", {"helper", "Layer"}),
        ("math.sqrt(x)", "math.log(x)", {"alone"}),
        ("import Inner,", "import Outside as Inner,", {"Inner", "Layer"}),
        ("Other as", "Others as", {"Outer"}),
        ('"""A file', '"""The file', set()),
        ("class Layer", "# A note beside it.\nclass Layer", set()),
        ("@decorated", "@decorated_otherwise", {"alone"}),
    ],
)
def test_an_edit_reaches_what_mentions_it(old: str, new: str, names: set[str]) -> None:
    """However far, and nothing else."""
    assert affected(TEXT, TEXT.replace(old, new)) == names


def test_what_binds_no_name_is_behind_all() -> None:
    """A condition at the top of a file may be about anything; so may what it mentions."""
    assert "alone" in affected(TEXT, TEXT.replace("DEPTH = 2", "DEPTH = 3"))
    assert "alone" in affected(TEXT, TEXT.replace("WIDTH = 8", "WIDTH = 9"))


def test_a_star_import_brings_a_list_of_names() -> None:
    """It is another list when a name comes or goes, but not when one means something else."""
    assert STARRED not in affected(TEXT, TEXT.replace("return x\n", "return -x\n"))
    assert STARRED in affected(TEXT, TEXT + "\ndef more(x):\n    return x\n")
    listed = TEXT + '\n__all__ = ["Layer"]\n'
    assert STARRED not in affected(listed, listed + "\ndef more(x):\n    return x\n")
    assert STARRED in affected(listed, listed.replace('["Layer"]', '["Layer", "helper"]'))


def test_a_name_that_comes_or_goes_has_changed() -> None:
    """Who asked for one that was missing asks again, and who mentions one that is gone."""
    assert {"more", NAMES} <= affected(TEXT, TEXT + "\nmore = 1\n")
    assert NAMES not in affected(TEXT, TEXT.replace("return x\n", "return -x\n"))
    gone = TEXT.replace("def helper(x):\n    return x\n", "")
    assert {"helper", "Layer"} <= affected(TEXT, gone)

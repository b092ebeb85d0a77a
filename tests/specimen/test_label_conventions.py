"""What labels stand for, as the user's own text shows it."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from typing import Any

import pytest

from gptdoctor.specimen.label_conventions import Convention, convention_of

MODEL = '''
from torch import nn


class Net(nn.Module):
    """{doc}"""

    def forward(self, {ids}, {labels}=None):
        return None
'''
_NUMBERS = itertools.count()


def convention(
    folder: Path,
    more: str = "",
    *,
    ids: str = "tokens",
    labels: str = "labels",
    doc: str = "A net.",
) -> Convention:
    """What the labels of a model in a file with `more` behind it stand for."""
    file = folder / f"net_{next(_NUMBERS)}.py"
    file.write_text(MODEL.format(ids=ids, labels=labels, doc=doc) + more)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return convention_of(module.Net(), labels, ids, str(folder), two_texts=False)


def in_function(*lines: str) -> str:
    """A function that uses the model."""
    return "\n\ndef use(model, ids, i, n):\n" + "".join(f"    {line}\n" for line in lines)


NEXT = {
    "slices": "model(ids[:, :-1], labels=ids[:, 1:])",
    "names": "x, y = ids[:, :-1], ids[:, 1:]\n    model(x, labels=y)",
    "windows": "x = ids[i : i + n]\n    y = ids[i + 1 : i + 1 + n]\n    model(x, y)",
    "an instance": "net = Net()\n    loss = net(ids[:, :-1], ids[:, 1:])",
}
SAME = {
    "the ids themselves": "model(ids, labels=ids)",
    "a copy": "model(ids, labels=ids.clone())",
    "by another name": "y = ids.clone()\n    model(ids, labels=y)",
}
OPEN = {
    "nothing": "pass",
    "another function": "F.cross_entropy(ids[:, :-1], ids[:, 1:])",
    "other slices": "model(ids[0], labels=ids[1])",
    "labels from elsewhere": "model(ids, labels=n)",
}


@pytest.mark.parametrize("lines", NEXT.values(), ids=NEXT)
def test_a_call_with_shifted_labels_shows_it(tmp_path: Path, lines: str) -> None:
    """The call is what is shown."""
    found = convention(tmp_path, in_function(lines))
    assert found.kind == "next"
    assert found.shown.startswith(("model(", "net("))


@pytest.mark.parametrize("lines", SAME.values(), ids=SAME)
def test_a_call_with_the_inputs_for_labels_shows_it(tmp_path: Path, lines: str) -> None:
    """As the users of transformers give them."""
    assert convention(tmp_path, in_function(lines)).kind == "same"


@pytest.mark.parametrize("lines", OPEN.values(), ids=OPEN)
def test_what_shows_nothing_leaves_it_open(tmp_path: Path, lines: str) -> None:
    """A guess would be a false alarm for one of two conventions."""
    assert convention(tmp_path, in_function(lines)).kind == "open"


def test_names_promise_what_transformers_does_unless_the_data_say_otherwise(tmp_path: Path) -> None:
    """`input_ids` and `labels`, with nothing that cuts labels."""
    assert convention(tmp_path, ids="input_ids").kind == "same"
    assert convention(tmp_path, ids="input_ids", labels="targets").kind == "open"
    cut = in_function("return {'input_ids': ids[:-1], 'labels': ids[1:]}")
    assert convention(tmp_path, cut, ids="input_ids").kind == "open"
    assert (
        convention(tmp_path, in_function("return ids[:-1], ids[1:]"), ids="input_ids").kind
        == "open"
    )


def test_a_training_script_beside_the_file_is_asked(tmp_path: Path) -> None:
    """Data are cut there."""
    (tmp_path / "train.py").write_text("x = data[:-1]\ny = data[1:]\nloss = model(x, labels=y)\n")
    assert convention(tmp_path, ids="input_ids").kind == "next"


def test_functions_about_other_classes_of_the_file_do_not_count(tmp_path: Path) -> None:
    """They show how those are called."""
    other = "\n\nclass Other(nn.Module):\n    pass\n"
    use = in_function("model = Other()", "model(ids[:, :-1], labels=ids[:, 1:])")
    assert convention(tmp_path, other + use, ids="input_ids").kind == "same"


@pytest.mark.parametrize(
    ("doc", "kind"),
    [
        ("labels: already shifted by the caller.", "open"),
        ("Next-token targets of each position.", "open"),
        ("labels are shifted inside the model.", "same"),
        ("Simply set labels = input_ids.", "same"),
        ("A net of nets.", "open"),
    ],
)
def test_docstrings_are_read(tmp_path: Path, doc: str, kind: str) -> None:
    """What they say weighs more than names, and less than calls."""
    assert convention(tmp_path, doc=doc).kind == kind

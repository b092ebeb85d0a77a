"""Which statements of a file define things, and which are left out as work."""

from __future__ import annotations

import ast

import pytest

from gptdoctor.source.work import LeftOut, Plan, plan_of

MODEL = "import torch\nfrom torch import nn\nclass Model(nn.Module):\n    size = WIDTH\n"


def plan(text: str, wanted: tuple[str, ...] | None = ()) -> Plan:
    """The plan of a text."""
    return plan_of(ast.parse(text), wanted)


def left_out(text: str, wanted: tuple[str, ...] | None = ()) -> list[tuple[int, str]]:
    """Line and kind of each statement that is not run, prints aside."""
    steps = plan(text, wanted).steps
    return [
        (step.node.lineno, step.kind)
        for step in steps
        if isinstance(step, LeftOut) and step.kind != "print"
    ]


@pytest.mark.parametrize(
    ("work", "kind"),
    [
        ("while True: pass", "loop"),
        ("for epoch in range(9): loss.backward()", "training"),
        ("Model().train()", "training"),
        ("import time; time.sleep(3600)", "call"),
        ("import wandb; wandb.init(project='x')", "training"),
        ("import matplotlib.pyplot as plt; plt.show()", "window"),
        ("import tkinter as tk; root = tk.Tk()", "window"),
        ("import urllib.request; urllib.request.urlretrieve('https://x', 'y')", "download"),
        ("import requests; text = requests.get('https://x').text", "download"),
        ("import argparse; args = argparse.ArgumentParser().parse_args()", "arguments"),
        ("name = input('name? ')", "arguments"),
        ("match __import__('sys').argv:\n    case _: exit()", "arguments"),
        ("model = Model()", "call"),
        ("data = open('input.txt').read()", "data"),
        ("with open('log.txt', 'w') as log: log.write('x')", "call"),
        ("exit()", "call"),
        ("try:\n    import fast\nexcept ImportError:\n    exit()", "call"),
        ("if WIDTH:\n    import time\n    time.sleep(3600)", "call"),
        ("def main(): Model().train()\nmain()", "call"),
    ],
)
def test_clear_work_is_left_out(work: str, kind: str) -> None:
    """Each by its kind, wherever the definitions do without it."""
    assert [found for _, found in left_out(f"WIDTH = 3\n{MODEL}{work}\n")] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "WIDTH = 3",
        "WIDTH = len(open('input.txt').read())",
        "TABLE = []\nfor i in range(9): TABLE.append(i)\nWIDTH = len(TABLE)",
        "WIDTH = 0\ndef widen():\n    global WIDTH\n    WIDTH = 3\nwiden()",
        "with open('x') as file:\n    WIDTH = len(file.read())",
        "import random\nrandom.seed(3)\nWIDTH = 3",
        "import sys\nsys.path.append('.')\nWIDTH = 3",
        "import os\nos.environ['X'] = '1'\nWIDTH = 3",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--w', default=3)\n"
        "WIDTH = p.parse_args().w",
        "try:\n    import fast\n    WIDTH = 3\nexcept ImportError:\n    WIDTH = 4",
    ],
)
def test_what_the_definitions_need_is_run(text: str) -> None:
    """Through other names and functions, though a script works below them."""
    assert left_out(f"{text}\n{MODEL}while True: pass\n") == [
        (len(text.split("\n")) + 5, "loop"),
    ]


def test_a_file_without_work_is_left_whole() -> None:
    """Calls of unknown functions are no work as long as nothing else is."""
    text = f"logger = get_logger()\nWIDTH = 3\nprint('hello')\n{MODEL}"
    assert left_out(text) == []
    assert not plan(text).plain  # but what they ask for may not be there
    assert plan(f"'''doc'''\nWIDTH = 3\n{MODEL}").plain


def test_work_in_a_branch_is_taken_out_of_it() -> None:
    """What the rest of the branch defines stays, on its lines."""
    text = "if True:\n    WIDTH = 3\n    while True: pass\nelse:\n    WIDTH = 4\n" + MODEL
    steps = plan(text).steps
    kept = next(step for step in steps if isinstance(step, ast.If))
    assert ast.unparse(kept) == "if True:\n    WIDTH = 3\nelse:\n    WIDTH = 4"
    assert kept.orelse[0].lineno == 5
    assert left_out(text) == [(3, "loop")]


def test_the_main_guard_is_no_work() -> None:
    """It never runs, and is not told."""
    assert left_out(f"WIDTH = 3\n{MODEL}if __name__ == '__main__':\n    Model().train()\n") == []


def test_a_local_name_needs_nothing_of_the_module() -> None:
    """A parameter that is called as the trained model is another thing."""
    text = f"WIDTH = 3\n{MODEL}class Trainer:\n    def __init__(self, model): self.m = model\n"
    assert left_out(text + "model = Model()\n") == [(8, "call")]


def test_another_file_may_ask_for_all_that_a_sibling_assigns() -> None:
    """Unasked, a sibling runs all but what trains, waits or builds whole models."""
    text = f"WIDTH = 3\n{MODEL}words = load('x')\nmodel = Model()\nfor i in range(9): pass\n"
    assert left_out(text, None) == [(7, "call"), (8, "loop")]
    assert left_out(text, ("model",)) == [(6, "call"), (8, "loop")]

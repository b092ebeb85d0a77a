"""Models in every style that is met in the wild: each is built, called and trained on for a step.

One session examines them all with the cheapest probe; one command checks the whole folder.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from gptdoctor.core.measurements.backward import Backward
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import discover
from gptdoctor.worker.interpreter import search_paths
from gptdoctor.worker.session import Session
from tests.commands import ROOT, examined

FOLDER = ROOT / "fixtures" / "styles"
OWN, SHIFTED = "own loss", "shifted cross-entropy"
# A plain machine needs a fifth of a second for most; others may share this one's cores.
SECONDS = 30.0
GIBIBYTE = 2**30
# What a model's file needs, where that is more than torch.
NEEDS = {"hub_config.py": "transformers", "pydantic_config.py": "pydantic"}
# By model: batch and length of its call, what it returns, what it is trained with.
USUAL = (3, 7, "logits", SHIFTED)
EXPECTED = {
    "Reader": USUAL,
    "TakesBatches": (3, 7, "dict with logits and loss", OWN),
    "TakesObjects": (3, 7, "logits and loss", OWN),
    "TakesPairs": (3, 7, "logits and loss", OWN),
    "Titan": USUAL,
    "Poet": USUAL,
    "GPTModel": USUAL,
    "Seq2SeqTransformer": USUAL,
    "FlatTalker": USUAL,
    "RNNModel": (3, 7, "tuple with logits", SHIFTED),
    "HeronForCausalLM": (3, 7, "object with logits and loss", OWN),
    "Captioner": USUAL,
    "Viewer": (3, 7, "dict with logits and loss", OWN),
    "MustSee": USUAL,
    "Kestrel": USUAL,
    "GPT": (3, 7, "logits and loss", OWN),  # in two files
    "LeaveBehind": (3, 7, "logits and loss", OWN),
    "ForgetMeNot": (3, 7, "logits and loss", OWN),
    "SelfTaught": (3, 7, "loss", OWN),
    "Interpreter": (3, 7, "loss", OWN),
    "BabyModel": (3, 7, "logits and loss", OWN),
    "RecurrentReader": USUAL,
    "Decoder": USUAL,
    "FromYaml": USUAL,
    "Stepper": (3, 1, "tuple with logits", SHIFTED),
    "Dictionary": (3, 7, "dict with logits and loss", OWN),
    "Object": (3, 7, "object with logits and loss", OWN),
    "EveryDepth": (3, 7, "list with logits", SHIFTED),
    "WithCaches": (3, 7, "tuple with logits", SHIFTED),
    "ByMode": (3, 7, "logits and loss", OWN),
    "Waxwing": USUAL,
    "Tern": USUAL,
    "LabelsRequired": (3, 7, "logits and loss", OWN),
    "FloatMaskRequired": USUAL,
    "BoolMaskRequired": USUAL,
    "FourDimensionalMaskRequired": USUAL,
    "PositionsRequired": USUAL,
    "ScriptedLM": (3, 7, "tuple with logits", SHIFTED),
    "Cached": USUAL,
    "Uninitialised": USUAL,
    "Monolith": USUAL,
    "Model": USUAL,  # in the folder `siblings`
    "Listener": USUAL,
    "FromClassBody": USUAL,
    "FromFieldDefaults": USUAL,
    "Transformer": USUAL,
    "TransformerModel": USUAL,
    "LitReader": (3, 7, "logits", OWN),
    "Lark": USUAL,
    "LetterModel": USUAL,
}


def can_run(path: str) -> bool:
    """Whether the packages that a file needs are installed."""
    needed = NEEDS.get(Path(path).name)
    return needed is None or importlib.util.find_spec(needed) is not None


@pytest.fixture(scope="module")
def records() -> list[ModelRecord]:
    """Every model of the folder, in one session, within a gibibyte each."""
    paths = tuple(Path(path) for path in search_paths(sys.executable))
    project = Project(root=FOLDER, search_paths=paths)
    read = [project.read(file) for file in sorted(FOLDER.rglob("*.py"))]
    targets = discover(project, [module for module in read if isinstance(module, SourceModule)])
    requests = [
        ExamineRequest(
            target=target,
            root=str(FOLDER),
            seed=0,
            timeout_seconds=60.0,
            probes=("backward",),
            memory_bytes=GIBIBYTE,
        )
        for target in targets
        if can_run(target.path)
    ]
    with Session(sys.executable, str(FOLDER)) as session:
        return list(session.examine(requests))


def measured(record: ModelRecord, kind: type[Any]) -> Any:
    """The measurement of one kind."""
    return next(
        (one.measurement for one in record.measured if isinstance(one.measurement, kind)), None
    )


def test_all_styles_are_there(records: list[ModelRecord]) -> None:
    """Each model that is expected is found, and no other one."""
    lacking = {"HeronForCausalLM": "transformers", "Tern": "pydantic"}
    expected = {
        name
        for name in EXPECTED
        if name not in lacking or importlib.util.find_spec(lacking[name]) is not None
    }
    assert {record.target.name for record in records} == expected
    assert {record.ending.kind for record in records} == {"finished"}


def test_each_is_built_and_called(records: list[ModelRecord]) -> None:
    """With different batch and length, and the logits in one form, whatever the model returns."""
    for record in records:
        built = measured(record, Construction)
        name = record.target.name
        assert built is not None, name
        assert built.outcome == "built", (name, built.tried)
        batch, length, returns, _ = EXPECTED[name]
        assert (built.batch, built.length, built.returns) == (batch, length, returns), name
        assert built.vocabulary == 97, name
        assert not built.failures, (name, built.failures)


def test_each_can_take_a_step(records: list[ModelRecord]) -> None:
    """One forward and one backward: a finite loss, and a gradient for most parameters."""
    for record in records:
        name, backward = record.target.name, measured(record, Backward)
        assert backward is not None, name
        assert backward.crash is None, (name, backward.crash)
        assert backward.finite, name
        assert backward.objective == EXPECTED[name][3], name
        assert backward.reached > backward.parameters / 2, name


def test_none_is_built_at_full_size(records: list[ModelRecord]) -> None:
    """Tiny, and within seconds: defaults of billions of parameters are never built."""
    for record in records:
        built = measured(record, Construction)
        assert 0 < built.parameters < 1_000_000, record.target.name
        assert record.seconds < SECONDS, (record.target.name, record.seconds)


def test_nothing_is_held_against_any_of_them() -> None:
    """All probes, one checkup: no finding that counts, and each model is called trainable."""
    document = examined(FOLDER, ROOT)
    counting = [
        (one["rule"], one["path"], one["line"])
        for one in document["findings"]
        if one["evidence"]["status"] != "refuted"
        if one["rule"] != "GD601"  # a loss of its own is no matter of style
        if can_run(one["path"])
    ]
    assert counting == []
    verdicts = {
        (one["path"], one["name"]): (one["verdict"], one["reasons"])
        for one in document["models"]
        if can_run(one["path"]) and one["verdict"] != "trainable"
    }
    assert verdicts == {}

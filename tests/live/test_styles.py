"""Models in every style that is met in the wild: each is built, called and trained on for a step.

One session examines them all, and all tests are about its records.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gptdoctor.config import Options
from gptdoctor.core.diagnosis import Verdict
from gptdoctor.core.findings import Status
from gptdoctor.core.measurements.backward import Backward
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import NOT_IN_PROOFS
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.prepare import Prepared, prepare, suspect
from gptdoctor.source.project import Project
from gptdoctor.source.targets import find_targets
from gptdoctor.weigh import weigh
from gptdoctor.worker.interpreter import search_paths
from gptdoctor.worker.session import Session
from tests.commands import ROOT

FOLDER = ROOT / "fixtures" / "styles"
OWN, SHIFTED = "own loss", "shifted cross-entropy"
# Of all probes.  A plain machine needs a second for most; others may share this one's cores.
SECONDS = 60.0
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


@dataclass(frozen=True)
class Examined:
    """The files and models of the folder, and what was measured of each."""

    prepared: Prepared
    records: list[ModelRecord]


@pytest.fixture(scope="module")
def folder() -> Examined:
    """Every model of the folder, in one session, within a gibibyte each.

    All probes but the pass at full size, which takes as long as all else together.
    """
    paths = tuple(Path(path) for path in search_paths(sys.executable))
    project = Project(root=ROOT, search_paths=paths)
    targets = find_targets((FOLDER.relative_to(ROOT).as_posix(),), ROOT)
    prepared = prepare(project, targets, None, Options())
    models = tuple(one for one in prepared.models if can_run(one.path))
    requests = [
        ExamineRequest(
            target=target,
            root=str(ROOT),
            seed=0,
            timeout_seconds=SECONDS,
            without=NOT_IN_PROOFS,
            memory_bytes=GIBIBYTE,
        )
        for target in models
    ]
    with Session(sys.executable, str(ROOT)) as session:
        return Examined(replace(prepared, models=models), list(session.examine(requests)))


@pytest.fixture(scope="module")
def records(folder: Examined) -> list[ModelRecord]:
    """What was measured."""
    return folder.records


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


def test_nothing_is_held_against_any_of_them(folder: Examined) -> None:
    """Text and run together: no finding that counts, and each model is called trainable."""
    suspicions, failed = suspect(folder.prepared)
    assert not failed
    findings, models = weigh(folder.prepared, suspicions, folder.records, live=True)
    counting = [
        (one.rule, one.location.words)
        for one in findings
        if one.evidence.status is not Status.REFUTED
        if one.rule not in ("GD601", "GD706")  # a loss, and a guard, are no matter of style
        if can_run(one.location.path)
    ]
    assert counting == []
    verdicts = {one.name: (one.verdict, one.reasons) for one in models}
    assert {name: told for name, told in verdicts.items() if told[0] != Verdict.TRAINABLE} == {}

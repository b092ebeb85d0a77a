"""`gptdoctor.examine`: in process, on copies, and with the same judgement as everywhere."""

from __future__ import annotations

import copy
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import gptdoctor
from gptdoctor.core.diagnosis import Examination, Verdict
from gptdoctor.core.errors import UsageError
from gptdoctor.integrations.shown import ShownExamination
from tests.integrations.models import VOCABULARY, Crashing, Cut, Slow, TinyLM, Uncopyable

PATH = "tests/integrations/models.py"


@pytest.fixture(scope="module")
def healthy() -> ShownExamination:
    """The examination of a model that has nothing, called as is found out."""
    return gptdoctor.examine(TinyLM())


@pytest.fixture(scope="module")
def sick() -> ShownExamination:
    """The examination of a model with a part that no gradient passes."""
    return gptdoctor.examine(TinyLM(Cut()))


def test_a_healthy_model_is_trainable(healthy: ShownExamination) -> None:
    """All that was said of it was measured, by a call that was found."""
    (model,) = healthy.models
    assert healthy.trainable
    assert (model.name, model.path, model.verdict) == ("TinyLM", PATH, Verdict.TRAINABLE)
    assert not healthy.findings
    assert {"gradient-flow", "learning", "shapes"} <= set(model.measured)
    assert model.specimen is not None
    assert model.specimen.build == "model"
    # It may have learned something before it was given, and takes no mask.
    assert {one.probe for one in model.unmeasured} == {"initial-loss", "padding"}
    assert model.facts["own_loss"] is True


def test_text_and_run_meet_in_the_findings_of_a_live_model(sick: ShownExamination) -> None:
    """The decorator is suspected in the text, and the run convicts it."""
    (cut,) = (one for one in sick.findings if one.rule == "GD101")
    assert (cut.location.path, cut.symbol) == (PATH, "Cut.forward")
    assert cut.excerpt == "@torch.no_grad()"
    assert cut.evidence.status.value == "confirmed"
    assert sick.models[0].verdict is Verdict.UNTRAINABLE
    assert not sick.trainable


def test_only_what_concerns_the_model_is_told(healthy: ShownExamination) -> None:
    """The file holds other classes with defects; they are not this model's."""
    assert all("Cut" not in one.symbol for one in healthy.findings)


def state(model: nn.Module) -> dict[str, Any]:
    """All that an examination must leave alone."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "values": {name: value.clone() for name, value in model.state_dict().items()},
        "gradients": [copy.deepcopy(one.grad) for one in model.parameters()],
        "wanting": [one.requires_grad for one in model.parameters()],
        "modes": [one.training for one in model.modules()],
        "hooks": [
            (dict(one._forward_hooks), dict(one._forward_pre_hooks), dict(one._backward_hooks))
            for one in model.modules()
        ],
        "versions": [one._version for one in model.parameters()],
        "attributes": sorted(vars(model)),
        "torch": torch.get_rng_state(),
        "cuda": cuda,
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "gradient mode": torch.is_grad_enabled(),
        "trace": sys.gettrace(),
    }


def equal(first: Any, second: Any) -> bool:
    """Equality that goes into tensors."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(equal, first, second))
    return bool(first == second)


def examined_with_two_threads(
    model: nn.Module,
) -> tuple[dict[str, Any], dict[str, Any], gptdoctor.Examination]:
    """The state before and after, with a number of threads that is not our own."""
    try:
        torch.set_num_threads(2)
        before = state(model)
        with torch.no_grad():
            examination = gptdoctor.Examiner(probes=("gradient-flow", "learning")).examine(model)
        return before, state(model), examination
    finally:
        torch.set_num_threads(1)  # two are six times slower on models of this size


def test_model_and_process_are_afterwards_as_before() -> None:
    """Weights, buffers, gradients, modes, hooks, random numbers and settings, to the bit."""
    model = TinyLM()
    model.head.weight.requires_grad_(False)
    model.drop.eval()
    model.register_forward_hook(lambda *_: None)
    model(torch.ones(2, 3, dtype=torch.long))[0].sum().backward()
    before, after, examination = examined_with_two_threads(model)
    assert [name for name in before if not equal(before[name], after[name])] == []
    facts = examination.models[0].facts
    assert facts["best_loss"] < 0.9 * facts["first_loss"]  # type: ignore[operator]  # it did learn


def test_accelerators_that_nobody_uses_are_not_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each seed would wait, with its stack of calls, for the user's first tensor there."""
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    gptdoctor.Examiner(probes=("backward",)).examine(TinyLM())
    assert seeds == []
    torch.cuda.manual_seed_all(7)  # afterwards all is as before
    assert seeds == [7]


def test_torchs_compiler_is_not_imported_to_restore_settings() -> None:
    """It takes a second, and nothing was changed."""
    code = (
        "import sys, torch, gptdoctor\n"
        "model = torch.nn.Sequential(torch.nn.Embedding(50, 8), torch.nn.Linear(8, 50))\n"
        "gptdoctor.Examiner(probes=('backward',)).examine(model)\n"
        "print('torch._inductor' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_prints_of_the_model_are_kept_from_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    """What hundreds of forward passes print is taken in, and counted."""
    examination = gptdoctor.Examiner(probes=("backward",)).examine(TinyLM())
    assert capsys.readouterr().out == ""
    assert isinstance(examination.models[0].facts["output_characters"], int)
    assert examination.models[0].facts["output_characters"] > 0


@pytest.mark.parametrize("named", [False, True])
def test_the_users_own_inputs_are_the_call(named: bool) -> None:
    """Batch and length come from the ids, and others of the kind are made to vary them."""
    ids = torch.randint(VOCABULARY, (4, 9))
    examiner = gptdoctor.Examiner(probes=("shapes", "backward"))
    found = (
        examiner.examine(TinyLM(), ids=ids, labels=ids)
        if named
        else (examiner.examine(TinyLM(), ids))
    )
    (model,) = found.models
    assert (model.facts["batch"], model.facts["length"]) == (4, 9)
    assert {"shapes", "backward"} <= set(model.measured)
    assert model.specimen is not None
    assert "(4, 9)" in model.specimen.call


def test_inputs_that_the_model_does_not_take_leave_it_unexamined() -> None:
    """The reason is Python's own, with the signature; no finding is made of it."""
    found = gptdoctor.examine(TinyLM(), torch.ones(2, 3).long(), extra=1)
    assert found.models[0].verdict is Verdict.UNEXAMINED
    assert "extra" in found.models[0].reasons[0]
    assert not found.trainable


def test_a_crash_is_named_at_its_line() -> None:
    """The model fails on its own ids: that is its fault, at that line."""
    ids = torch.randint(VOCABULARY, (3, 7))
    found = gptdoctor.Examiner(probes=("backward", "shapes")).examine(Crashing(), ids)
    assert found.models[0].verdict is Verdict.UNTRAINABLE
    assert any(f"at {PATH}:" in reason for reason in found.models[0].reasons)


def test_the_time_limit_ends_it_and_is_told() -> None:
    """What was not measured in time is unmeasured with the reason, and never healthy."""
    found = gptdoctor.Examiner(timeout_seconds=1.5).examine(Slow())
    (model,) = found.models
    assert model.verdict is Verdict.UNEXAMINED
    assert found.seconds < 10
    assert any("timeout_seconds" in one.reason for one in model.unmeasured)


def test_ctrl_c_is_the_users() -> None:
    """An interrupt ends the examination and is not swallowed."""

    class Interrupted(TinyLM):
        def forward(self, ids: Any, labels: Any = None) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gptdoctor.examine(Interrupted())


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: TinyLM, "is a class"),
        (lambda: 3, "of type int"),
        (lambda: Uncopyable(), "no copies of me"),
        (lambda: nn.Linear(2, 2, device="meta"), "meta device"),
        (lambda: nn.Embedding(10**9, 10**4, device="meta"), "meta device"),
    ],
)
def test_what_cannot_be_examined_is_refused_in_a_sentence(
    make: Callable[[], Any], told: str
) -> None:
    """One sentence says what is wrong."""
    with pytest.raises(UsageError, match=told):
        gptdoctor.examine(make())


def test_unknown_settings_are_refused() -> None:
    """A probe or an entry that there is not."""
    with pytest.raises(UsageError, match="no probe 'gradients'"):
        gptdoctor.Examiner(probes=("gradients",)).examine(TinyLM())
    with pytest.raises(UsageError, match="no method 'step'"):
        gptdoctor.Examiner(entry="step").examine(TinyLM())


def test_a_compiled_model_is_examined_without_its_wrapper() -> None:
    """torch.compile keeps the model inside."""
    compiled = torch.compile(TinyLM())
    found = gptdoctor.Examiner(probes=("backward",)).examine(compiled)  # type: ignore[arg-type]
    assert found.models[0].name == "TinyLM"


def test_the_value_has_all_fields_of_an_examination(sick: ShownExamination) -> None:
    """What is shown is an Examination, and any report takes it."""
    assert isinstance(sick, Examination)
    assert sick.files == 1
    assert sick.environment.torch == torch.__version__


def test_the_package_stays_light() -> None:
    """Importing gptdoctor loads no torch, and the names of the API are there."""
    code = "import sys, gptdoctor; gptdoctor.examine; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gptdoctor.nothing  # noqa: B018


def test_inputs_of_unknown_meaning_are_given_as_they_are() -> None:
    """What cannot be made anew is not guessed: probes that vary the sizes abstain, and say so."""

    class Segmented(TinyLM):
        def forward(self, ids: Any, segments: Any = None, labels: Any = None) -> Any:
            assert segments is not None
            assert int(segments.max()) < 2
            return super().forward(ids, labels)

    ids = torch.randint(VOCABULARY, (4, 9))
    examiner = gptdoctor.Examiner(probes=("shapes", "backward", "learning"))
    (model,) = examiner.examine(Segmented(), ids, segments=torch.zeros_like(ids)).models
    assert model.verdict is not Verdict.UNTRAINABLE
    assert {"backward", "learning"} <= set(model.measured)
    (unmeasured,) = model.unmeasured
    assert unmeasured.probe == "shapes"
    assert "B=4, T=9" in unmeasured.reason

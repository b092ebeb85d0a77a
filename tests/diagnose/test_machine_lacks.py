"""What this machine lacks is no defect of the model."""

from __future__ import annotations

import dataclasses

import pytest

from gptdoctor.core.diagnosis import Verdict
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.import_dependencies import ImportDependencies, ImportFailure
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.shapes import ShapeCase, Shapes
from gptdoctor.diagnose.verdict import verdict_of
from tests.diagnose import cases

CRASH = Crash(
    stage="forward", kind="MissingError", message="kernel is needed here", path=cases.PATH, line=7
)


def record(module: str, error: str) -> ModelRecord:
    """A model whose forward pass needs an import that failed."""
    failure = ImportFailure(
        path=cases.PATH, line=1, module=module, name=None, guarded=False, needed=True, error=error
    )
    imports = ImportDependencies(imported=True, failures=(failure,), seconds=0.1)
    case = ShapeCase(batch=3, length=7, outcome="crash", logits_shape=None, crash=CRASH)
    return cases.record(
        cases.measured("import-dependencies", imports),
        cases.measured("construction", cases.construction("crashed", CRASH)),
        cases.measured("shapes", Shapes(cases=(case,), transpose_warnings=(), row_influence=None)),
    )


@pytest.mark.parametrize(
    ("module", "error", "reason"),
    [
        (
            "flash_attn.ops",
            "ModuleNotFoundError: No module named 'flash_attn'",
            "needs flash-attn, which is not installed (model.py:1)",
        ),
        (
            "triton",
            "ModuleNotFoundError: No module named 'triton'",
            "needs triton, which is not installed (model.py:1)",
        ),
        (
            "own_kernels",
            "ImportError: libcudart.so.12: cannot open shared object file",
            "needs CUDA, which does not work here (model.py:1: ImportError: libcudart.so.12: "
            "cannot open shared object file)",
        ),
    ],
)
def test_a_missing_accelerator_leaves_the_model_unexamined(
    module: str, error: str, reason: str
) -> None:
    """The verdict says plainly what is needed, and nothing else."""
    found, reasons = verdict_of(record(module, error), [])
    assert (found, [one.text for one in reasons]) == (Verdict.UNEXAMINED, [reason])


def test_a_device_that_a_line_asks_for_is_named_with_the_line() -> None:
    """As the construction measured it."""
    lack = "CUDA (model.py:7: Torch not compiled with CUDA enabled)"
    construction = dataclasses.replace(cases.construction("not-built"), lack=lack)
    found, reasons = verdict_of(cases.record(cases.measured("construction", construction)), [])
    assert (found, [one.text for one in reasons]) == (Verdict.UNEXAMINED, [f"needs {lack}"])


def test_a_device_missing_in_one_case_is_no_crash_of_the_models() -> None:
    """A branch for long inputs may ask for a device; the rest was measured."""
    crash = dataclasses.replace(
        CRASH, kind="RuntimeError", message="Torch not compiled with CUDA enabled"
    )
    case = ShapeCase(batch=3, length=7, outcome="crash", logits_shape=None, crash=crash)
    measured = cases.record(
        cases.measured("construction", cases.construction()),
        cases.measured("shapes", Shapes(cases=(case,), transpose_warnings=(), row_influence=None)),
        cases.measured("learning", cases.learning()),
    )
    assert verdict_of(measured, [])[0] is Verdict.TRAINABLE

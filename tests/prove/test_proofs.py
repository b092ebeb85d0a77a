"""A proof fails on its rule's sick example, for the reason it gives, and passes when healed.

One examination tells of all sick examples, and one Python without gptdoctor runs all the tests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest

from gptdoctor.defect import Defect
from gptdoctor.prove.written import confirmed, file_of, health_tests
from gptdoctor.report.json_document import from_document
from tests.commands import plain_python
from tests.examples import BY_RUN, GROUP, examples, path_of

pytestmark = pytest.mark.xdist_group(GROUP)
# The rest is proven on the reference models.
PROVABLE = [one for one in BY_RUN if one.proof is not None]
RUNNER = """
import json, os, sys, types
import torch

torch.set_num_threads(1)
told = {}
for case in json.load(sys.stdin):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.chdir(case["folder"])
        sys.path.insert(0, case["folder"])
        module = sys.modules["health"] = types.ModuleType("health")
        answer = {}
        try:
            exec(compile(case["text"], "test_health.py", "exec"), vars(module))
            for name in case["names"]:
                try:
                    vars(module)[name]()
                    answer[name] = ""
                except BaseException as error:
                    answer[name] = f"{type(error).__name__}: {error}"
        except BaseException as error:
            answer[""] = f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps(answer).encode()[:60000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        told[case["name"]] = json.loads(stream.read() or b"{}")
    os.waitpid(child, 0)
json.dump(told, sys.stdout)
"""


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, str]]:
    """How each written test ends, by example and by name of the test."""
    return run_tests(list(_cases()))


def _cases() -> Iterator[dict[str, Any]]:
    folder, document = examples()
    examination = from_document(document)
    sick = {path_of(one.code): one.code for one in PROVABLE}
    for model in [one for one in examination.models if one.path in sick]:
        code = sick[model.path]
        findings = [one for one in confirmed(model, examination.findings) if one.rule == code]
        tests = health_tests(model, findings)
        if tests:
            text = file_of(model, tests, PurePosixPath())
            names = [one.name for one in tests]
            for state in ("sick", "healed"):
                where = {"name": f"{state} {code}", "folder": str(folder / state)}
                yield {**where, "text": text, "names": names}


def run_tests(cases: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """How the tests of each case end, in one Python without gptdoctor: by case and by test."""
    if not hasattr(os, "fork"):
        pytest.skip("one Python for all tests needs fork")
    done = plain_python("-c", RUNNER, stdin=json.dumps(cases))
    assert done.code == 0, done.err
    found: dict[str, dict[str, str]] = json.loads(done.out)
    return found


@pytest.mark.parametrize("defect", PROVABLE, ids=lambda defect: defect.name)
def test_a_proof_fails_on_the_sick_and_passes_on_the_healed(
    told: dict[str, dict[str, str]], defect: Defect
) -> None:
    """With the same text of the test, and another one of the model's file."""
    sick = told.get(f"sick {defect.code}")
    assert sick, "no test was written"
    assert all(sick.values()), sick
    assert all(told[f"healed {defect.code}"][name] == "" for name in sick), told[
        f"healed {defect.code}"
    ]

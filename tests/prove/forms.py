"""Models of which a rule is to be proven, one examination and one Python for all."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from gptdoctor.prove.written import confirmed, file_of, health_tests
from gptdoctor.report.json_document import from_document
from tests.examples import examined
from tests.prove.test_proofs import run_tests

Told = dict[str, dict[str, str]]


class Form(NamedTuple):
    """What a rule is proven of, with what makes it sick."""

    code: str
    healed: str
    right: str
    wrong: str
    ends_by: str = "AssertionError"  # its test, on the sick


def how_they_end(forms: Mapping[str, Form]) -> Told:
    """How each written test ends, by "sick" or "healed" with the form, and by its own name."""
    folder = Path(tempfile.mkdtemp(prefix="gptdoctor-forms-")).resolve()
    (folder / "pyproject.toml").write_text("")
    for state in ("sick", "healed"):
        (folder / state).mkdir()
    for name, form in forms.items():
        assert form.right in form.healed, name
        sick = form.healed.replace(form.right, form.wrong)
        (folder / "sick" / f"{name}.py").write_text(sick)
        (folder / "healed" / f"{name}.py").write_text(form.healed)
    return run_tests(list(_cases(folder, forms)))


def _cases(folder: Path, forms: Mapping[str, Form]) -> list[dict[str, Any]]:
    examination = from_document(examined(folder / "sick", folder))
    cases = []
    for model in examination.models:
        name = Path(model.path).stem
        findings = confirmed(model, examination.findings)
        wanted = [one for one in findings if one.rule == forms[name].code]
        tests = health_tests(model, wanted)
        for state in ("sick", "healed") if tests else ():
            text = file_of(model, tests, PurePosixPath())
            where = {"name": f"{state} {name}", "folder": str(folder / state)}
            cases.append({**where, "text": text, "names": [one.name for one in tests]})
    return cases

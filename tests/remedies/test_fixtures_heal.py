"""Every marked line of the fixtures: mended, or declined with a reason; then the scan is silent."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from gptdoctor.catalog import defect_named, module_of
from gptdoctor.core.findings import Evidence, Finding, Status, Suspicion
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.parsed import ParsedSource
from gptdoctor.remedies.remedy import Request
from gptdoctor.scan import ModelNames, scan
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import discover
from tests.commands import ROOT
from tests.remedies.mending import remedy

FIXTURES = ROOT / "fixtures"
# GD501 is about the files beside; its own tests have them.
SICK = sorted(
    file
    for file in FIXTURES.glob("*/*/sick.py")
    if file.parent.name != "unresolved_import"
    and (ROOT / "gptdoctor/remedies" / file.parents[1].name / f"{file.parent.name}.py").is_file()
)
# What a remedy leaves alone, by fixture: the number of marked places, with the reason.
DECLINED = {
    "argmax_ignores_temperature": ["it is not clear which value is the temperature"],
    "no_training_loss": ["no method of the class takes ids and gives logits"],
}


def suspicions(file: Path, text: str | None = None) -> tuple[Project, list[Suspicion]]:
    """What the scan sees in a fixture, or in a text in its place."""
    overlay = {} if text is None else {file.name: text}
    project = Project(root=file.parent, overlay=overlay)
    module = project.read(file)
    assert isinstance(module, SourceModule), module
    names: dict[str, tuple[str, ...]] = {}
    for target in discover(project, [module]):
        names[target.path] = (*names.get(target.path, ()), target.name)
    return project, list(scan(project, [module], ModelNames(by_path=names)))


def mend(project: Project, file: Path, suspicion: Suspicion) -> str:
    """The text with one suspicion mended."""
    module = project.read(file)
    assert isinstance(module, SourceModule)
    defect = defect_named(suspicion.rule)
    finding = Finding(
        rule=defect.code,
        name=defect.name,
        severity=defect.severity,
        location=suspicion.location,
        symbol=suspicion.symbol,
        message=suspicion.message,
        excerpt="",
        evidence=Evidence(status=Status.SUSPECTED),
        model=None,
        details=suspicion.details,
    )
    source = ParsedSource(module.text)
    request = Request(finding=finding, source=source, module=module, project=project, model=None)
    return remedy(module_of(defect)).mend(request)


@cache
def healed(file: Path) -> tuple[str, list[str]]:
    """The text with all that is suspected of the fixture's own rule mended, from the end up."""
    text = file.read_text()
    reasons: list[str] = []
    _, found = suspicions(file)
    own = [
        one for one in found if defect_named(one.rule).name == file.parent.name.replace("_", "-")
    ]
    for suspicion in sorted(own, key=lambda one: one.location, reverse=True):
        project = Project(root=file.parent, overlay={file.name: text})
        try:
            text = mend(project, file, suspicion)
        except Declined as reason:
            reasons.append(str(reason))
    return text, reasons


@pytest.fixture(scope="module", params=SICK, ids=lambda file: file.parent.name)
def fixture(request: pytest.FixtureRequest) -> tuple[Path, str, list[str]]:
    """A fixture, its mended text, and why places were left."""
    return request.param, *healed(request.param)


def test_all_but_a_few_known_places_are_mended(fixture: tuple[Path, str, list[str]]) -> None:
    """And the scan sees nothing in what is mended."""
    file, text, reasons = fixture
    assert reasons == DECLINED.get(file.parent.name, [])
    _, left = suspicions(file, text)
    own = [one for one in left if defect_named(one.rule).name == file.parent.name.replace("_", "-")]
    assert len(own) == len(reasons), [one.location.line for one in own]


def loaded(text: str) -> ModuleType:
    """A module of this text."""
    module = ModuleType("fixture")
    exec(compile(text, "fixture", "exec"), module.__dict__)
    return module


def answers(module: Any, name: str, state: dict[str, Any] | None) -> tuple[Any, dict[str, Any]]:
    """What a mixture of a fixture gives for seeded tokens, with weights or with its own."""
    torch.manual_seed(0)
    model = getattr(module, name)(8)
    if state is not None:
        model.load_state_dict(state)
    for shape in ((3, 7, 8), (21, 8)):  # some take rows of tokens
        try:
            return model(torch.randn(shape)), model.state_dict()
        except (ValueError, IndexError, RuntimeError):
            continue
    raise AssertionError(f"{name} cannot be run")


@pytest.mark.parametrize("name", ["transposed_gate", "expert_output_overwritten"])
def test_mended_mixtures_give_what_the_healed_ones_give(name: str) -> None:
    """The same numbers, for every mixture of the fixture."""
    file = next(one for one in SICK if one.parent.name == name)
    mended_module = loaded(healed(file)[0])
    healed_module = loaded(file.with_name("healed.py").read_text())
    bases = {"TopK", "Mixture", "Panel", "DenseGate"}
    names = [
        key
        for key, value in vars(healed_module).items()
        if isinstance(value, type) and issubclass(value, nn.Module) and key not in bases
    ]
    assert len(names) > 8
    for one in names:
        wanted, state = answers(healed_module, one, None)
        found, _ = answers(mended_module, one, state)
        torch.testing.assert_close(found, wanted)

"""`gptdoctor.examine`: a live model, as it stands in a notebook or a test."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from gptdoctor.config import DEFAULT_TIMEOUT_SECONDS, Options
from gptdoctor.core.diagnosis import Environment, Examination, ModelDiagnosis
from gptdoctor.core.errors import UsageError
from gptdoctor.core.findings import Finding
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.diagnose.cells import told_by_cell
from gptdoctor.diagnose.set_aside import settle
from gptdoctor.integrations.given_model import size_of, unwrapped
from gptdoctor.integrations.in_process import NOT_ASKED, Given, probe_name, run_probes
from gptdoctor.integrations.live_source import LiveSource, live_source
from gptdoctor.integrations.relocated import relocated
from gptdoctor.integrations.shown import ShownExamination, shown
from gptdoctor.prepare import Prepared, comments, suspect
from gptdoctor.probes.chosen import chosen_probes
from gptdoctor.specimen.on_device import device_of
from gptdoctor.specimen.places import known_as, settle_package
from gptdoctor.weigh import weigh

# Beyond this, what a probe repeats hundreds of times takes minutes; as for models that we build.
LARGE_PARAMETERS = 20_000_000


@dataclass(frozen=True, kw_only=True)
class Examiner:
    """How models are examined, where the usual way does not serve.

    The settings stand here, and not beside the model in `examine`, because every keyword there
    is an input of the model's own call, whatever that is called.
    """

    seed: int = 0  # of inputs and draws; the weights are the model's own
    # Looked at whenever a forward pass begins: nobody can stop one that is running.
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    probes: tuple[str, ...] = ()  # by name; empty: all of them
    fast: bool = False  # the quick probes alone
    entry: str | None = None  # the method that takes the inputs; None: `forward`, if there is one

    def examine(self, model: nn.Module, /, *inputs: Any, **named: Any) -> ShownExamination:
        """Examine a model that was built, called with `inputs` or, without any, as is found out.

        Everything runs in this process on copies, on the device that the model is on: the model,
        random numbers and torch's settings are afterwards as they were.

        Raises UsageError where `model` is no module, cannot be copied, or is too large for the
        memory that is free, and where a probe or a method is not known.
        """
        started = time.monotonic()
        given = Given(model=unwrapped(model), inputs=inputs, named=named)
        self._refuse_unknown(given.model)
        source = live_source(given.model)
        request = ExamineRequest(
            target=source.target(self.entry),
            root=str(source.root),
            seed=self.seed,
            timeout_seconds=self.timeout_seconds,
            probes=self.probes,
            without=() if self.probes else NOT_ASKED,
            fast=self.fast,
        )
        settle_package(request.root, request.target.path)
        with known_as(source.known_as):
            record = run_probes(given, request)
        record = relocated(record, source.cells.first_lines())
        examination = self._weighed(source, record)
        return shown(replace(examination, seconds=time.monotonic() - started), source)

    def _refuse_unknown(self, model: nn.Module) -> None:
        known = sorted(map(probe_name, chosen_probes(())))
        for name in self.probes:
            if name not in known:
                raise UsageError(f"there is no probe {name!r}", hint=f"there are {known}")
        if self.entry is not None and not callable(getattr(model, self.entry, None)):
            raise UsageError(f"{type(model).__name__} has no method {self.entry!r}")

    def _weighed(self, source: LiveSource, record: ModelRecord) -> Examination:
        """What the record and the text of the model's own classes give together."""
        prepared = Prepared(
            project=source.project,
            modules=source.modules,
            models=(record.target,),
            errors=(),
            skipped=(),
            ignored=(),
        )
        suspicions, failed = suspect(prepared)
        findings, models = weigh(prepared, suspicions, [record], live=True)
        found = Examination(
            environment=Environment(
                python=record.python,
                executable="",
                torch=record.torch,
                platform=platform.platform(terse=True),
                seed=self.seed,
                live=True,
            ),
            models=tuple(_noted(model, source) for model in models),
            findings=tuple(_mendable(one) for one in findings if _concerns(one, source, record)),
            errors=tuple(failed),
            skipped=(),
            files=len(source.modules),
            seconds=0.0,
            comments=comments(prepared),
        )
        # Only what comments say: there are no settings here, and no whole to miss findings in.
        return settle(told_by_cell(found, source.modules), Options(), whole=False)


def _concerns(finding: Finding, source: LiveSource, record: ModelRecord) -> bool:
    """Whether a finding is one of this model: files hold others, too, and sessions older texts."""
    place = finding.location
    ran = any(one.ran(place.path, place.line, place.end_line) for one in record.measured)
    return bool(finding.models) and (ran or source.is_current(place.path, place.line))


def _mendable(finding: Finding) -> Finding:
    """The finding without its fix where no file holds the text."""
    return replace(finding, fix=None) if finding.location.path.startswith("<") else finding


def _noted(model: ModelDiagnosis, source: LiveSource) -> ModelDiagnosis:
    """The diagnosis with what only holds for a model that was given."""
    notes = list(model.notes)
    device = device_of(source.model)
    if device.type != "cpu":
        notes.append(f"examined on {device}, where the model is")
    size = size_of(source.model)
    if size > LARGE_PARAMETERS:
        notes.append(
            f"{size / 1e6:.0f} million parameters make the examination slow: an instance with "
            "fewer layers and a smaller width tells the same"
        )
    if not any(module.text.strip() for module in source.modules):
        notes.append("the text of its class cannot be had, so that only the run was judged")
    if model.to_write is not None:
        notes.append("how it is called was not found out: gptdoctor.examine(model, ids) says it")
    return replace(model, notes=tuple(notes), to_write=None)

"""Mending what an examination found: one fix at a time, each proven on texts that are not on disk.

A fix is compared with the files as mended so far. One that fails its proof is dropped and the
rest go on without it. A fix that lets a model run for the first time changes what is known of
the others, so that the plan is made anew after every success.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gptdoctor.core import events
from gptdoctor.core.diagnosis import Examination, ModelDiagnosis
from gptdoctor.core.errors import RepairError
from gptdoctor.core.findings import Finding
from gptdoctor.core.repairs import Applicability, Outcome, Patch, RepairOutcome
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.parsed import ParsedSource
from gptdoctor.remedies.remedy import Request
from gptdoctor.repair.merge import merged
from gptdoctor.repair.patch import Texts
from gptdoctor.repair.plan import Place, PlannedFix, limited, plan
from gptdoctor.repair.verify import Comparison, Proof, verify
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

# Each success may uncover others; more than this many for each finding of the start is a loop.
MOST_TRIES_EACH = 5
# Why a fix is shown and not written.
SHOWN = "it is only shown: what should stand there is for you to say"
NOTEBOOK = "it is only shown: gptdoctor writes into no notebook, so change the cell yourself"


class CheckupLike(Protocol):
    """What repair asks of the checkup."""

    @property
    def root(self) -> Path:
        """The project's root, absolute."""

    def examine(
        self, overlay: Mapping[str, str] | None = None, *, paths: frozenset[str] | None = None
    ) -> Examination:
        """Run the whole line with texts that stand for files, for the models made of `paths`."""

    def project_with(self, overlay: Mapping[str, str]) -> Project:
        """The project as text, with texts that stand for files."""


def everything(rule: str) -> bool:
    """Whether findings of a rule are mended, when the user left none out."""
    return True


@dataclass(frozen=True, kw_only=True)
class RepairOptions:
    """What a repair may write beside what is safe and proven."""

    unsafe_fixes: bool = False  # fixes that guess what is meant
    unproven: bool = False  # fixes that no probe could judge
    refuted: bool = False  # findings that a measurement refuted
    wants: Callable[[str], bool] = everything  # rules whose findings are mended


@dataclass(frozen=True, kw_only=True)
class RepairResult:
    """What became of every fix, and what is to be written."""

    outcomes: tuple[RepairOutcome, ...]
    patches: tuple[Patch, ...]  # for each file, from what is on disk to what shall be
    examination: Examination  # of the texts with all patches


def repair(
    checkup: CheckupLike,
    examination: Examination,
    options: RepairOptions,
    listener: events.Listener = events.ignore,
) -> RepairResult:
    """Try the fixes of all findings. Nothing is written: that is for `apply`."""
    work = _Work(checkup=checkup, examination=examination, options=options, listener=listener)
    work.run()
    patches = work.texts.patches()
    after = checkup.examine(work.texts.overlay()) if patches else examination
    return RepairResult(outcomes=tuple(work.outcomes.values()), patches=patches, examination=after)


def _run(fix: PlannedFix, request: Request) -> str:
    """The new text. A codemod that breaks on a user's code must not stop the others."""
    try:
        return fix.remedy.mend(request)
    except Declined:
        raise
    except Exception as error:
        told = f"the codemod failed on this code ({type(error).__name__}: {error})"
        raise Declined(told) from error


@dataclass(eq=False, kw_only=True)
class _Work:
    """One repair while it goes on."""

    checkup: CheckupLike
    examination: Examination
    options: RepairOptions
    listener: events.Listener
    outcomes: dict[tuple[Place, int], RepairOutcome] = field(default_factory=dict)
    tried: set[tuple[tuple[Place, int], Applicability]] = field(default_factory=set)
    mended: Counter[Place] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.texts = Texts(root=self.checkup.root)
        # Where the places are on disk: lines move as the text above them is mended.
        self.lines = {self._id(fix): fix.finding.location.line for fix in self._planned()}

    def run(self) -> None:
        """Try what is planned until nothing new is left."""
        for _ in range(MOST_TRIES_EACH * len(self.examination.findings)):
            # A finding that is better known than before may be tried again.
            planned = self._planned()
            left = [fix for fix in planned if (self._id(fix), fix.applicability) not in self.tried]
            if not left:
                return
            self.tried.add((self._id(left[0]), left[0].applicability))
            self._announce(left[0], len(left))
            self._try(left[0])

    def _id(self, fix: PlannedFix) -> tuple[Place, int]:
        """What the place of a fix was on disk: of several alike, those mended are gone."""
        return fix.place, fix.number + self.mended[fix.place]

    def _planned(self) -> list[PlannedFix]:
        planned = plan(self.examination, refuted=self.options.refuted)
        return [fix for fix in planned if self.options.wants(fix.finding.rule)]

    def _announce(self, fix: PlannedFix, left: int) -> None:
        index = len(self.outcomes) + 1
        event = events.ProofStarted(
            rule=fix.finding.rule,
            path=fix.finding.location.path,
            index=index,
            total=index + left - 1,
        )
        self.listener(event)

    def _try(self, fix: PlannedFix) -> None:
        """Mend, prove, and keep the patch where that is wanted."""
        try:
            fix, patch = self._mend(fix)
        except (Declined, RepairError) as reason:
            self._tell(fix, Proof(outcome=Outcome.DECLINED, reason=str(reason)), None)
            return
        if fix.applicability is Applicability.DISPLAY:
            shown = NOTEBOOK if fix.finding.location.in_cell else SHOWN
            self._tell(fix, Proof(outcome=Outcome.UNPROVEN, reason=shown), patch)
            return
        after = self.checkup.examine(self.texts.overlay(patch), paths=frozenset({patch.path}))
        proof = self._prove(fix, patch, after)
        self._tell(fix, proof, patch)
        if self._is_wanted(fix, proof.outcome):
            self.examination = merged(self.examination, after, patch.path)
            self.texts.adopt(patch)
            self.mended[fix.place] += 1

    def _mend(self, fix: PlannedFix) -> tuple[PlannedFix, Patch]:
        """The patch, and the fix as far as this instance lets it go."""
        path = fix.finding.location.path
        text = self.texts.current(path)
        request = self._request(fix.finding, text, self.texts.overlay())
        new = _run(fix, request)
        if new == text:
            raise Declined("the codemod has nothing to change there")
        in_notebook = fix.finding.location.in_cell is not None
        limit = Applicability.DISPLAY if in_notebook else fix.remedy.limit(request)
        return limited(fix, limit), Patch(path=path, before=text, after=new)

    def _request(self, finding: Finding, text: str, overlay: Mapping[str, str]) -> Request:
        project = self.checkup.project_with(overlay)
        module = project.read(self.checkup.root / finding.location.path)
        if not isinstance(module, SourceModule):
            raise Declined(f"the file cannot be parsed: {module.message}")
        return Request(
            finding=finding,
            source=ParsedSource(text),
            module=module,
            project=project,
            model=self._model_of(finding),
        )

    def _model_of(self, finding: Finding) -> ModelDiagnosis | None:
        """The main model of a finding: by name, in the finding's own file where there are two."""
        found = [model for model in self.examination.models if model.name == finding.model]
        found.sort(key=lambda model: model.path != finding.location.path)
        return found[0] if found else None

    def _prove(self, fix: PlannedFix, patch: Patch, after: Examination) -> Proof:
        comparison = Comparison(
            finding=fix.finding,
            order=fix.promise.order,
            before=self.examination,
            after=after,
        )
        proof = verify(comparison)
        if proof.outcome is not Outcome.FAILED and self._changes_again(fix, patch):
            reason = "a second run of the codemod would change the text once more"
            return Proof(outcome=Outcome.FAILED, reason=reason)
        return proof

    def _changes_again(self, fix: PlannedFix, patch: Patch) -> bool:
        try:
            request = self._request(fix.finding, patch.after, self.texts.overlay(patch))
            return _run(fix, request) != patch.after
        except Declined:
            return False

    def _is_wanted(self, fix: PlannedFix, outcome: Outcome) -> bool:
        """Whether a fix is to be written.

        A guess at what is meant needs `unsafe_fixes`. What is unsafe only because nothing has
        measured it needs `unproven`, which says that this is known.
        """
        if outcome is Outcome.PROVEN:
            return fix.applicability is Applicability.SAFE or self.options.unsafe_fixes
        if outcome is not Outcome.UNPROVEN or not self.options.unproven:
            return False
        return not fix.guesses or self.options.unsafe_fixes

    def _tell(self, fix: PlannedFix, proof: Proof, patch: Patch | None) -> None:
        finding = fix.finding
        self.outcomes[self._id(fix)] = RepairOutcome(
            rule=finding.rule,
            name=finding.name,
            path=finding.location.path,
            line=self.lines.get(self._id(fix), finding.location.line),
            title=fix.title,
            applicability=fix.applicability,
            outcome=proof.outcome,
            reason=proof.reason,
            patch=patch,
            in_cell=finding.location.in_cell,
        )

"""Mending what an examination found: each fix proven on texts that are not on disk.

Fixes are compared with the files as mended so far. Those whose changes do not touch each other
are tried together, and all taken up if each is proven by its own finding and none of them did
harm; else fewer are tried, in the end one by one. One that fails its proof by itself is dropped
and the rest go on without it. A fix that lets a model run for the first time changes what is
known of the others, so that the plan is made anew after every success.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from gptdoctor.core import events
from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.errors import RepairError
from gptdoctor.core.findings import Status
from gptdoctor.core.repairs import Applicability, Outcome, Patch, RepairOutcome
from gptdoctor.remedies.declined import Declined
from gptdoctor.repair.mending import Mended, Mending, ProjectSource, woven_together
from gptdoctor.repair.merge import merged
from gptdoctor.repair.patch import Texts
from gptdoctor.repair.plan import Place, PlannedFix, plan
from gptdoctor.repair.verify import Comparison, Proof, verify

# Each success may uncover others; more than this many for each finding of the start is a loop.
MOST_TRIES_EACH = 5
# So many fixes are tried together, if that many are left.
AT_ONCE = sys.maxsize
# Why a fix is shown and not written.
SHOWN = "it is only shown: what should stand there is for you to say"
NOTEBOOK = "it is only shown: gptdoctor writes into no notebook, so change the cell yourself"


class CheckupLike(ProjectSource, Protocol):
    """What repair asks of the checkup."""

    def examine(
        self, overlay: Mapping[str, str] | None = None, *, paths: frozenset[str] | None = None
    ) -> Examination:
        """Run the whole line with texts that stand for files, for the models made of `paths`."""


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
    given: Mapping[str, str] | None = None,
) -> RepairResult:
    """Try the fixes of all findings. Nothing is written: that is for `apply`.

    `given`: texts that stand for files from the beginning, line ends kept.
    """
    work = _Work(checkup=checkup, examination=examination, options=options, listener=listener)
    work.texts.take(given or {})
    work.run()
    patches = work.texts.patches()
    after = work.examined_whole() if patches else examination
    return RepairResult(outcomes=tuple(work.outcomes.values()), patches=patches, examination=after)


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

    most: int = AT_ONCE  # fixes that are tried together
    whole: tuple[Mapping[str, str], Examination] | None = None  # the last one of all models

    def __post_init__(self) -> None:
        self.texts = Texts(root=self.checkup.root)
        # Where the places are on disk: lines move as the text above them is mended.
        self.lines = {self._id(fix): fix.finding.location.line for fix in self._planned()}

    def run(self) -> None:
        """Try what is planned until nothing new is left."""
        most_tries = MOST_TRIES_EACH * len(self.examination.findings)
        while len(self.tried) < most_tries:
            # A finding that is better known than before may be tried again.
            left = [fix for fix in self._planned() if self._key(fix) not in self.tried]
            if not left:
                return
            self._try_first(left)

    def examined_whole(self) -> Examination:
        """All models, with the texts as they are mended now."""
        overlay = self.texts.overlay()
        if self.whole is None or self.whole[0] != overlay:
            self.whole = overlay, self.checkup.examine(overlay)
        return self.whole[1]

    def _id(self, fix: PlannedFix) -> tuple[Place, int]:
        """What the place of a fix was on disk: of several alike, those mended are gone."""
        return fix.place, fix.number + self.mended[fix.place]

    def _key(self, fix: PlannedFix) -> tuple[tuple[Place, int], Applicability]:
        return self._id(fix), fix.applicability

    def _planned(self) -> list[PlannedFix]:
        planned = plan(self.examination, refuted=self.options.refuted)
        return [fix for fix in planned if self.options.wants(fix.finding.rule)]

    @property
    def _mending(self) -> Mending:
        return Mending(source=self.checkup, texts=self.texts, examination=self.examination)

    def _try_first(self, left: Sequence[PlannedFix]) -> None:
        """Mend, prove, and keep the patch of the first fix, and of those that may go with it."""
        fix = left[0]
        try:
            first = self._mending.mend(fix)
        except (Declined, RepairError) as reason:
            self._announce([fix], len(left))
            self._settle(fix, Proof(outcome=Outcome.DECLINED, reason=str(reason)), None)
            return
        group = woven_together(self._going_with(first, left[1:]), self.most)
        self._announce([one.fix for one in group], len(left))
        if first.fix.applicability is Applicability.DISPLAY:
            shown = NOTEBOOK if fix.finding.location.in_cell else SHOWN
            self._settle(fix, Proof(outcome=Outcome.UNPROVEN, reason=shown), first)
            return
        self._prove(group, whole=self._are_the_last(group, left))

    def _going_with(self, first: Mended, rest: Sequence[PlannedFix]) -> Iterator[Mended]:
        """The first, and fixes that are certain to be written as well once they are proven.

        What lets a model run shows what else there is, so that it is not tried with the others.
        """
        yield first
        if not self._is_certain(first.fix):
            return
        for fix in rest:
            if self._is_certain(fix) and fix.lets_run == first.fix.lets_run:
                with suppress(Declined, RepairError):  # which is told when it is the first
                    mended = self._mending.mend(fix)
                    if self._is_certain(mended.fix):
                        yield mended

    def _is_certain(self, fix: PlannedFix) -> bool:
        confirmed = fix.finding.evidence.status is Status.CONFIRMED
        return confirmed and self._is_wanted(fix, Outcome.PROVEN)

    def _are_the_last(self, group: Sequence[Mended], left: Sequence[PlannedFix]) -> bool:
        """Whether the proof may be the examination of what will be written.

        Not where most models have nothing to do with it, for it may fail.
        """
        files = {one.patch.path for one in group}
        models = [model.path in files for model in self.examination.models]
        certain = [fix for fix in left if self._is_certain(fix)]
        return 2 * sum(models) >= len(models) and certain == [one.planned for one in group]

    def _prove(self, group: Sequence[Mended], *, whole: bool) -> None:
        """Take up all of them, or none: then fewer are tried next, in the end one by one."""
        texts = self.texts.overlay(*(one.patch for one in group))
        files = frozenset(one.patch.path for one in group)
        after = self.checkup.examine(texts, paths=None if whole else files)
        proofs = [self._proof(one, group, after) for one in group]
        wanted = [
            self._is_wanted(one.fix, proof.outcome)
            for one, proof in zip(group, proofs, strict=True)
        ]
        if not all(wanted):
            # Once the one that fails is known, the rest may do well together.
            self.most = len(group) // 2 or AT_ONCE
            if len(group) > 1:
                return
        for one, proof in zip(group, proofs, strict=True):
            self._settle(one.planned, proof, one)
        if all(wanted):
            self._adopt(group, files, after)
            if whole:
                self.whole = texts, after

    def _adopt(self, group: Sequence[Mended], files: frozenset[str], after: Examination) -> None:
        self.examination = merged(self.examination, after, files)
        for one in group:
            self.texts.adopt(one.patch)
            self.mended[one.fix.place] += 1

    def _proof(self, mended: Mended, group: Sequence[Mended], after: Examination) -> Proof:
        comparison = Comparison(
            finding=mended.fix.finding,
            order=mended.fix.promise.order,
            before=self.examination,
            after=after,
            others=tuple(one.fix.finding for one in group if one is not mended),
        )
        proof = verify(comparison)
        if proof.outcome is not Outcome.FAILED and self._mending.changes_again(mended):
            reason = "a second run of the codemod would change the text once more"
            return Proof(outcome=Outcome.FAILED, reason=reason)
        return proof

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

    def _announce(self, fixes: Sequence[PlannedFix], left: int) -> None:
        index = len(self.outcomes) + 1
        event = events.ProofStarted(
            rule=fixes[0].finding.rule,
            path=fixes[0].finding.location.path,
            index=index,
            total=index + left - 1,
            together=len(fixes),
        )
        self.listener(event)

    def _settle(self, planned: PlannedFix, proof: Proof, mended: Mended | None) -> None:
        """Note what became of a fix, which is not tried again."""
        fix = planned if mended is None else mended.fix
        self.tried.add(self._key(planned))
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
            patch=None if mended is None else mended.patch,
            in_cell=finding.location.in_cell,
        )

"""A test for each confirmed finding of a mutant: does it fail there, and pass on the base?

    python -m benchmarks.mutations.proofs --development
    python -m benchmarks.mutations.proofs --development --family routing --per-operator 1

The tests are those of `gptdoctor prove`, and are run in Python processes without gptdoctor, first
beside the mutant and then beside its base.  What the base has as well is a fault of the host, and
no test of it can pass there: such findings are counted and left out.  It is the same rule at a
line with the same text; where the mutation changed that line, the same rule in the same function
whose test fails on the base as well.  Prints Markdown: a line for each rule, and every exception.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.mutations.cases import ROOT, Case
from benchmarks.mutations.chosen import chosen, options_of
from benchmarks.mutations.doctor import documents, examined
from benchmarks.mutations.packaged import scratch
from benchmarks.mutations.table import judged
from gptdoctor.catalog import defect_named
from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.findings import Finding
from gptdoctor.prove.written import HealthTest, confirmed, file_of, health_tests, needs_model
from gptdoctor.report.json_document import from_document

SECONDS = 7200.0
SAME = PurePosixPath()  # a test lies beside the file that it is about
MUTANT, BASE = "mutant", "base"


@dataclass(frozen=True, kw_only=True)
class Written:
    """The tests of one mutant, and its findings that have none."""

    case: Case
    model: ModelDiagnosis | None
    findings: tuple[Finding, ...]  # confirmed, and not on the base
    on_base: int  # confirmed findings that the base has as well
    of_host: frozenset[tuple[str, str]]  # what is confirmed of the base: rule and function
    tests: tuple[HealthTest, ...]

    def files(self) -> Iterator[dict[str, Any]]:
        """The tests as texts to be run: those that need the model's file, and those that do not.

        A mutant that cannot be imported fails all of the first, and `prove` tells it apart.
        """
        assert self.model is not None
        for needed in (True, False):
            tests = [one for one in self.tests if needs_model(self.model, one.body) is needed]
            if tests:
                names = [one.name for one in tests]
                yield {"text": file_of(self.model, tests, SAME), "names": names}


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What became of one finding."""

    case: Case
    finding: Finding
    test: HealthTest | None
    on_mutant: str | None = None  # how its test fails, "" where it passes; None: it cannot be run
    on_base: str | None = None
    why: str = ""  # it cannot be run
    host_has: bool = False  # the base has a finding of the same rule in the same function

    @property
    def is_of_host(self) -> bool:
        """Whether the fault is the host's: the test of it fails on both, for its own reason."""
        return self.host_has and self.fails and self.on_base == self.on_mutant

    @property
    def fails(self) -> bool:
        """Whether the test fails on the mutant for the reason that it states."""
        if self.test is None or not self.on_mutant:
            return False
        return self.on_mutant.partition(":")[0] in {"AssertionError", self.test.raises}

    @property
    def passes(self) -> bool:
        """Whether the test passes on the base."""
        return self.on_base == ""

    @property
    def trouble(self) -> str:
        """What is wrong, "" where all is well."""
        if self.test is None:
            form = "no proof" if defect_named(self.finding.rule).proof is None else "not this form"
            return f"no test ({form}): {self.finding.evidence.values}"
        told = []
        if not self.fails:
            told.append(f"on the mutant: {self.on_mutant or self.why or 'it passes'}")
        if not self.passes:
            told.append(f"on the base: {self.on_base or self.why or 'it fails'}")
        return "; ".join(told)


def written(case: Case, document: dict[str, Any], base_case: Case, told: dict[str, Any]) -> Written:
    """The tests for what is confirmed of a mutant, and not of its base, as `told` has it."""
    of_host = frozenset(
        (one["rule"], one["symbol"])
        for one in told["findings"]
        if one["evidence"]["status"] == "confirmed"
    )
    base = examined(base_case, told)
    found = examined(case, document)
    if "schema_version" not in document:  # gptdoctor itself failed
        return Written(case=case, model=None, findings=(), on_base=0, of_host=of_host, tests=())
    examination = from_document(document)
    [model] = examination.models or [None]
    every = () if model is None else tuple(confirmed(model, examination.findings))
    new = {(one.rule, one.line) for one in judged(case, found, base).new}
    findings = tuple(one for one in every if (one.rule, one.location.line) in new)
    return Written(
        case=case,
        model=model,
        findings=findings,
        on_base=len(every) - len(findings),
        of_host=of_host,
        tests=() if model is None else tuple(health_tests(model, findings)),
    )


def run(every: list[Written], bases: list[Case], folder: Path) -> dict[str, dict[str, str]]:
    """How each test ends, by "mutant" or "base", the mutant's name and the number of the file."""
    cases = [
        {"name": f"{state} {one.case.name} {number}", "folder": str(folder / place), **file}
        for one in every
        for number, file in enumerate(one.files())
        for state, place in ((MUTANT, one.case.folder), (BASE, _base_of(one.case).folder))
    ]
    asked = {"bases": [str(folder / one.folder / one.host.file) for one in bases], "cases": cases}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mutations.proof_runs"],
        cwd=ROOT,
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        text=True,
        check=True,
        timeout=SECONDS,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["name"]: line["told"] for line in lines}


def _base_of(case: Case) -> Case:
    return Case(host=case.host, operator=None, source="")


def proofs(one: Written, told: dict[str, dict[str, str]]) -> Iterator[Proof]:
    """What became of each finding of a mutant."""
    tests = {id(test.finding): test for test in one.tests}
    files = [*one.files()] if one.tests else []
    for finding in one.findings:
        test = tests.get(id(finding))
        if test is None:
            yield Proof(case=one.case, finding=finding, test=None)
            continue
        number = next(n for n, file in enumerate(files) if test.name in file["names"])
        mutant, base = (told[f"{state} {one.case.name} {number}"] for state in (MUTANT, BASE))
        yield Proof(
            case=one.case,
            finding=finding,
            test=test,
            on_mutant=mutant.get(test.name),
            on_base=base.get(test.name),
            why=mutant.get("") or base.get("", ""),
            host_has=(finding.rule, finding.symbol) in one.of_host,
        )


def table(found: list[Proof]) -> Iterator[str]:
    """A row for each rule, and a line for each finding whose test does not do what it should."""
    yield "| rule | confirmed | with a test | it fails on the mutant | it passes on the base |"
    yield "|---|---|---|---|---|"
    rules = sorted({one.finding.rule for one in found})
    for rule in rules:
        yield _row(rule, [one for one in found if one.finding.rule == rule])
    yield _row("**all**", found)
    yield ""
    wrong = [one for one in found if one.trouble]
    yield f"Without a test that fails on the mutant and passes on its base: {len(wrong)}"
    for one in wrong:
        line = one.finding.location.line
        yield f"- {one.case.name}, {one.finding.rule} at line {line}: {one.trouble}"


def _row(name: str, found: list[Proof]) -> str:
    counts = [
        len(found),
        sum(one.test is not None for one in found),
        sum(one.fails for one in found),
        sum(one.passes for one in found),
    ]
    return f"| {name} | {' | '.join(map(str, counts))} |"


def main() -> None:
    """Make, examine, write tests, run them, tell."""
    result, mutants = chosen(options_of(__doc__).parse_args())
    folder = scratch() / "cases"
    shutil.rmtree(folder, ignore_errors=True)
    bases = {case.host.name: (case, one) for case, one in documents(result.bases, folder)}
    every = [
        written(case, document, *bases[case.host.name])
        for case, document in documents(mutants, folder)
    ]
    told = run(every, result.bases, folder)
    found = [proof for one in every for proof in proofs(one, told)]
    of_hosts = [one for one in found if one.is_of_host]
    found = [one for one in found if not one.is_of_host]
    missed = sum(not one.findings for one in every)
    print(f"{len(every)} mutants, {missed} of them without a finding of their own.")
    on_bases = sum(one.on_base for one in every) + len(of_hosts)
    print(f"{on_bases} findings are on the base as well, {len(of_hosts)} at a changed line.\n")
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()

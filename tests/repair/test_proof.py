"""What counts as a proof: comparing two examinations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, UnmeasuredProbe, Verdict
from gptdoctor.core.findings import Evidence, Finding, Location, ModelEvidence, Severity, Status
from gptdoctor.core.repairs import Outcome
from gptdoctor.repair.merge import merged
from gptdoctor.repair.verify import Comparison, Proof, verify
from tests.repair.checkups import ENVIRONMENT

MEASURED = ("construction", "gradient-flow")


def model(
    name: str = "M", verdict: Verdict = Verdict.DEGRADED, measured: tuple[str, ...] = MEASURED
) -> ModelDiagnosis:
    """A model in a file of its name."""
    return ModelDiagnosis(
        name=name,
        path=f"{name.lower()}.py",
        line=1,
        verdict=verdict,
        reasons=(),
        measured=measured,
        unmeasured=(UnmeasuredProbe(probe="sampling", reason="it has no generate"),),
    )


def finding(
    rule: str = "GD101",
    status: Status = Status.CONFIRMED,
    *,
    path: str = "m.py",
    symbol: str = "M.forward",
    of: tuple[str, ...] = ("M",),
    probe: str = "gradient-flow",
    line: int = 3,
) -> Finding:
    """A finding, as some models show it."""
    known = Evidence(status=status, probe=None if status is Status.SUSPECTED else probe)
    return Finding(
        rule=rule,
        name="a-name",
        severity=Severity.HIGH,
        location=Location(path=path, line=line, column=1, end_line=line, end_column=9),
        symbol=symbol,
        message="",
        excerpt="x",
        evidence=known,
        model=of[0] if of else None,
        models=tuple(
            ModelEvidence(name=name, path=f"{name.lower()}.py", evidence=known) for name in of
        ),
    )


def examination(models: list[ModelDiagnosis], findings: list[Finding]) -> Examination:
    """An examination with these."""
    return Examination(
        environment=ENVIRONMENT,
        models=tuple(models),
        findings=tuple(findings),
        errors=(),
        skipped=(),
        files=1,
        seconds=0.1,
    )


def proof(
    before: Examination,
    after: Examination,
    of: Finding | None = None,
    order: int = 2,
    others: tuple[Finding, ...] = (),
) -> Proof:
    """The proof of the fix of a finding, mended along with others."""
    comparison = Comparison(
        finding=of or finding(), order=order, before=before, after=after, others=others
    )
    return verify(comparison)


def test_a_finding_that_is_gone_while_its_probe_measured_is_proven() -> None:
    """The plain case."""
    found = proof(examination([model()], [finding()]), examination([model()], []))
    assert found.outcome is Outcome.PROVEN
    assert "gradient-flow finds M in range" in found.reason


def test_one_of_two_signs_in_a_function_may_stay() -> None:
    """Another place of the same rule is another fix."""
    both = [finding(), finding(line=9)]
    found = proof(examination([model()], both), examination([model()], both[1:]))
    assert found.outcome is Outcome.PROVEN


def test_of_two_that_were_mended_together_none_may_stay() -> None:
    """Each answers for its own place: what is left of one is no other that was known."""
    first, second = finding(), finding(line=9)
    before, after = examination([model()], [first, second]), examination([model()], [second])
    assert "still shows the harm" in proof(before, after, first, others=(second,)).reason
    assert "still shows the harm" in proof(before, after, second, others=(first,)).reason
    found = proof(before, examination([model()], []), first, others=(second,))
    assert found.outcome is Outcome.PROVEN
    assert found.reason.endswith("; shown together with another fix")


def test_harm_of_a_rule_that_was_mended_along_with_it_is_new() -> None:
    """It was known of another place, which nothing of it is left in."""
    other = finding("GD201", symbol="M.route")
    moved = finding("GD201", symbol="M.forward")
    before, after = examination([model()], [finding(), other]), examination([model()], [moved])
    assert proof(before, after).outcome is Outcome.PROVEN
    assert "GD201 a-name is confirmed for M" in proof(before, after, others=(other,)).reason


def test_a_refuted_sign_is_still_a_sign() -> None:
    """The text must have lost it."""
    after = examination([model()], [finding(status=Status.REFUTED)])
    found = proof(examination([model()], [finding()]), after)
    assert found == Proof(outcome=Outcome.FAILED, reason="the text still shows the sign")


def test_a_model_that_is_gone_fails() -> None:
    """The fix must not hide it."""
    found = proof(examination([model()], [finding()]), examination([], []))
    assert "M was not found any more" in found.reason


def test_a_model_elsewhere_that_was_not_examined_again_is_no_loss() -> None:
    """A proof looks at the models of one file."""
    before = examination([model(), model("N")], [finding()])
    assert proof(before, examination([model()], [])).outcome is Outcome.PROVEN


def test_unexamined_after_is_worse_and_unexamined_before_is_not() -> None:
    """What could not be run had nothing to lose."""
    lost = model(verdict=Verdict.UNEXAMINED)
    found = proof(examination([model()], [finding()]), examination([lost], []))
    assert "was degraded and became unexamined" in found.reason
    new = model(verdict=Verdict.UNTRAINABLE)
    found = proof(examination([lost], [finding()]), examination([new], []))
    assert found.outcome is Outcome.PROVEN


def test_harm_that_a_new_probe_shows_is_newly_measured() -> None:
    """It was there before, and nobody could see it."""
    harm = finding("GD901", probe="learning", symbol="M")
    before = examination([model()], [finding()])
    after = examination([model(measured=(*MEASURED, "learning"))], [harm])
    found = proof(before, after)
    assert found.outcome is Outcome.PROVEN
    assert "newly measured: learning" in found.reason


def test_what_is_newly_measured_is_told_of_the_models_of_the_fix() -> None:
    """What other fixes let run is told with those."""
    before = examination([model(), model("N")], [finding()])
    more = model("N", measured=(*MEASURED, "learning"))
    after = examination([model(measured=(*MEASURED, "labels")), more], [])
    assert "newly measured: labels;" in proof(before, after).reason + ";"


def test_harm_that_an_old_probe_shows_now_was_done_by_the_fix() -> None:
    """Unless the fix let a model run that could not."""
    harm = finding("GD901", symbol="M")
    before = examination([model(verdict=Verdict.UNTRAINABLE)], [finding()])
    after = examination([model(verdict=Verdict.UNTRAINABLE)], [harm])
    assert "GD901 a-name is confirmed for M" in proof(before, after).reason
    assert proof(before, after, order=1).outcome is Outcome.PROVEN


def test_a_suspicion_that_becomes_confirmed_is_no_new_harm() -> None:
    """It was known."""
    other = finding("GD201", Status.SUSPECTED, symbol="E.forward")
    confirmed = finding("GD201", symbol="E.forward")
    found = proof(examination([model()], [finding(), other]), examination([model()], [confirmed]))
    assert found.outcome is Outcome.PROVEN


def test_new_signs_in_the_mended_file_fail() -> None:
    """But for an import, that may uncover what was there."""
    sign = finding("GD301", Status.SUSPECTED, of=())
    before, after = examination([model()], [finding()]), examination([model()], [sign])
    assert "shows GD301 in M.forward" in proof(before, after).reason
    assert proof(before, after, order=0).outcome is Outcome.PROVEN


def test_a_partial_examination_keeps_what_others_say() -> None:
    """Models and findings of files that did not change still hold."""
    shared = finding("GD201", path="moe.py", symbol="E", of=("M", "N"))
    other = finding("GD401", path="n.py", symbol="N.generate", of=("N",))
    before = examination([model(), model("N")], [finding(), shared, other])
    healed = model(verdict=Verdict.TRAINABLE)
    again = finding("GD201", Status.SUSPECTED, path="moe.py", symbol="E", of=("M",))
    whole = merged(before, examination([healed], [again]), frozenset({"m.py"}))
    assert [(one.name, one.verdict) for one in whole.models] == [
        ("M", Verdict.TRAINABLE),
        ("N", Verdict.DEGRADED),
    ]
    assert [(one.rule, one.evidence.status) for one in whole.findings] == [
        ("GD201", Status.CONFIRMED),
        ("GD401", Status.CONFIRMED),
    ]


def test_findings_of_the_mended_file_are_those_of_the_new_text() -> None:
    """Old ones are gone, whoever showed them."""
    before = examination([model()], [finding(), replace(finding("GD601"), models=())])
    assert merged(before, examination([model()], []), frozenset({"m.py"})).findings == ()


def test_the_catalog_serves_the_remedies_of_all_defects(tmp_path: Path) -> None:
    """Each defect that promises a fix has a codemod of its name."""
    from gptdoctor.catalog import all_defects
    from gptdoctor.repair.plan import remedy_of

    for defect in all_defects():
        assert (remedy_of(defect.code) is not None) == (defect.fix is not None)

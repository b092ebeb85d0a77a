"""The findings that a project knows and lives with for now, in a file of its own.

Old code is not mended in a day.  With a baseline the gate looks at what is new; the file tells how
much is left, and says so where an entry of it is no longer found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gptdoctor.config import Options
from gptdoctor.core.diagnosis import Examination, ModelDiagnosis, Verdict
from gptdoctor.core.errors import ConfigError
from gptdoctor.core.findings import Finding, Status
from gptdoctor.core.suppressions import SuppressedBy, Suppression
from gptdoctor.diagnose.fingerprints import fingerprints
from gptdoctor.diagnose.set_aside import sorted_out
from gptdoctor.diagnose.words import count, some
from gptdoctor.whole_files import write_file

USUAL_NAME = "gptdoctor-baseline.json"
VERSION = 1
WRITE_IT = "write it with: gptdoctor check --write-baseline"
# Lines move and losses differ from machine to machine: without numbers a reason stays the same.
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True, kw_only=True, order=True)
class KnownFinding:
    """One finding, with what a reader of the file wants to know; the fingerprint decides."""

    path: str
    rule: str
    symbol: str
    message: str
    fingerprint: str
    seen_by: str = "text"  # "run": the text alone does not show it
    refuted: bool = False  # a run had found no harm in it: once it does, the finding is a new one


@dataclass(frozen=True, kw_only=True, order=True)
class KnownModel:
    """One untrainable model, with the reasons that are known."""

    path: str
    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What one file holds."""

    findings: tuple[KnownFinding, ...] = ()
    models: tuple[KnownModel, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What a run looked at: nothing can be said to be gone that was not looked for."""

    root: Path
    paths: frozenset[str]  # of the files that were examined
    options: Options


def read_baseline(file: Path) -> Baseline:
    """The baseline in a file; raises ConfigError, one sentence, where it holds none."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no baseline {file}", hint=WRITE_IT) from None
    except OSError as error:
        raise ConfigError(f"the baseline {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"the baseline {file} is not JSON: {error}", hint=WRITE_IT) from error
    try:
        return _from_document(document)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the baseline {file} is not as gptdoctor writes it: {_told(error)}", hint=WRITE_IT
        ) from error


def write_baseline(file: Path, baseline: Baseline) -> None:
    """Write the file, wholly or not at all; raises DoctorError where that fails."""
    document = {
        "version": VERSION,
        "findings": [_finding_entry(one) for one in sorted(baseline.findings)],
        "models": [asdict(one) for one in sorted(baseline.models)],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    write_file(file, text)


def without_known(
    examination: Examination, baseline: Baseline, looked: Looked, name: str
) -> Examination:
    """The examination with all set aside that the baseline, which is called `name`, knows."""
    prints = _prints(examination)
    known = {one.fingerprint: one for one in baseline.findings}

    def judge(finding: Finding) -> Suppression | None:
        entry = known.get(prints[id(finding)])
        if entry is None or (entry.refuted and finding.evidence.status is Status.CONFIRMED):
            return None
        return Suppression(by=SuppressedBy.BASELINE)

    reasons = {(one.path, one.name): one.reasons for one in baseline.models}
    models = tuple(_knowing(one, reasons) for one in examination.models)
    found = sorted_out(replace(examination, models=models), judge)
    gone = [
        f"{one.rule} in {one.path}"
        for one in baseline.findings
        if one.fingerprint not in prints.values() and _is_gone(one, examination, looked)
    ]
    if not gone:
        return found
    told = f"{count(len(gone), 'finding')} of {name} {'is' if len(gone) == 1 else 'are'} gone "
    told += f"({some(gone)}): --write-baseline takes {'it' if len(gone) == 1 else 'them'} out."
    return replace(found, remarks=(*found.remarks, told))


def baseline_of(examination: Examination, old: Baseline, looked: Looked) -> Baseline:
    """What is found now, and what was known already and not looked for.

    What comments or settings set aside needs no baseline.
    """
    prints = _prints(examination)
    aside = [
        one
        for one in examination.suppressed
        if one.suppressed is not None and one.suppressed.by is SuppressedBy.BASELINE
    ]
    wanted = [one for one in (*examination.findings, *aside) if looked.options.wants(one.rule)]
    new = [_known(one, prints[id(one)]) for one in wanted]
    found = {*prints.values()}
    kept = [
        one
        for one in old.findings
        if one.fingerprint not in found and not _is_gone(one, examination, looked)
    ]
    return Baseline(findings=(*new, *kept), models=_known_models(examination, old))


def _prints(examination: Examination) -> Mapping[int, str]:
    """The fingerprint of each finding, by its identity; those set aside count, too."""
    findings = (*examination.findings, *examination.suppressed)
    return {id(one): text for one, text in zip(findings, fingerprints(findings), strict=True)}


def _known(finding: Finding, fingerprint: str) -> KnownFinding:
    return KnownFinding(
        path=finding.location.path,
        rule=finding.rule,
        symbol=finding.symbol,
        message=finding.message,
        fingerprint=fingerprint,
        seen_by="text" if finding.seen_by == "text" else "run",
        refuted=finding.evidence.status is Status.REFUTED,
    )


def _known_models(examination: Examination, old: Baseline) -> tuple[KnownModel, ...]:
    """The models that are untrainable; those that were not examined as they were known."""
    judged = [one for one in examination.models if one.verdict not in (None, Verdict.UNEXAMINED)]
    new = [
        KnownModel(path=one.path, name=one.name, reasons=tuple(map(_steady, one.reasons)))
        for one in judged
        if one.verdict is Verdict.UNTRAINABLE
    ]
    seen = {(one.path, one.name) for one in judged}
    return (*new, *(one for one in old.models if (one.path, one.name) not in seen))


def _knowing(
    model: ModelDiagnosis, reasons: Mapping[tuple[str, str], tuple[str, ...]]
) -> ModelDiagnosis:
    known = reasons.get((model.path, model.name), ())
    return replace(
        model, known_reasons=tuple(one for one in model.reasons if _steady(one) in known)
    )


def _steady(reason: str) -> str:
    return NUMBER.sub("#", reason)


def _is_gone(entry: KnownFinding, examination: Examination, looked: Looked) -> bool:
    """Whether a finding would have been found again, if it were still there."""
    if not (looked.root / entry.path).exists():
        return True
    if entry.path not in looked.paths or not looked.options.wants(entry.rule):
        return False
    return entry.seen_by == "text" or _all_was_run(examination, looked.options)


def _all_was_run(examination: Examination, options: Options) -> bool:
    models = examination.models
    measured = all(one.verdict not in (None, Verdict.UNEXAMINED) for one in models)
    return examination.environment.live and bool(models) and measured and not options.fast


def _finding_entry(finding: KnownFinding) -> dict[str, Any]:
    """An entry without what it has in common with nearly all others."""
    usual = {"seen_by": "text", "refuted": False}
    return {k: v for k, v in asdict(finding).items() if (k, v) not in usual.items()}


def _from_document(document: Any) -> Baseline:
    version = document["version"]
    if version != VERSION:
        raise ValueError(f"version {version}, and this gptdoctor reads {VERSION}")
    return Baseline(
        findings=tuple(map(_read, document["findings"])),
        models=tuple(
            KnownModel(path=one["path"], name=one["name"], reasons=tuple(one["reasons"]))
            for one in document["models"]
        ),
    )


def _read(entry: Any) -> KnownFinding:
    """One entry; raises TypeError."""
    texts = ("path", "rule", "symbol", "message", "fingerprint", "seen_by")
    if not isinstance(entry, dict):
        raise TypeError(f"the entry {entry!r}")
    if not all(isinstance(entry.get(name, ""), str) for name in texts):
        raise TypeError("an entry whose texts are none")
    return KnownFinding(**entry)


def _told(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)

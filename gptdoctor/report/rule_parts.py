"""What is told of a rule, under which heading: the same on a terminal and in `docs/rules/`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gptdoctor.catalog import family_of, module_of
from gptdoctor.core.findings import Confidence
from gptdoctor.defect import Defect
from gptdoctor.report.prose import Inline, literally, prose, sentence

_SURE = {
    Confidence.HIGH: "High: where the text shows it, it is hardly ever wrong.",
    Confidence.MEDIUM: "Medium: it is wrong where something out of the text's sight decides.",
    Confidence.LOW: "Low: as often wrong as right. Take it as a question.",
}


@dataclass(frozen=True)
class Part:
    """One heading, and the paragraphs under it."""

    title: str
    paragraphs: tuple[Inline, ...]


def before_the_example(defect: Defect) -> tuple[Part, ...]:
    """What it is, and what it does to training."""
    return (
        Part("What it does", (prose(defect.summary), prose(defect.explanation))),
        Part("Why it hurts training", (prose(defect.harm),)),
    )


def after_the_example(defect: Defect) -> tuple[Part, ...]:
    """How it is known, how it is mended, and how it is silenced."""
    return (
        Part("How it is confirmed", (prose(defect.confirmed_by),)),
        Part("Confidence", (prose(_confidence(defect)),)),
        Part("Fix safety", (_fix(defect),)),
        Part("How to suppress", _suppressed(defect)),
        Part("Where it lives", (literally(home_of(defect), "path"),)),
    )


def by_family(defects: Sequence[Defect]) -> dict[str, list[Defect]]:
    """The defects under the titles of their families, such as "GD1 gradients"."""
    families: dict[str, list[Defect]] = {}
    for defect in defects:
        families.setdefault(family_of(defect), []).append(defect)
    return {_family_title(name, members): members for name, members in families.items()}


def _family_title(name: str, members: Sequence[Defect]) -> str:
    digits = sorted({member.code[:3] for member in members})  # "GD1"
    return f"{' '.join(digits)} {name.replace('_', ' ')}"


def home_of(defect: Defect) -> str:
    """The file that the defect lives in."""
    return f"gptdoctor/defects/{module_of(defect).replace('.', '/')}.py"


def in_text(defect: Defect) -> str:
    """How sure the text alone is, "-" where it cannot show the defect."""
    return defect.confidence.value if defect.in_text else "-"


def by_run(defect: Defect) -> str:
    """Whether a run settles it."""
    return "yes" if defect.convicts else "-"


def fix_word(defect: Defect) -> str:
    """How far a fix may go by itself, "-" where there is none."""
    return "-" if defect.fix is None else defect.fix.applicability.value


def _confidence(defect: Defect) -> str:
    names = " and ".join(f"`{probe}`" for probe in sorted(defect.convicts))
    probes = f"the probe{'s' * (len(defect.convicts) > 1)} {names}"
    if not defect.in_text:
        return f"No text can show it: only a run does, by {probes}."
    settled = f"A run settles the rest, by {probes}." if names else "No run settles it."
    return f"{_SURE[defect.confidence]} {settled}"


def _fix(defect: Defect) -> Inline:
    fix = defect.fix
    if fix is None:
        return prose("There is no fix: what is right here only you know.")
    how = literally(fix.applicability.value, f"applicability.{fix.applicability.value}")
    return sentence(f"{fix.title} (", how, f"). {fix.safety}")


def _suppressed(defect: Defect) -> tuple[Inline, ...]:
    """The comment and the option, each on a line of its own: they are to be copied."""
    return (
        prose("At one place, on its line or on a line of its own above:"),
        literally(f"# gptdoctor: ignore[{defect.code}] reason", "code"),
        prose("In a whole project, under `[tool.gptdoctor]` in `pyproject.toml`:"),
        literally(f'ignore = ["{defect.code}"]', "code"),
    )

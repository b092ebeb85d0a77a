"""How an examination shows itself."""

from __future__ import annotations

import io
import re
from dataclasses import fields, replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from gptdoctor.core.diagnosis import Examination
from gptdoctor.integrations.shown import ShownExamination
from tests.report import samples

VOID = {"br", "hr", "img"}


def shown(examination: Examination) -> ShownExamination:
    """The examination with its displays."""
    values = {one.name: getattr(examination, one.name) for one in fields(Examination)}
    return ShownExamination(**values, targets=("models/my gpt.py",))


class Structure(HTMLParser):
    """Keeps text, and whether every element is closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.elements: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.elements.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: str) -> Structure:
    """The page, taken apart."""
    structure = Structure()
    structure.feed(page)
    structure.close()
    assert structure.open == []
    return structure


@pytest.mark.parametrize("name", samples.EXAMINATIONS)
def test_html_is_well_formed_and_tells_every_model_and_finding(name: str) -> None:
    """Each model with its verdict, each finding that may be real with its rule."""
    examination = samples.EXAMINATIONS[name]
    told = parsed(shown(examination)._repr_html_()).text
    for model in examination.models:
        assert model.name in told
    for finding in examination.findings:
        if finding.evidence.status.value != "refuted":
            assert f"{finding.rule} {finding.name}" in told


def test_text_of_the_users_is_never_markup() -> None:
    """A message may hold what a browser would run."""
    (first, *rest) = samples.REFERENCE.findings
    evil = replace(first, message="<script>alert(1)</script>", excerpt="x = '<img src=q>' & 1")
    page = shown(replace(samples.REFERENCE, findings=(evil, *rest)))._repr_html_()
    found = parsed(page)
    assert {"script", "img"}.isdisjoint(found.elements)
    assert "<script>alert(1)</script>" in found.text
    assert "<img src=q>" in found.text


def test_html_takes_the_colours_of_the_page() -> None:
    """No text or background is set that a light or a dark page would swallow."""
    page = shown(samples.REFERENCE)._repr_html_()
    backgrounds = set(re.findall(r"background:(#\w+)", page))
    colours = set(re.findall(r"[;\"]color:(#\w+)", page)) - {"#ffffff"}  # on a badge
    assert backgrounds
    for colour in colours | backgrounds:
        assert contrast(colour, "#ffffff") >= 3
        assert contrast(colour, "#111111") >= 3


def contrast(first: str, second: str) -> float:
    """The ratio of two colours' luminances as WCAG 2.1 defines it."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of "#rrggbb"."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_pythons_prompt_shows_the_whole_result_in_plain_text() -> None:
    """`repr` tells findings and verdicts, without colours."""
    told = repr(shown(samples.REFERENCE))
    assert "\x1b" not in told
    assert told.startswith("GPT4oModel is untrainable: ")
    assert "GD101 no-grad-in-forward" in told
    assert "gptdoctor fix 'models/my gpt.py'" in " ".join(told.split())


def test_rich_prints_it_in_the_width_of_its_console() -> None:
    """Coloured where the console has colours, and nothing wider than it."""
    plain, coloured = io.StringIO(), io.StringIO()
    Console(file=plain, width=70).print(shown(samples.REFERENCE))
    Console(file=coloured, width=70, force_terminal=True, color_system="truecolor").print(
        shown(samples.REFERENCE)
    )
    assert "\x1b[" in coloured.getvalue()
    assert "\x1b[" not in plain.getvalue()
    assert "GD101" in plain.getvalue()

"""What a rule means, as text and as Markdown, for those who read it far from this program."""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor.defect import Defect
from gptdoctor.report.blocks import CodeBlock, Paragraph
from gptdoctor.report.markdown import render_blocks
from gptdoctor.report.prose import literally, prose, sentence


def help_text(defect: Defect) -> str:
    """The parts of the explanation, without examples: plain text shows no code well."""
    return "\n\n".join(f"{title}: {told}" if title else told for title, told in _parts(defect))


def help_markdown(defect: Defect) -> str:
    """The same with the sick and the healed example."""
    parts = [
        Paragraph(sentence(literally(title, "strong"), ": ", told) if title else prose(told))
        for title, told in _parts(defect)
    ]
    examples = (
        Paragraph(literally("Sick", "strong")),
        CodeBlock(defect.sick),
        Paragraph(literally("Healed", "strong")),
        CodeBlock(defect.healed),
    )
    return render_blocks((*parts, *examples))


def _parts(defect: Defect) -> Iterator[tuple[str, str]]:
    yield "", defect.explanation
    yield "Why it harms", defect.harm
    yield "How it is confirmed", defect.confirmed_by
    if defect.fix is not None:
        title = defect.fix.title.rstrip(".")
        yield "Fix", f"{title} ({defect.fix.applicability.value}). {defect.fix.safety}"

"""Sentences and code as HTML that sits in a page of any colours, light or dark.

Styles stand in the elements: notebooks take no style sheets of outputs. Text has the page's own
colour; the colours for emphasis keep a contrast of at least 3 to 1 on white and on near black.
"""

from __future__ import annotations

from html import escape

from rich.style import Style

from gptdoctor.report.highlight import code_lines
from gptdoctor.report.prose import Inline, visible
from gptdoctor.report.theme import ORANGE, STYLES

_COLOURS = {
    "red": "#d9363e",
    ORANGE: "#c4660a",
    "green": "#218c44",
    "cyan": "#0f84a3",
    "magenta": "#b346a8",
}
_MONO = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:0.92em"
_CODE = f"{_MONO};padding:0 0.25em;border-radius:3px;background:rgba(127,127,127,0.14)"
_BLOCK = (
    f"{_MONO};margin:0.35em 0;padding:0.35em 0.7em;border-radius:4px;overflow-x:auto;"
    "white-space:pre;line-height:1.45;background:rgba(127,127,127,0.1)"
)
FAINT = "opacity:0.68"
_GUTTER = f"{FAINT};user-select:none"


def element(name: str, content: str, style: str = "") -> str:
    """An element around HTML."""
    styled = f' style="{style}"' if style else ""
    return f"<{name}{styled}>{content}</{name}>"


def inline_html(inline: Inline) -> str:
    """A sentence, each word in the style of its role."""
    return "".join(
        text if not style else element("span", text, style)
        for span in inline
        for text, style in [(escape(span.text), _style_of(span.role))]
    )


def badge(text: str, role: str) -> str:
    """A word on the colour of its role."""
    colour = _colour(Style.parse(STYLES[role])) or "#7d7d7d"
    style = (
        f"background:{colour};color:#ffffff;border-radius:4px;padding:0.1em 0.5em;"
        "font-weight:600;font-size:0.85em;white-space:nowrap"
    )
    return element("span", escape(visible(text)), style)


def code_html(source: str, first_line: int | None) -> str:
    """Python with the numbers of its lines, which are not copied with it; None: without them."""
    lines = code_lines(source)
    width = 0 if first_line is None else len(str(first_line + len(lines) - 1))
    told = []
    for number, line in enumerate(lines, start=first_line or 1):
        gutter = element("span", f"{str(number).rjust(width)} │ ", _GUTTER) if width else ""
        pieces, end = [], 0
        for span in sorted(line.spans, key=lambda one: one.start):
            style = span.style if isinstance(span.style, Style) else Style.parse(span.style)
            pieces.append(escape(line.plain[end : span.start]))
            pieces.append(element("span", escape(line.plain[span.start : span.end]), _css(style)))
            end = span.end
        told.append(gutter + "".join(pieces) + escape(line.plain[end:]))
    return element("div", "\n".join(told), _BLOCK)


def _style_of(role: str) -> str:
    if role in ("code", "command", "path"):
        return _CODE if role != "path" else _MONO
    return _css(Style.parse(STYLES.get(role, "none")))


def _css(style: Style) -> str:
    colour = _colour(style)
    parts = [f"color:{colour}" if colour else "", "font-weight:600" if style.bold else ""]
    parts += ["font-style:italic" if style.italic else "", FAINT if style.dim else ""]
    return ";".join(part for part in parts if part)


def _colour(style: Style) -> str | None:
    return None if style.color is None else _COLOURS.get(style.color.name)

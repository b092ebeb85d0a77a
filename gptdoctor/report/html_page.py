"""A document as one HTML page that needs nothing beside it: no script, no font, no picture."""

from __future__ import annotations

from html import escape

from gptdoctor.report.blocks import Block, CodeBlock, Document, Listing, Paragraph, Section, Table
from gptdoctor.report.html import code_html, element, inline_html
from gptdoctor.report.prose import Inline, plain, visible

# Text and page take the reader's own light or dark; emphasis has its colours from `html`, which
# are readable on both. A page that is printed shows all of a table, which a screen lets scroll.
_SHEET = """\
:root { color-scheme: light dark; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 68rem; margin: 0 auto;
  padding: 1.5rem 1.25rem 4rem; background: light-dark(#ffffff, #16181b);
  color: light-dark(#1f2328, #d6d9dd); overflow-wrap: break-word; }
h1 { font-size: 1.9rem; margin: 0.5rem 0; }
h2 { font-size: 1.35rem; margin: 2.4rem 0 0.8rem; padding-bottom: 0.25rem;
  border-bottom: 1px solid rgba(127, 127, 127, 0.35); }
h3 { font-size: 1.1rem; margin: 1.8rem 0 0.5rem; }
h4, h5, h6 { font-size: 1rem; margin: 1.4rem 0 0.4rem; }
p { margin: 0.6rem 0; }
nav { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; margin: 0.8rem 0; }
a { color: light-dark(#0b63c5, #74aef5); text-decoration: none; }
a:hover, a:focus { text-decoration: underline; }
div.table { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; min-width: 60%; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.9rem 0.4rem 0;
  border-bottom: 1px solid rgba(127, 127, 127, 0.25); min-width: 6rem; }
th { font-weight: 600; }
li { margin: 0.25rem 0; }
@media print { div.table { overflow: visible; } nav { display: none; } }
"""


def render(document: Document) -> str:
    """The whole page, its first sections named at its top."""
    sections = [one for one in document.blocks if isinstance(one, Section)]
    content = "\n".join(_block(one, depth=2) for one in document.blocks)
    title = escape(visible(document.title))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_SHEET}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n{_contents(sections)}{content}\n</body>\n</html>\n"
    )


def _contents(sections: list[Section]) -> str:
    """Links to the sections; a single one needs none."""
    links = [f'<a href="#{_anchor(one)}">{escape(plain(one.title))}</a>' for one in sections]
    return element("nav", " ".join(links)) + "\n" if len(links) > 1 else ""


def _anchor(section: Section) -> str:
    return "-".join(plain(section.title).lower().split())


def _block(block: Block, depth: int) -> str:
    match block:
        case Section():
            return _section(block, depth)
        case Paragraph():
            return element("p", _inline(block.text))
        case Listing():
            items = "".join(element("li", _inline(item)) for item in block.items)
            return element("ol" if block.ordered else "ul", items)
        case Table():
            return _table(block)
        case CodeBlock():
            return code_html(block.code.rstrip("\n"), block.first_line)


def _section(section: Section, depth: int) -> str:
    """A heading and what stands under it; those of the first depth can be linked to."""
    name = f"h{min(depth, 6)}"
    place = f' id="{escape(_anchor(section))}"' if depth == 2 else ""
    inner = [_block(one, depth + 1) for one in section.blocks]
    return "\n".join([f"<{name}{place}>{_inline(section.title)}</{name}>", *inner])


def _table(table: Table) -> str:
    heads = "".join(element("th", _inline(one)) for one in table.heads)
    rows = [
        element("tr", "".join(element("td", _inline(one)) for one in row)) for row in table.rows
    ]
    head = element("thead", element("tr", heads))
    return f'<div class="table"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _inline(inline: Inline) -> str:
    """A sentence, with the links that it has."""
    return "".join(_linked(inline_html((span,)), span.link) for span in inline)


def _linked(html: str, link: str) -> str:
    return f'<a href="{escape(link)}">{html}</a>' if link else html

"""Pages as a reader of HTML sees them, and texts that spoil one that is written carelessly."""

from __future__ import annotations

from html.parser import HTMLParser

NASTY = [
    "`",
    "a `b` ``c`` ```d",
    "`a``b`",
    "`a`src/b.py:7",
    "`a|b` | c",
    "`\\|` and \\|",
    "`a\\`",
    "`  a  `",
    "` `",
    "`<b>` `&amp;`",
    "<script>alert(1)</script>",
    "<!-- no comment",
    "&lt; &#35; &copy",
    "# no heading #",
    "- no list",
    "1) no list",
    "> no quote",
    "---",
    "| --- | --- |",
    "~~~",
    "[a](javascript:1) ![b](c) [d][e] [^f]",
    "*a* **b** _c_ __init__ ~~d~~ ~e~",
    "http://a.org/b*c|d_e <https://a.org> ftp://a[b]",
    "www.a.org/*b* <www.a.org>",
    "a\nb\r\nc\u2028d",
    "back\\slash \\",
]


class Page(HTMLParser):
    """The tags of a page, and the words of each of its tables' rows and of each other block."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.blocks: list[str] = []
        self._words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th", "p", "li", "pre", "h1", "h2"):
            self._words = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.rows[-1].append("".join(self._words))
        elif tag in ("p", "li", "pre", "h1", "h2"):
            self.blocks.append("".join(self._words))

    def handle_data(self, data: str) -> None:
        self._words.append(data)

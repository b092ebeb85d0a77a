"""Comments that ask for rules to be left alone, and the lines that each of them speaks of.

    x = layer(x.detach())  # gptdoctor: ignore[GD101] the teacher is fixed
    # gptdoctor: ignore[GD101,GD3] alone on the line above, for the statement below
    # gptdoctor: ignore-file[GD501] for the whole file, above its first statement

A comment has to name its rules.  One that silences whatever may come silences the next defect as
well, which is why linters that allow such comments have rules against them; here they never were.
"""

from __future__ import annotations

import ast
import difflib
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.core.comments import IgnoreComment
from gptdoctor.core.findings import Location
from gptdoctor.source.module import SourceModule

# Few files have such a comment: the others are not read by tokens, which takes as long as parsing.
MARK = "gptdoctor"
COMMENT = re.compile(
    r"#\s*(?-i:gptdoctor)\s*:\s*(?P<word>[\w-]+)\s*(?:\[(?P<rules>[^\]\n]*)\])?(?P<rest>[^#\n]*)",
    re.IGNORECASE,
)
LINE, FILE = "ignore", "ignore-file"
# Nearer than this a word is a slip of the pen; any other is prose ("# gptdoctor: see below").
NEAR = 0.75
ONLY_COMMENT = re.compile(r"\s*#")
NO_CODE = re.compile(r"\s*(?:#.*)?")

NAMES_NONE = (
    "it names no rule: write the rules that it is about in brackets, such as "
    "`# gptdoctor: ignore[GD101] reason`"
)
TOO_LATE = "a comment for the whole file stands above the file's first statement"


@dataclass(frozen=True)
class _Span:
    """The lines of a statement, or of the head of one that has others in it."""

    first: int
    last: int
    heads: frozenset[int]  # the lines on which a comment speaks of all of them

    def meant(self, line: int) -> tuple[int, int]:
        return (self.first, self.last) if line in self.heads else (line, line)


def ignore_comments(module: SourceModule) -> tuple[IgnoreComment, ...]:
    """The comments of a module that ask for rules to be left alone, or were meant to."""
    if MARK not in module.text:
        return ()
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(module.text).readline))
    except (tokenize.TokenError, SyntaxError):  # what parses can hardly be that
        return ()
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    found = [(token, match) for token in comments if (match := COMMENT.search(token.string))]
    spans = list(_spans(module.tree.body, module.lines)) if found else []
    read = (_read(module, token, match, spans) for token, match in found)
    return tuple(comment for comment in read if comment is not None)


def _read(
    module: SourceModule, token: tokenize.TokenInfo, match: re.Match[str], spans: list[_Span]
) -> IgnoreComment | None:
    """One comment; None where it is none of ours."""
    word, rules = match["word"].lower(), match["rules"]
    if word not in (LINE, FILE) and not difflib.get_close_matches(word, (LINE, FILE), 1, NEAR):
        return None
    line, start = token.start
    place = Location(
        path=module.path,
        line=line,
        column=start + match.start() + 1,
        end_line=line,
        end_column=start + match.start() + len(match[0].rstrip()) + 1,
        in_cell=module.in_cell(line),
    )
    return IgnoreComment(
        location=place,
        excerpt=module.excerpt(line),
        words=tuple(name.strip() for name in (rules or "").split(",") if name.strip()),
        reason=match["rest"].strip(" \t:-"),
        whole_file=word == FILE,
        lines=_meant(module, line, spans),
        trouble=_trouble(module, word, rules, line),
    )


def _trouble(module: SourceModule, word: str, rules: str | None, line: int) -> str:
    if word not in (LINE, FILE):
        near = difflib.get_close_matches(word, (LINE, FILE), 1, NEAR)[0]
        return f"`{word}` is no word that is known here; did you mean `{near}`?"
    if not (rules or "").replace(",", "").strip():
        return NAMES_NONE
    return TOO_LATE if word == FILE and line > _first_statement(module) else ""


def _first_statement(module: SourceModule) -> int:
    """The line of the first statement that is no docstring."""
    body = module.tree.body
    rest = body[1:] if body and ast.get_docstring(module.tree, clean=False) is not None else body
    return rest[0].lineno if rest else len(module.lines)


def _meant(module: SourceModule, line: int, spans: list[_Span]) -> tuple[int, int]:
    """The lines that a comment speaks of: those of the innermost statement around it.

    One that stands alone speaks of the line below it, and of what begins there.
    """
    while line < len(module.lines) and ONLY_COMMENT.match(module.lines[line - 1]):
        line += 1
    around = [span for span in spans if span.first <= line <= span.last]
    return around[-1].meant(line) if around else (line, line)  # outer ones come first


def _spans(body: list[ast.stmt], lines: list[str]) -> Iterator[_Span]:
    """The statements below, outer before inner."""
    for statement in body:
        yield _span(statement, lines)
        for field in ("body", "orelse", "finalbody"):
            yield from _spans(getattr(statement, field, []), lines)
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _spans(part.body, lines)


def _span(statement: ast.stmt, lines: list[str]) -> _Span:
    """Of a statement with others in it the head alone; decorators belong to what they decorate."""
    decorators = [one.lineno for one in getattr(statement, "decorator_list", ())]
    first = _start(statement)
    last = statement.end_lineno or statement.lineno
    inner = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if inner:
        last = _start(inner[0]) - 1
        while last > statement.lineno and NO_CODE.fullmatch(lines[last - 1]):
            last -= 1
        last = max(last, statement.lineno)  # "if x: y" has all on one line
    return _Span(first, last, frozenset({*decorators, first, statement.lineno, last}))


def _start(node: ast.stmt | ast.match_case) -> int:
    if isinstance(node, ast.match_case):
        return node.pattern.lineno
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])

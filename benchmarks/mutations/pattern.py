"""Patterns of Python source: text with metavariables, matched against syntax trees.

A pattern is Python. A name in capitals (`X`, `HEAD`) stands for any expression, and as an attribute
(`self.HEAD`) for any attribute; the same capital twice stands for the same source twice. `F`
stands for any of the names under which torch's functions are called. In a call, `*REST` stands for
the other positional arguments and `**KW` for the other keywords; a body that consists of one
capital stands for any statements.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

Bindings = dict[str, str]

FUNCTIONS = frozenset({"F", "torch", "nn.functional", "torch.nn.functional"})
CAPITALS = re.compile(r"[A-Z][A-Z0-9]*")
IGNORED = frozenset({"ctx", "type_comment", "kind", "type_params"})


def parse(text: str) -> list[ast.stmt]:
    """The statements of a pattern; a single expression gives one `ast.Expr`."""
    return ast.parse(text).body


class Matcher:
    """Compares the nodes of one source with patterns, and binds capitals to its text."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, lineno: int, byte_column: int) -> int:
        """The index into the source of a place of a tree, whose columns count bytes."""
        before = self._lines[lineno - 1].encode()[:byte_column].decode()
        return self._starts[lineno - 1] + len(before)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Start and end of what has a place: an expression, a statement or a keyword."""
        assert isinstance(node, ast.expr | ast.stmt | ast.keyword)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self.offset(node.lineno, node.col_offset)
        return start, self.offset(node.end_lineno, node.end_col_offset)

    def text(self, node: ast.AST) -> str:
        """The source of an expression or a statement, as it stands."""
        start, end = self.span(node)
        return self.source[start:end]

    def match(self, pattern: ast.AST, node: ast.AST, found: Bindings) -> bool:
        """Whether `node` is an instance of `pattern`; `found` takes what the capitals stand for."""
        if isinstance(pattern, ast.Name) and CAPITALS.fullmatch(pattern.id):
            return self._bind(pattern.id, node, found)
        if type(pattern) is not type(node):
            return False
        if isinstance(pattern, ast.Call) and isinstance(node, ast.Call):
            return self._match_call(pattern, node, found)
        return all(
            self._match_field(name, getattr(pattern, name, None), getattr(node, name, None), found)
            for name in pattern._fields
            if name not in IGNORED
        )

    def match_all(self, patterns: list[ast.stmt], nodes: list[ast.stmt], found: Bindings) -> bool:
        """Whether statements match one by one."""
        if len(patterns) != len(nodes):
            return False
        return all(self.match(p, n, found) for p, n in zip(patterns, nodes, strict=True))

    def _bind(self, name: str, node: ast.AST, found: Bindings) -> bool:
        if not isinstance(node, ast.expr):
            return False
        text = self.text(node)
        if name == "F" and text not in FUNCTIONS:
            return False
        return found.setdefault(name, text) == text

    def _match_field(self, name: str, pattern: object, value: object, found: Bindings) -> bool:
        if isinstance(pattern, ast.AST) and isinstance(value, ast.AST):
            return self.match(pattern, value, found)
        if isinstance(pattern, list) and isinstance(value, list):
            if name == "body" and (whole := _any_body(pattern)):
                found[whole] = self._body_text(value)
                return True
            return len(pattern) == len(value) and all(
                self._match_field("", p, v, found) for p, v in zip(pattern, value, strict=True)
            )
        if name == "attr" and isinstance(pattern, str) and CAPITALS.fullmatch(pattern):
            return found.setdefault(pattern, str(value)) == value
        return pattern == value

    def _match_call(self, pattern: ast.Call, node: ast.Call, found: Bindings) -> bool:
        if not self.match(pattern.func, node.func, found):
            return False
        wanted, given = list(pattern.args), list(node.args)
        last = wanted[-1] if wanted else None
        if isinstance(last, ast.Starred) and isinstance(last.value, ast.Name):
            rest, wanted = last.value, wanted[:-1]
            found[rest.id] = ", ".join(self.text(one) for one in given[len(wanted) :])
            given = given[: len(wanted)]
        if len(wanted) != len(given):
            return False
        if not all(self.match(p, n, found) for p, n in zip(wanted, given, strict=True)):
            return False
        return self._match_keywords(pattern.keywords, node.keywords, found)

    def _match_keywords(
        self, pattern: list[ast.keyword], node: list[ast.keyword], found: Bindings
    ) -> bool:
        given = {one.arg: one for one in node}
        rest = next((one.value for one in pattern if one.arg is None), None)
        for one in (one for one in pattern if one.arg is not None):
            other = given.pop(one.arg, None)
            if other is None or not self.match(one.value, other.value, found):
                return False
        if isinstance(rest, ast.Name):
            found[rest.id] = ", ".join(self.text(one) for one in given.values())
            return True
        return not given

    def _body_text(self, body: list[ast.stmt]) -> str:
        column = body[0].col_offset
        lines = self._lines[body[0].lineno - 1 : body[-1].end_lineno]
        return "".join(
            line[column:] if line[:column].isspace() else line for line in lines
        ).rstrip()


def _any_body(pattern: list[ast.stmt]) -> str:
    """The capital that stands for a whole body; "" where the body is spelled out."""
    only = pattern[0] if len(pattern) == 1 else None
    name = only.value if isinstance(only, ast.Expr) else None
    return name.id if isinstance(name, ast.Name) and CAPITALS.fullmatch(name.id) else ""


def fill(template: str, found: Mapping[str, str]) -> str:
    """The template with each bound capital replaced by its text; an empty rest leaves no comma."""

    def text(match: re.Match[str]) -> str:
        comma, rest, indent, name = match.groups()
        if rest is None:
            bound = found.get(name, name)
            return bound if indent is None else indent + bound.replace("\n", f"\n{indent}")
        return f"{comma}{found[rest]}" if found.get(rest) else ""

    capital = r"[A-Z][A-Z0-9]*\b"
    whole = rf"(,\s*|(?<=\())\*{{1,2}}({capital})|(?:(?m:^)( +))?\b({capital})"
    out = re.sub(whole, text, template)
    return re.sub(r"\(,\s*", "(", out)


def windows(tree: ast.AST, length: int) -> Iterator[list[ast.stmt]]:
    """All runs of `length` neighbouring statements, in the order of the text."""
    bodies = [
        getattr(node, name)
        for node in ast.walk(tree)
        for name in ("body", "orelse", "finalbody")
        if isinstance(getattr(node, name, None), list)
    ]
    runs = [body[i : i + length] for body in bodies for i in range(len(body) - length + 1)]
    yield from sorted(runs, key=lambda run: (run[0].lineno, run[0].col_offset))

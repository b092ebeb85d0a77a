"""One file as a lossless tree, with the place of every node in its text.

What libcst knows of a node it knows by the node's identity. `ParsedSource` owns the tree and its
metadata, hands out its nodes alone, and ties each of them to characters of the text: a remedy
reads the tree and edits the text, and what it does not edit stays as it was to the byte.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TypeVar

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from gptdoctor.remedies.declined import Declined

Node = TypeVar("Node", bound=cst.CSTNode)
Definition = cst.FunctionDef | cst.ClassDef
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
Span = tuple[int, int]

LINE_END = re.compile(r"\r\n?|\n")
# libcst drops these where they begin a file; Python allows them there.
DROPPED_AT_START = "\ufeff\x0c"


class ParsedSource:
    """A parsed text. Raises Declined where libcst cannot give it back unchanged."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._shift = len(text) - len(text.lstrip(DROPPED_AT_START))
        wrapper = _wrapped(text[self._shift :])
        self.module = wrapper.module
        self._positions = wrapper.resolve(PositionProvider)
        self._parents = _parents(self.module)
        self._lines = [self._shift, *(end.end() for end in LINE_END.finditer(text))]
        self.newline = self.module.default_newline
        self.indent = self.module.default_indent

    def span(self, node: cst.CSTNode) -> Span:
        """The characters of a node, from its first parenthesis to its last one."""
        first: cst.CSTNode = node
        last: cst.CSTNode = node
        parentheses = getattr(node, "lpar", ())
        if isinstance(node, cst.BaseExpression) and parentheses:
            first, last = parentheses[0], node.rpar[-1]
        begin, end = self._positions[first].start, self._positions[last].end
        return self.offset(begin.line, begin.column), self.offset(end.line, end.column)

    def code(self, node: cst.CSTNode) -> str:
        """The text of a node, as its author wrote it."""
        begin, end = self.span(node)
        return self.text[begin:end]

    def line(self, node: cst.CSTNode) -> int:
        """The line that a node begins in, counted from 1."""
        return self._positions[node].start.line

    def last_line(self, node: cst.CSTNode) -> int:
        """The line that a node ends in, counted from 1."""
        return self._positions[node].end.line

    def column(self, node: cst.CSTNode) -> int:
        """The column that a node begins in, in characters, counted from 1."""
        return self._positions[node].start.column + 1

    def offset(self, line: int, column: int) -> int:
        """Where in the text a line, counted from 1, and a column, counted from 0, are."""
        return self._lines[line - 1] + column

    def line_start(self, offset: int) -> int:
        """The start of the line that holds `offset`."""
        return self._lines[bisect_right(self._lines, offset) - 1] if offset >= self._shift else 0

    def next_line(self, offset: int) -> int:
        """The start of the line after the one that holds `offset`, or the end of the text."""
        index = bisect_right(self._lines, offset)
        return self._lines[index] if index < len(self._lines) else len(self.text)

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node around a node."""
        return self._parents.get(node)

    def parents(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around a node, from the inside out."""
        current = self.parent(node)
        while current is not None:
            yield current
            current = self.parent(current)

    def around(self, node: cst.CSTNode, kind: type[Node]) -> Node | None:
        """The innermost node of this kind around a node, the node itself excepted."""
        return next((parent for parent in self.parents(node) if isinstance(parent, kind)), None)

    def inside(self, node: cst.CSTNode, outer: cst.CSTNode) -> bool:
        """Whether `node` is `outer` or lies in it."""
        return node is outer or any(parent is outer for parent in self.parents(node))

    def symbol(self, node: cst.CSTNode) -> str:
        """The qualified name of a definition, or of the one around a node; "" at module level."""
        chain = [node, *self.parents(node)]
        return ".".join(link.name.value for link in reversed(chain) if isinstance(link, Definition))

    def definition(self, symbol: str) -> Definition | None:
        """The function or class with this qualified name; the last one counts, as in Python."""
        functions: Iterator[Definition] = walk(self.module, cst.FunctionDef)
        classes: Iterator[Definition] = walk(self.module, cst.ClassDef)
        found = [node for node in (*functions, *classes) if self.symbol(node) == symbol]
        return max(found, key=self.line, default=None)

    def statement(self, node: cst.CSTNode) -> Statement:
        """The statement with lines of its own that holds a node."""
        for link in (node, *self.parents(node)):
            if isinstance(link, cst.SimpleStatementSuite):
                raise Declined("the statement shares its line with the header of its block")
            if isinstance(link, Statement):
                return link
        raise Declined("this place is no statement")

    def lone_statement(self, node: cst.CSTNode) -> cst.SimpleStatementLine:
        """The simple statement that holds a node, where it is alone on its lines."""
        statement = self.statement(node)
        if not isinstance(statement, cst.SimpleStatementLine):
            raise Declined("the expression belongs to the header of a block")
        if len(statement.body) != 1:
            raise Declined("several statements share one line")
        return statement

    def block(self, statement: cst.CSTNode) -> cst.CSTNode:
        """The block or module that holds a statement."""
        parent = self.parent(statement)
        if parent is None:
            raise Declined("this place is no statement")
        return parent

    def lines(self, statements: Sequence[cst.CSTNode]) -> Span:
        """The whole lines of neighbouring statements, with the comments right above the first."""
        begin = self.line_start(min(self.span(one)[0] for one in statements))
        end = self.next_line(max(self.span(one)[1] for one in statements) - 1)
        while begin > 0:
            above = self.line_start(begin - 1)
            if not self.text[above:begin].lstrip().startswith("#"):
                break
            begin = above
        return begin, end

    def margin(self, node: cst.CSTNode) -> str:
        """The white space before a node that begins its line."""
        begin, _ = self.span(node)
        margin = self.text[self.line_start(begin) : begin]
        if margin.strip(" \t\x0c"):
            raise Declined("other code stands before it on the same line")
        return margin


def _wrapped(text: str) -> MetadataWrapper:
    try:
        # The copy that the wrapper would make is for trees that hold one node twice; a tree
        # from the parser does not, as `_parents` makes sure.
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        unchanged = wrapper.module.code == text
    except (cst.ParserSyntaxError, RecursionError) as error:
        raise Declined("the file cannot be read as a lossless tree") from error
    if not unchanged:
        raise Declined("the file would not come back unchanged from the tree")
    return wrapper


def _parents(module: cst.Module) -> dict[cst.CSTNode, cst.CSTNode]:
    """The node around each node, by identity."""
    found: dict[cst.CSTNode, cst.CSTNode] = {}
    stack: list[cst.CSTNode] = [module]
    while stack:
        node = stack.pop()
        for child in node.children:
            if child in found:
                raise Declined("the tree of the file holds one node twice")
            found[child] = node
            stack.append(child)
    return found


def walk(node: cst.CSTNode, *kinds: type[Node]) -> Iterator[Node]:
    """All nodes of these kinds at and below `node`, in the order of the text."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, kinds):
            yield current
        stack.extend(reversed(current.children))


def is_name(node: cst.CSTNode | None, value: str) -> bool:
    """Whether a node is this very name."""
    return isinstance(node, cst.Name) and node.value == value


def is_docstring(statement: cst.CSTNode) -> bool:
    """Whether a statement is a string and nothing else."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    only = statement.body[0]
    text = cst.SimpleString | cst.ConcatenatedString
    return isinstance(only, cst.Expr) and isinstance(only.value, text)

"""Import statements: the one that binds a name, and names taken out of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import libcst as cst

from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.flow import uses
from gptdoctor.remedies.parsed import ParsedSource, Span, walk


def drop_unused(edits: Edits, name: str, gone: Collection[cst.CSTNode]) -> None:
    """Take `from X import name` away where every use of the name lies in nodes that are gone.

    Other forms of import are left: what they bind may be meant for others.
    """
    source = edits.source
    left = [
        use
        for use in uses(source.module, name, source)
        if source.around(use, cst.ImportFrom) is None
        and not any(source.inside(use, node) for node in gone)
    ]
    exported = any(text.evaluated_value == name for text in walk(source.module, cst.SimpleString))
    statements = [one for one in walk(source.module, cst.ImportFrom) if alias_of(one, name)]
    if not left and not exported and len(statements) == 1:
        alias = alias_of(statements[0], name)
        if alias is not None:
            remove_aliases(edits, statements[0], [alias])


def alias_of(statement: cst.ImportFrom, name: str) -> cst.ImportAlias | None:
    """The part of an import statement that binds `name`."""
    for alias in aliases(statement):
        if bound(alias) == name:
            return alias
    return None


def aliases(statement: cst.ImportFrom) -> Sequence[cst.ImportAlias]:
    """The names that a statement imports; none for a star."""
    return () if isinstance(statement.names, cst.ImportStar) else statement.names


def bound(alias: cst.ImportAlias) -> str:
    """The name that an alias binds in a `from` import."""
    name = alias.asname.name if alias.asname is not None else alias.name
    return name.value if isinstance(name, cst.Name) else ""


def remove_aliases(
    edits: Edits, statement: cst.ImportFrom, gone: Sequence[cst.ImportAlias]
) -> None:
    """Take some names out of an import statement, or the statement where none is left."""
    source = edits.source
    left = [alias for alias in aliases(statement) if alias not in gone]
    if not left:
        _delete(edits, statement)
        return
    every = list(aliases(statement))
    for alias in gone:
        place = every.index(alias)
        own_lines = _own_lines(source, alias)
        if own_lines is not None:
            edits.replace_span(own_lines, "")
        elif any(other in left for other in every[place + 1 :]):
            end = source.span(every[place + 1])[0]
            edits.replace_span((source.span(alias)[0], end), "")
        else:  # nothing is left behind it: the comma before it goes with it
            edits.replace_span((_name_end(source, every[place - 1]), _name_end(source, alias)), "")


def _own_lines(source: ParsedSource, alias: cst.ImportAlias) -> Span | None:
    """The lines of a name, with its comma and comment, where it shares them with nothing."""
    begin, end = source.line_start(source.span(alias)[0]), _name_end(source, alias)
    before = source.text[begin : source.span(alias)[0]]
    after = source.text[end : source.next_line(end)].strip()
    alone = not before.strip() and after.removeprefix(",").lstrip().partition("#")[0] == ""
    return (begin, source.next_line(end)) if alone else None


def _name_end(source: ParsedSource, alias: cst.ImportAlias) -> int:
    last = alias.asname.name if alias.asname is not None else alias.name
    return source.span(last)[1]


def _delete(edits: Edits, statement: cst.ImportFrom) -> None:
    source = edits.source
    line = source.statement(statement)
    if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        edits.delete_lines(line)

"""GD501: import the name from the module of the project that defines it.

Where no module does, the import is guarded and the classes that need the name say clearly what is
missing when one of them is constructed. That form makes the file importable; it makes nothing of
what is missing, so it is never more than unsafe.
"""

from __future__ import annotations

import ast

import libcst as cst

from gptdoctor.core.repairs import Applicability
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.homes import home_of, spelling
from gptdoctor.remedies.imported import aliases, remove_aliases
from gptdoctor.remedies.missing import guard_module, guard_names
from gptdoctor.remedies.parsed import walk
from gptdoctor.remedies.remedy import Remedy, Request
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import absolute_module
from gptdoctor.source.unresolved import Lack, unresolved


def _mend(request: Request) -> str:
    statement = _statement(request)
    edits = Edits(request.source)
    if isinstance(statement, cst.Import):
        _check_missing(request, statement)
        guard_module(edits, statement)
        return edits.result()
    missing = _missing(request, statement)
    homes = {alias: home_of(request, _imported(alias)) for alias in missing}
    if all(homes.values()):
        _repoint(request, edits, statement, {a: home for a, home in homes.items() if home})
    elif any(homes.values()):
        raise Declined("some of the names are defined in the project, and others nowhere")
    else:
        guard_names(edits, statement, missing)
    return edits.result()


def _statement(request: Request) -> cst.Import | cst.ImportFrom:
    found = [
        node
        for node in walk(request.source.module, cst.Import, cst.ImportFrom)
        if isinstance(node, cst.Import | cst.ImportFrom) and request.covered(node)
    ]
    if not found:
        raise Declined("no import stands at this place")
    return found[-1]


def _missing(request: Request, statement: cst.ImportFrom) -> list[cst.ImportAlias]:
    """The names of the statement that cannot be had; raises Declined where all of them can."""
    node = _same_in_ast(request, statement)
    lack = unresolved(request.project, request.module, node)
    named = aliases(statement)
    if not named:
        raise Declined("everything is imported from a module that is missing")
    if lack is None:
        wanted = _seen_to_fail(request, node)
    else:
        wanted = lack.names if lack.lack is Lack.NAME else None
    return [alias for alias in named if wanted is None or _imported(alias) in wanted]


def _seen_to_fail(request: Request, node: ast.ImportFrom) -> tuple[str, ...] | None:
    """What a measurement saw the import fail for, where the text alone would clear it."""
    seen = request.finding.evidence.values
    if seen.get("module") != absolute_module(node, request.module.package):
        raise Declined("the import finds what it asks for")
    return (str(seen["name"]),) if seen.get("name") else None


def _check_missing(request: Request, statement: cst.Import) -> None:
    """Raise Declined where a plain import finds its module."""
    line = request.source.line(statement)
    for node in ast.walk(request.module.tree):
        if isinstance(node, ast.Import) and node.lineno == line:
            seen = request.finding.evidence.values.get("module")
            asked = [alias.name for alias in node.names]
            if unresolved(request.project, request.module, node) is None and seen not in asked:
                raise Declined("the import finds what it asks for")


def _same_in_ast(request: Request, statement: cst.ImportFrom) -> ast.ImportFrom:
    line = request.source.line(statement)
    for node in ast.walk(request.module.tree):
        if isinstance(node, ast.ImportFrom) and node.lineno == line:
            return node
    raise Declined("no import stands at this place")


def _imported(alias: cst.ImportAlias) -> str:
    return alias.name.value if isinstance(alias.name, cst.Name) else ""


def _repoint(
    request: Request,
    edits: Edits,
    statement: cst.ImportFrom,
    homes: dict[cst.ImportAlias, SourceModule],
) -> None:
    """Import each missing name from its home; the other names of the statement stay with it."""
    source = edits.source
    modules = {spelling(request, home) for home in homes.values()}
    only = modules.pop() if len(modules) == 1 else None
    stays = len(homes) < len(aliases(statement))
    if only is not None and not stays and len(only) == 1:
        edits.replace_span(_module_span(request, statement), only[0])
        return
    line = source.lone_statement(statement)
    lines: list[str] = []
    for alias, home in homes.items():
        lines += _imports(source.indent, spelling(request, home), source.code(alias).rstrip(", "))
    edits.after(line, lines)
    remove_aliases(edits, statement, list(homes))


def _module_span(request: Request, statement: cst.ImportFrom) -> tuple[int, int]:
    """The dots and names between `from` and `import`."""
    source = request.source
    first = statement.relative[0] if statement.relative else statement.module
    last = statement.module if statement.module is not None else statement.relative[-1]
    if first is None:
        raise Declined("the import names no module")
    return source.span(first)[0], source.span(last)[1]


def _imports(indent: str, modules: tuple[str, ...], alias: str) -> list[str]:
    """One import, or one that falls back on another where files are run both ways."""
    if len(modules) == 1:
        return [f"from {modules[0]} import {alias}"]
    first, second = modules
    return [
        "try:",
        f"{indent}from {first} import {alias}",
        "except ImportError:",
        f"{indent}from {second} import {alias}",
    ]


def _limit(request: Request) -> Applicability:
    """Guarding an import that nobody can serve is a guess at what is wanted."""
    statement = _statement(request)
    if isinstance(statement, cst.Import):
        return Applicability.UNSAFE
    missing = _missing(request, statement)
    served = all(home_of(request, _imported(alias)) for alias in missing)
    return Applicability.SAFE if served else Applicability.UNSAFE


REMEDY = Remedy(mend=_mend, limit=_limit)

"""The source of a measuring function, with all that it needs, to be put into another file.

Only text is read: neither torch nor a probe is imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from gptdoctor.core.errors import CatalogError

PACKAGE = Path(__file__).parents[1]
_Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Carried:
    """What a file needs in order to hold some functions."""

    imports: tuple[str, ...]  # statements, each of one name
    definitions: tuple[str, ...]  # in an order in which they can be read


def carried(functions: Iterable[str]) -> Carried:
    """The source of functions, "probes.shapes:row_influence", and of all that they name.

    Raises CatalogError where one is not there, or needs more of gptdoctor than functions,
    classes and constants of its modules.
    """
    luggage = _Luggage()
    for function in functions:
        module, _, name = function.partition(":")
        luggage.add(_module(module), name)
    return Carried(tuple(sorted(luggage.imports)), tuple(luggage.definitions.values()))


@dataclass(frozen=True, eq=False)
class _Module:
    """One module of ours, as text."""

    dotted: str
    lines: tuple[str, ...]
    definitions: dict[str, _Definition]
    imports: dict[str, ast.Import | ast.ImportFrom]

    def source(self, node: _Definition) -> str:
        """A definition with its decorators, and the comment that stands on it."""
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(one.lineno for one in decorators)]) - 1
        while self.lines[first - 1].startswith("#"):
            first -= 1
        return "\n".join(self.lines[first : node.end_lineno])


@cache
def _module(dotted: str) -> _Module:
    file = PACKAGE.joinpath(*dotted.split(".")).with_suffix(".py")
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogError(f"there is no module {dotted} to take a measurement from") from error
    definitions: dict[str, _Definition] = {}
    imports: dict[str, ast.Import | ast.ImportFrom] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports |= {alias.asname or alias.name.partition(".")[0]: node for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            definitions |= dict.fromkeys(_targets(node), node)
    return _Module(dotted, tuple(text.splitlines()), definitions, imports)


def _targets(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))


@dataclass
class _Luggage:
    """What was collected so far."""

    imports: set[str] = field(default_factory=set)
    definitions: dict[str, str] = field(default_factory=dict)  # source, by name
    homes: dict[str, str] = field(default_factory=dict)  # module, by name

    def add(self, module: _Module, name: str) -> None:
        """A name of a module, after all that it names itself."""
        node = module.definitions.get(name)
        if node is None:
            raise CatalogError(f"{module.dotted} has no {name} to carry")
        home = self.homes.setdefault(name, module.dotted)
        if home != module.dotted:
            raise CatalogError(f"both {home} and {module.dotted} have a {name}: one file has one")
        if name in self.definitions:
            return
        self.definitions[name] = ""  # a place in line, for one that names itself
        for used in _names(node):
            if used != name and used in module.definitions:
                self.add(module, used)
            elif used in module.imports:
                self._import(module.imports[used], used)
        source = module.source(node)
        del self.definitions[name]
        if source not in self.definitions.values():  # one statement may define several names
            self.definitions[name] = source

    def _import(self, node: ast.Import | ast.ImportFrom, name: str) -> None:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gptdoctor"):
            original = next(one.name for one in node.names if (one.asname or one.name) == name)
            if original != name:
                raise CatalogError(f"{node.module}.{original} is carried under its own name")
            self.add(_module((node.module or "").removeprefix("gptdoctor.")), name)
            return
        alias = next(
            one for one in node.names if (one.asname or one.name.partition(".")[0]) == name
        )
        kept = ast.Import([alias])
        if isinstance(node, ast.ImportFrom):
            kept = ast.ImportFrom(node.module, [alias], node.level)  # type: ignore[assignment]
        self.imports.add(ast.unparse(kept))


def _names(node: ast.AST) -> Iterator[str]:
    """The names that a definition uses, annotations included, in order."""
    found = (one.id for one in ast.walk(node) if isinstance(one, ast.Name))
    yield from dict.fromkeys(found)

"""What names mean: imports, their aliases, and plain assignments that rename."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from gptdoctor.source.statements import BLOCKS, blocks_of, holds_line, lines_at

# Of each statement of a file it is asked whether it is one of these: faster than of their types.
_IMPORTS = (ast.Import, ast.ImportFrom)
_BRANCHES = (ast.If, ast.Try)


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one module. `aliases` maps "F" to "torch.nn.functional"."""

    aliases: dict[str, str]
    stars: tuple[str, ...]  # modules imported by `*`: any unknown name may come from there

    @cached_property
    def roots(self) -> frozenset[str]:
        """The first parts of all names that the imports bring in."""
        return frozenset(name.partition(".")[0] for name in self.aliases.values())

    def qualified(self, node: ast.AST | None) -> str | None:
        """The dotted name of `F.cross_entropy` or `no_grad`, through imports and aliases.

        A name that nothing binds here is returned as it stands ("self.experts", "len"); None
        where `node` is no chain of names and attributes.
        """
        if node.__class__ is ast.Name and isinstance(node, ast.Name):  # as most are
            return self.aliases.get(node.id, node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):  # as most others
            return f"{self.aliases.get(node.value.id, node.value.id)}.{node.attr}"
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        return ".".join([self.aliases.get(node.id, node.id), *parts])

    def called(self, node: ast.AST | None) -> str | None:
        """The qualified name of what a call calls, or None where `node` is no call by name."""
        return self.qualified(node.func) if isinstance(node, ast.Call) else None


def last_name(node: ast.AST | None) -> str:
    """`eval` of `self.teacher.eval`, `model` of `model`; "" for what is no name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def called_name(node: ast.AST | None) -> str:
    """The last name of what a call calls: `eval` of `self.teacher.eval()`; "" for no call."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def collect_names(
    tree: ast.Module,
    package: str,
    imports: Iterable[ast.Import | ast.ImportFrom] | None = None,
) -> Names:
    """Read all imports of a module, at any depth, and top-level assignments `a = b.c`."""
    aliases: dict[str, str] = {}
    stars: list[str] = []
    for node in import_statements(tree) if imports is None else imports:
        aliases.update(bound_by(node, package))
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            stars.append(absolute_module(node, package))
    names = Names(aliases=aliases, stars=tuple(stars))
    for target, value in _renamings(tree):
        qualified = names.qualified(value)
        if qualified is not None and "." in qualified and target not in aliases:
            aliases[target] = qualified
    return names


def bound_by(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, str]:
    """The names that one import binds, and what each of them stands for; `*` tells none."""
    if isinstance(node, ast.Import):
        roots = ((alias, alias.name.partition(".")[0]) for alias in node.names)
        return {alias.asname or root: alias.name if alias.asname else root for alias, root in roots}
    origin = absolute_module(node, package)
    return {
        alias.asname or alias.name: f"{origin}.{alias.name}"
        for alias in node.names
        if alias.name != "*"
    }


def import_statements(
    tree: ast.AST, text: str | None = None
) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements below `tree`, in the order of the text.

    With the `text` of a module, no statement is entered that has none in it by what its lines say.
    """
    lines = None if text is None else _nested_imports(text)
    stack = blocks_of(tree)[::-1]
    while stack:
        node = stack.pop()
        if isinstance(node, _IMPORTS):
            yield node
        elif node.__class__ in BLOCKS and (lines is None or holds_line(node, lines)):
            stack += reversed(blocks_of(node))


def _nested_imports(text: str) -> list[int] | None:
    """The lines on which an import may stand inside of another statement; None for any line.

    Such a line is indented and begins with the import, or something with a colon or a semicolon
    stands before it, or the line before leads on to it.
    """
    if "\r" in text:  # ends a line, too
        return None
    places: list[int] = []
    at = text.find("import")
    while at >= 0:
        begin = text.rfind("\n", 0, at) + 1
        before = text[begin:at]
        indented = before[:1].isspace() and before.lstrip()[:4] in ("", "from")
        if indented or ":" in before or ";" in before or text[begin - 2 : begin - 1] == "\\":
            places.append(at)
        at = text.find("import", at + 6)
    return lines_at(text, places)


def absolute_module(node: ast.ImportFrom, package: str) -> str:
    """The dotted module that `from X import ...` names, seen from `package`."""
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - (node.level - 1)] if node.level > 1 else parts
    return ".".join([*kept, *([node.module] if node.module else [])])


def _renamings(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """`a = b.c` at the top level, in its branches too."""
    stack: list[ast.stmt] = list(tree.body)
    for node in stack:
        if isinstance(node, _BRANCHES):
            stack += [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt)]
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Attribute):
                yield target.id, node.value

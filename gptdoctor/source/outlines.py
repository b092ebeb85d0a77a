"""What the lines of a file say of its classes and imports, read without a parse.

Whether a class is a network is asked of thousands of files, and mostly hangs on the bases that two
or three others name. What lines do not say for sure raises `UnsureError`: then a parse tells.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from gptdoctor.source.module import decode, dotted_name
from gptdoctor.source.names import bound_by
from gptdoctor.source.outer_statements import AT_MARGIN, QUOTES

# A search for a plain word takes a tenth of a look at the beginning of each line.
_HEAD = re.compile(r"class[ \t]+(\w+)[ \t]*(?:(\([^()]*\))?[ \t]*(:))?")
_FUNCTION = re.compile(r"\n[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)")
_OUTER_FUNCTION = re.compile(r"\n(?:async[ \t]+)?def[ \t]+(\w+)")
_DEFINITION_AT_MARGIN = re.compile(r"\n(?=(?:class|def|async[ \t]+def)[ \t]+\w)")
_IMPORT = re.compile(r"import\b")
_STATEMENT = re.compile(r"[ \t]*((?:import|from)\b[^\n(]*(?:\([^)]*\))?)")
# An import behind a colon or a semicolon begins no line.
_BEHIND = re.compile(r"[:;][ \t]*(?:import|from)[ \t]+[\w.]")
_COMMENT = re.compile(r"[ \t]*#")
_BASE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
# `a = b.c`, which is another name where `a = b` is none; more may follow on further lines where
# nothing ends it.
_RENAMED = re.compile(r"(?:$|\w+\s*\.[\w.\s]*(?:\\|#.*)?$|[\w.\s]*\\$|\()")
# What stands before a statement that begins no line.
_BEFORE = re.compile(r"[ \t]*(?:.*;|(?:if|elif|else|try|except|finally)\b.*:)?[ \t]*")
_KEYWORD = re.compile(r"\w+\s*=\s*[\w.]+")
_IMPORTS = (ast.Import, ast.ImportFrom)


class UnsureError(Exception):
    """Lines do not say it: a string may hold such a line, or a name may be bound in two ways."""


@dataclass(eq=False)
class Sketch:
    """The head of a class in a file that is not parsed."""

    home: Outline
    name: str
    written: tuple[str, ...] | None  # its bases as they stand in the text; None: not plain
    begins: int  # where in the text its head begins

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """The qualified names of the bases."""
        if self.written is None:
            raise UnsureError
        return tuple(map(self.home.qualified, self.written))

    @property
    def text(self) -> str:
        """At least the text of the class: up to the next definition at the margin."""
        text = self.home.text
        found = _DEFINITION_AT_MARGIN.search(text, self.begins)
        return text[self.begins : len(text) if found is None else found.start() + 1]

    @cached_property
    def methods(self) -> frozenset[str]:
        """Names of functions that are sure to be in the class; it may have more."""
        text = self.text
        found = AT_MARGIN.search(text)
        end = len(text) if found is None else found.start()
        names: set[str] = set()
        at, quotes = 0, dict.fromkeys(QUOTES, 0)  # how many stand before
        for one in _FUNCTION.finditer(text, 0, end):
            for quote in QUOTES:
                quotes[quote] += text.count(quote, at, one.start())
            at = one.start()
            if not any(count % 2 for count in quotes.values()):
                names.add(one.group(1))
        return frozenset(names)


@dataclass(eq=False)
class Outline:
    """A file that is not parsed."""

    file: Path
    dotted: str
    overlaid: str | None = None  # the text that stands for the file on disk
    classes: dict[str, Sketch | None] = field(default_factory=dict)  # None: not told by lines
    aliases: dict[str, str | None] = field(default_factory=dict)
    variables: dict[str, bool] = field(default_factory=dict)  # those asked for

    @property
    def text(self) -> str:
        """The text of the file, which is read again: hundreds of files would fill the memory."""
        return _text(self.file) if self.overlaid is None else self.overlaid

    @cached_property
    def functions(self) -> frozenset[str]:
        """The names of all functions and methods."""
        return frozenset(_FUNCTION.findall("\n" + self.text))

    @cached_property
    def outer_functions(self) -> frozenset[str]:
        """The names of those at the margin; there may be more, which stand in texts in quotes."""
        return frozenset(_OUTER_FUNCTION.findall("\n" + self.text))

    def qualified(self, written: str) -> str:
        """The qualified name of what is written so."""
        root, dot, rest = written.partition(".")
        if root not in self.aliases and root not in self.classes and not hasattr(builtins, root):
            raise UnsureError
        known = self.aliases.get(root, root)
        if known is None:
            raise UnsureError
        return f"{known}{dot}{rest}"

    def sketch(self, name: str) -> Sketch:
        """The class of this name, which is one of `classes`."""
        found = self.classes[name]
        if found is None:
            raise UnsureError
        return found

    def alias(self, name: str) -> str | None:
        """What an import calls so; None for what is defined here and no class."""
        if name in self.aliases:
            if self.aliases[name] is None:
                raise UnsureError
            return self.aliases[name]
        if name not in self.functions and not self._is_variable(name):
            raise UnsureError
        return None

    def leads_nowhere(self, name: str) -> bool:
        """Whether a name is no class or function that the file defines or has from another."""
        if name in self.classes or name in self.aliases or name in self.outer_functions:
            return False
        return not self._is_assigned(name) or self._is_variable(name)

    def _is_assigned(self, name: str) -> bool:
        """Whether a statement may begin by giving a value to a name."""
        text = self.text
        return any(
            _BEFORE.fullmatch(text, text.rfind("\n", 0, found.start()) + 1, found.start())
            for found in re.finditer(rf"{name}[ \t]*=(?!=)", text)
        )

    def _is_variable(self, name: str) -> bool:
        """Whether a name is assigned once, at the margin, and no other name's value."""
        if name not in self.variables:
            pattern = rf"^([ \t]*){name}[ \t]*(?::[^=\n]*)?=(?!=)[ \t]*(.*)"
            found = re.findall(pattern, self.text, re.MULTILINE)
            margin, value = found[0] if len(found) == 1 else (" ", "")
            self.variables[name] = not margin and not _RENAMED.match(value)
        return self.variables[name]


class Outlines:
    """The outlines of one project's files, made when asked for."""

    def __init__(self) -> None:
        self._found: dict[Path, Outline | None] = {}

    def of(self, file: Path, text: str | None) -> Outline | None:
        """The outline of a file, or of `text` in its place; None where lines are not enough."""
        if file not in self._found:
            self._found[file] = outline_of(file, text)
        return self._found[file]


def outline_of(file: Path, text: str | None = None) -> Outline | None:
    """The same, each time anew."""
    outline = Outline(file=file, dotted=dotted_name(file), overlaid=text)
    package = outline.dotted
    if file.name != "__init__.py":
        package = outline.dotted.rpartition(".")[0]
    try:
        text = outline.text
        for bound, qualified in _imports(text, package):
            same = outline.aliases.get(bound, qualified) == qualified
            outline.aliases[bound] = qualified if same else None
    except (UnsureError, OSError, SyntaxError, ValueError, LookupError):
        return None
    _fill(outline, text)
    return outline


@lru_cache(maxsize=8)
def _text(file: Path) -> str:
    return decode(file.read_bytes())


def _imports(text: str, package: str) -> Iterator[tuple[str, str]]:
    statements = list(_statements(text))
    try:
        yield from list(_aliases("\n".join(statements), package))
    except (SyntaxError, ValueError):
        for statement in statements:
            yield from _aliases_if_any(statement, package)


def _statements(text: str) -> Iterator[str]:
    """What may be an import statement: each begins a line, and none is without the word."""
    found = _IMPORT.search(text)
    while found is not None:
        begin = text.rfind("\n", 0, found.start()) + 1
        before = text[begin : found.start()].strip(" \t")
        _check_line(text, begin, joined=not before)
        statement = None
        if not before or before.startswith("from"):
            statement = _STATEMENT.match(text, begin)
        if statement is not None:
            yield statement.group(1)
        found = _IMPORT.search(text, max(found.end(), statement.end() if statement else 0))


def _check_line(text: str, begin: int, *, joined: bool) -> None:
    """Raise where an import may hide in a line; `joined`: if a backslash joins the line before."""
    if joined and text.endswith("\\", 0, max(0, begin - 1)):
        raise UnsureError
    end = text.find("\n", begin)
    behind = _BEHIND.search(text, begin, len(text) if end < 0 else end)
    if behind is not None and not _COMMENT.match(text, begin):
        raise UnsureError


def _aliases(text: str, package: str) -> Iterator[tuple[str, str]]:
    """The names that imports bind, each as often as they do."""
    for node in ast.parse(text).body:
        if isinstance(node, _IMPORTS):
            yield from bound_by(node, package).items()


def _aliases_if_any(statement: str, package: str) -> Iterator[tuple[str, str]]:
    try:
        yield from list(_aliases(statement, package))
    except (SyntaxError, ValueError):
        # Words of a sentence begin a line, too; they are no statement that a bracket or a
        # backslash leads on.
        if "(" in statement or statement.endswith("\\"):
            raise UnsureError from None


def _fill(outline: Outline, text: str) -> None:
    for begins, found in _heads(text):
        name, bases, colon = found.groups()
        if begins != found.start() or not colon or name in outline.classes:
            outline.classes[name] = None
        else:
            outline.classes[name] = Sketch(outline, name, _written(bases or "()"), begins)


def _heads(text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """The heads of classes, and where their lines begin."""
    at = text.find("class")
    while at >= 0:
        begins = text.rfind("\n", 0, at) + 1
        found = None if text[begins:at].strip(" \t") else _HEAD.match(text, at)
        if found is not None:
            yield begins, found
        at = text.find("class", found.end() if found is not None else at + 1)


def _written(bases: str) -> tuple[str, ...] | None:
    parts = [one.strip() for one in bases[1:-1].split(",")]
    plain = [one for one in parts if one and not _KEYWORD.fullmatch(one)]
    return tuple(plain) if all(map(_BASE.fullmatch, plain)) else None

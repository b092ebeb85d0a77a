"""What a file tells those that ask it, by name: digests that stay while the answers would.

A scan that rests on a class of another file need not be made anew because a function beside that
class has changed.  A file is taken apart into the statements that bind its names, and all others.
An answer about a name comes from the statements that bind it, from those of all names that these
mention, however far, and from the statements that bind none.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from gptdoctor.source.module import decode

# Who asks for these: all that a file binds and does; what a star import of it brings; which names
# it has; and the lines that its parts stand on.
EVERYTHING, STARRED, NAMES, LINES = "", "*", "=", "#"
# Answers for names that nothing binds.
GETATTR = "__getattr__"
ALL = "__all__"
WORD = re.compile(r"\w+")
_DIGEST_BYTES = 8  # of some thousand names a project, two alike are not to be expected

# The texts that stand for each name; for EVERYTHING, those that are behind all answers.
Texts = dict[str, str]


def texts_of(tree: ast.Module, text: str) -> Texts:
    """The texts behind each name that a module binds."""
    lines = text.split("\n")
    found: dict[str, list[str]] = {EVERYTHING: []}
    for statement in tree.body:
        for name, part in _bindings(statement, lines):
            found.setdefault(name, []).append(part)
    names = [*sorted(found), *found[EVERYTHING]]
    found[STARRED], found[NAMES] = found.get(ALL) or names, names
    return {name: "\n".join(parts) for name, parts in found.items()}


def texts_in(data: bytes) -> Texts | None:
    """The same of the bytes of a file; None where they are no Python that can be read."""
    try:
        text = decode(data)
        return texts_of(ast.parse(text), text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError):
        return None


def digests_of(texts: Texts) -> dict[str, str]:
    """A digest of each text."""
    return {name: _digest(text) for name, text in texts.items()}


def packed(digests: Mapping[str, str]) -> str:
    """Digests by name as one text: of thousands of files those of a few are ever looked at."""
    return " ".join(f"{name}:{digest}" for name, digest in digests.items())


def unpacked(text: str) -> dict[str, str]:
    """What `packed` was given."""
    parts = (one.partition(":") for one in text.split())
    return {name: digest for name, _, digest in parts}


def _digest(text: str) -> str:
    data = text.encode(errors="surrogatepass")
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


def changed_names(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """The names whose own statements are not what they were, those that came or went included."""
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


def reached_by(texts: Texts, changed: Iterable[str]) -> set[str]:
    """The names about which answers may be others: `changed`, and those that lead to them.

    What a star import brings is a list of names, and stays when one of them means something else.
    """
    found = set(changed)
    if EVERYTHING in found:
        return {*found, *texts}
    lists = (STARRED, NAMES, ALL)
    mentions = {name: set(WORD.findall(text)) for name, text in texts.items() if name not in lists}
    grown = True
    while grown:
        more = {name for name, words in mentions.items() if name not in found and words & found}
        grown = bool(more)
        found |= more
        if EVERYTHING in more:
            return {*found, *texts}
    return found


def _bindings(statement: ast.stmt, lines: list[str]) -> Iterator[tuple[str, str]]:
    """The names that a statement of a module binds, each with the text that does it."""
    if isinstance(statement, ast.ImportFrom) and statement.names[0].name != "*":
        origin = "." * statement.level + (statement.module or "")
        for alias in statement.names:
            yield alias.asname or alias.name, f"{origin} {alias.name}"
    elif isinstance(statement, ast.Import):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0], alias.name
    elif not _is_note(statement):
        part = _lines_of(statement, lines)
        for name in _own_names(statement) or (EVERYTHING,):
            yield name, part


def _own_names(statement: ast.stmt) -> tuple[str, ...]:
    """The names that the whole statement is there to bind; none for any other statement."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return (statement.name,)
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    else:
        return ()
    names = tuple(target.id for target in targets if isinstance(target, ast.Name))
    return names if len(names) == len(targets) else ()


def _is_note(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _lines_of(statement: ast.stmt, lines: list[str]) -> str:
    decorators = getattr(statement, "decorator_list", ())
    first = min([statement.lineno, *(one.lineno for one in decorators)])
    return "\n".join(lines[first - 1 : statement.end_lineno])

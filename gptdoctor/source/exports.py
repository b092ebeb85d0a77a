"""What a module offers to those who import from it, as far as its text tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from gptdoctor.source.imports import bound_names
from gptdoctor.source.module import SourceModule, dotted_name
from gptdoctor.source.names import absolute_module
from gptdoctor.source.nodes import every_node
from gptdoctor.source.outer_statements import outer_statements
from gptdoctor.source.places import Origin
from gptdoctor.source.project import Project
from gptdoctor.source.statements import blocks_of, statements_below
from gptdoctor.source.told import GETATTR

# A module that does one of these may offer names that its text does not show: by the word that
# is looked for first.  A search for words takes a hundredth of one for their beginnings (`\b`).
_DYNAMIC = {
    word: re.compile(rf"{re.escape(word)}(?<!\w{re.escape(word)}){then}")
    for word, then in {
        "globals": r"\s*\(",
        "locals": r"\s*\(",
        "vars": r"\s*\(\s*\)",
        "exec": r"\s*\(",
        "setattr": r"\s*\(\s*sys\b",
        "sys.modules": r"\b",
        "__path__": r"\b",
    }.items()
}
_GLOBAL = re.compile(r"global(?<=\sglobal)\s+\w")
# Names that every module has.
EVERY_MODULE = frozenset(["__name__", "__file__", "__doc__", "__path__", "__spec__"])
FOUND = (Origin.PROJECT, Origin.INSTALLED)
# Star imports further away than this are loops made by mistake.
DEEPEST_STAR = 10


@dataclass(frozen=True, kw_only=True)
class Exports:
    """The names bound at the top level of one module."""

    defined: frozenset[str]  # by class, def or assignment
    imported: frozenset[str]
    stars: tuple[str, ...]  # absolute modules imported by `*`
    open: bool  # it may bind more than the text shows

    def __contains__(self, name: object) -> bool:
        """Whether the module itself binds `name`."""
        return name in self.defined or name in self.imported or name in EVERY_MODULE


_CACHE: WeakKeyDictionary[SourceModule, Exports] = WeakKeyDictionary()


def exports(module: SourceModule) -> Exports:
    """What `module` binds at its top level, in branches and handlers too."""
    if module not in _CACHE:
        _CACHE[module] = _read(module)
    return _CACHE[module]


def is_dynamic(text: str, dotted: str) -> bool:
    """Whether a module may bind names by other means than statements."""
    if any(word in text and way.search(text) for word, way in _DYNAMIC.items()):
        return True
    own = re.escape(dotted.rpartition(".")[2])
    return "setattr" in text and bool(re.search(rf"\bsetattr\s*\(\s*{own}\b", text))


# By file: the names that its lines alone show to be bound; None for one that may bind any.
_SHOWN: WeakKeyDictionary[Project, dict[Path, frozenset[str] | None]] = WeakKeyDictionary()


def shows(project: Project, file: Path, name: str) -> bool:
    """Whether lines alone tell that a file offers a name, or may offer any: then no parse has to.

    `offers` never says False then.
    """
    if name in project.heads(file) or name in EVERY_MODULE or _has_submodule(file, name):
        return True
    known = _SHOWN.setdefault(project, {})
    if file not in known:
        known[file] = _shown(file, project.text(file))
    names = known[file]
    return names is None or name in names


def _shown(file: Path, text: str | None) -> frozenset[str] | None:
    """The names that a file binds outside of its functions and classes; None where any may be."""
    if text is None:
        return frozenset()
    if is_dynamic(text, dotted_name(file)):
        return None
    found: set[str] = set()
    for node in _top_level(outer_statements(text) or ()):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update(bound_names(node))
        else:
            found.update(_defined(node))
    return frozenset(found)


def offers(project: Project, module: SourceModule, name: str, depth: int = 0) -> bool | None:
    """Whether `from module import name` works; None where the text cannot tell."""
    own = exports(module)
    if name in own or _is_submodule(project, module, name):
        return True
    if own.open or depth > DEEPEST_STAR:
        return None
    answers = [_star_offers(project, module, star, name, depth) for star in own.stars]
    if True in answers:
        return True
    return None if None in answers else False


def _star_offers(
    project: Project, module: SourceModule, star: str, name: str, depth: int
) -> bool | None:
    file = project.resolve(star, module).own
    if file is None:
        return None
    project.footprints.note(module.file, file, (name, GETATTR))
    if file != module.file and shows(project, file, name):
        return True
    other = project.read(file)
    if not isinstance(other, SourceModule) or other is module:
        return None
    return offers(project, other, name, depth + 1)


def _is_submodule(project: Project, module: SourceModule, name: str) -> bool:
    if module.file.name != "__init__.py":
        return False
    return (
        _has_submodule(module.file, name)
        or any(module.file.parent.glob(f"{name}.*so"))
        or project.resolve(f"{module.dotted}.{name}", module).origin in FOUND
    )


def _has_submodule(file: Path, name: str) -> bool:
    """Whether a module or a folder of this name lies beside the file of a package."""
    if file.name != "__init__.py":
        return False
    place = file.parent / name
    return place.is_dir() or place.with_name(f"{name}.py").is_file()


def _read(module: SourceModule) -> Exports:
    defined: set[str] = set()
    imported: set[str] = set()
    stars: list[str] = []
    for node in _top_level(module.tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported.update(bound_names(node))
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                stars.append(absolute_module(node, module.package))
        else:
            defined.update(_defined(node))
    answers = _answered(module) if GETATTR in defined | imported else frozenset()
    return Exports(
        defined=frozenset(defined | set(_declared_global(module))),
        imported=frozenset(imported | (answers or set())),
        stars=tuple(stars),
        open=answers is None or is_dynamic(module.text, module.dotted),
    )


def _answered(module: SourceModule) -> frozenset[str] | None:
    """The names that the module's `__getattr__` knows; None where it may know any.

    It knows a list of names when it ends by raising, and all it does before is to compare the
    name with constants.
    """
    functions = [node for node in _top_level(module.tree.body) if _is_getattr(node)]
    known: set[str] = set()
    for function in functions:
        *tests, last = getattr(function, "body", [None])
        tests = tests[1:] if tests and isinstance(tests[0], ast.Expr) else tests
        if not isinstance(last, ast.Raise) or not all(_compares(test) for test in tests):
            return None
        known.update(
            node.value
            for test in tests
            for node in every_node(test.test)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
    return frozenset(known) if functions else None


def _is_getattr(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == GETATTR


def _compares(statement: ast.stmt) -> bool:
    """Whether a statement is `if name == "constant"` or `if name in (constants)`."""
    if not isinstance(statement, ast.If) or not isinstance(statement.test, ast.Compare):
        return False
    values = statement.test.comparators
    plain = ast.Constant | ast.Tuple | ast.List | ast.Set
    return all(isinstance(value, plain) for value in values) and not statement.orelse


def _top_level(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The statements that run when the module is imported, but for those in class bodies."""
    stack = list(body)[::-1]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            stack.extend(reversed(blocks_of(node)))


def _defined(node: ast.AST) -> Iterator[str]:
    """The names that one statement binds, apart from the statements in it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr | ast.withitem | ast.pattern):
            yield from _stored(child)


def _stored(node: ast.AST) -> Iterator[str]:
    for inner in every_node(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.MatchAs | ast.MatchStar) and inner.name:
            yield inner.name


def _declared_global(module: SourceModule) -> Iterator[str]:
    """Names that functions declare `global`: calling one binds them."""
    text = module.text
    begins = (
        text[text.rfind("\n", 0, at.start()) + 1 : at.start()] for at in _GLOBAL.finditer(text)
    )
    if any(before.isspace() for before in begins):
        for node in statements_below(module.tree):
            if isinstance(node, ast.Global):
                yield from node.names

"""The user's own demonstrations of a class, read as text and never run.

`if __name__ == "__main__":`, factories, examples in docstrings and tests beside the file tell what
no rule can guess: string options, required parts, and how the instance is called.
"""

from __future__ import annotations

import ast
import copy
import doctest
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
# A test suite may be large: the first files that name the class tell enough.
_MOST_FILES = 200
_MOST_BYTES = 300_000
_MOST_DEMOS = 8
# Nodes of an expression behind a name: a longer one is data, and no option or part.
_LARGEST = 300
_TEST_FOLDERS = ("", "tests", "test")
_TEST = re.compile(r"(?:test_.*|.*_tests?|conftest)\.py")
_FENCED = re.compile(r"```(?:python|py|pycon)?[ \t]*\n(.*?)```", re.DOTALL)
_INDENTED = re.compile(r"::[ \t]*\n\s*\n((?:[ \t]+\S.*\n?|\s*\n)+)")
# What is done to a new instance before it gets a name: it stays the same object.
_HANDED_ON = frozenset(
    {"to", "cuda", "cpu", "eval", "train", "double", "float", "half", "bfloat16", "requires_grad_"}
)
# Wrappers that call what they are given.
_WRAPPERS = frozenset({"compile", "DataParallel", "DistributedDataParallel", "script"})


@dataclass(frozen=True, kw_only=True)
class Demo:
    """One construction of the class, and how instances are called."""

    build: ast.Call
    calls: tuple[ast.Call, ...]  # with the arguments that are given to the instance
    names: Mapping[str, ast.expr] = field(repr=False)  # what stands behind names at that place


def demos_in(text: str, name: str, entry: str = "forward") -> list[Demo]:
    """The demonstrations of class `name` in the text of one file, docstrings included."""
    if not re.search(rf"(?<!class )\b{re.escape(name.rpartition('.')[2])}\(", text):
        return []
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = _Reader(name, entry).read(tree)
    for code in _examples(tree):
        try:
            found += _Reader(name, entry).read(ast.parse(code))
        except (SyntaxError, ValueError):
            continue
    return found[:_MOST_DEMOS]


def tests_beside(root: Path, file: Path) -> Iterator[Path]:
    """The tests beside a file and in the folders above it, those of its own name first."""
    folders = [file.parent, *(up for up in file.parent.parents if up.is_relative_to(root))]
    places = [folder / inner for folder in folders for inner in _TEST_FOLDERS]
    found = [test for place in dict.fromkeys(places) for test in _tests_in(place) if test != file]
    own = f"test_{file.stem}.py"
    yield from sorted(found[:_MOST_FILES], key=lambda test: test.name != own)


def _tests_in(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return []
    return [folder / name for name in names if _TEST.fullmatch(name)]


def read_small(file: Path) -> str:
    """The text of a file; "" where it cannot be read, or is larger than anyone writes by hand."""
    try:
        return file.read_text(encoding="utf-8") if file.stat().st_size < _MOST_BYTES else ""
    except (OSError, ValueError):
        return ""


def _examples(tree: ast.Module) -> Iterator[str]:
    """The code in the docstrings of a module: at the prompt, in fences, or indented after `::`."""
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if not isinstance(node, holders):
            continue
        text = ast.get_docstring(node) or ""
        try:
            examples = doctest.DocTestParser().get_examples(text)
        except ValueError:
            examples = []
        if examples:
            yield "".join(example.source for example in examples)
        for pattern in (_FENCED, _INDENTED):
            yield from (_dedented(found) for found in pattern.findall(text) if ">>>" not in found)


def _dedented(code: str) -> str:
    lines = [line for line in code.splitlines() if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return "\n".join(line[margin:] for line in lines)


class _Reader:
    """Walks one file for constructions and calls of one class."""

    def __init__(self, name: str, entry: str) -> None:
        self._name = name.rpartition(".")[2]
        self._entry = entry
        self._builds: list[tuple[ast.Call, dict[str, ast.expr]]] = []
        self._calls: list[tuple[ast.Call, dict[str, ast.expr]]] = []
        self._instances: set[str] = set()  # also "self.model", and fixtures that return one

    def read(self, tree: ast.Module) -> list[Demo]:
        """All demonstrations; a call outside the scope of a construction belongs to the others."""
        outside = _assigned(tree.body)
        for scope in _scopes(tree):  # the names of fixtures first
            if isinstance(scope, ast.FunctionDef) and self._returns_instance(scope):
                self._instances.add(scope.name)
        self._walk(tree.body, dict(outside))
        for scope in _scopes(tree):
            self._walk(scope.body, dict(outside))
        called = "model" if self._entry == "forward" else f"model.{self._entry}"
        calls = [_inlined_call(called, call, names) for call, names in self._calls]
        return [Demo(build=build, calls=tuple(calls), names=names) for build, names in self._builds]

    def _returns_instance(self, function: FunctionNode) -> bool:
        returned = (node.value for node in ast.walk(function) if isinstance(node, ast.Return))
        made = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and self._construction(node.value) is not None
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        return any(
            value is not None
            and (self._construction(value) is not None or getattr(value, "id", "") in made)
            for value in returned
        )

    def _walk(self, body: Iterable[ast.stmt], names: dict[str, ast.expr]) -> None:
        for statement in _flattened(body):
            for node in ast.walk(statement):
                if isinstance(node, ast.Call):
                    self._note(node, names)
            for target, value in _bindings(statement):
                if self._is_instance(value):
                    self._instances.add(target)
                names[target] = value

    def _note(self, node: ast.Call, names: Mapping[str, ast.expr]) -> None:
        if self._is_class(node.func):
            self._builds.append((node, dict(names)))
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr == self._entry:
            called = called.value
        elif self._entry != "forward":
            return
        if ast.unparse(called) in self._instances or self._construction(called) is not None:
            self._calls.append((node, dict(names)))

    def _is_instance(self, value: ast.expr) -> bool:
        if self._construction(value) is not None:
            return True
        made_by = isinstance(value, ast.Call) and ast.unparse(value.func) in self._instances
        return made_by and not getattr(value, "args", None)

    def _construction(self, node: ast.expr) -> ast.Call | None:
        """The construction that an expression comes to: `GPT(...).to(device)`."""
        while isinstance(node, ast.Call):
            if self._is_class(node.func):
                return node
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in _WRAPPERS and node.args:
                node = node.args[0]
            elif isinstance(called, ast.Attribute) and name in _HANDED_ON:
                node = called.value
            else:
                return None
        return None

    def _is_class(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute):
            return node.attr == self._name
        return isinstance(node, ast.Name) and node.id == self._name


def _scopes(tree: ast.Module) -> Iterator[FunctionNode]:
    """The functions of a file, and the methods of what looks like a test."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef) and "test" in node.name.lower():
            yield from (each for each in node.body if isinstance(each, ast.FunctionDef))


def _flattened(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The simple statements of a body in their order, those in loops and branches too."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        inner = [
            child
            for name in ("body", "handlers", "orelse", "finalbody")
            for child in getattr(node, name, [])
        ]
        if not inner:
            yield node
        for child in inner:
            yield from _flattened(child.body if isinstance(child, ast.ExceptHandler) else [child])


def _bindings(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement gives a value, with it: `x`, `self.x`, and both of `a, b`."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield ast.unparse(statement.target), statement.value
    for target in statement.targets if isinstance(statement, ast.Assign) else ():
        value = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = zip(target.elts, value.elts, strict=False)
            yield from ((ast.unparse(name), each) for name, each in pairs)
        elif isinstance(target, ast.Name | ast.Attribute) and value is not None:
            yield ast.unparse(target), value


def _assigned(body: Iterable[ast.stmt]) -> dict[str, ast.expr]:
    return {name: value for each in _flattened(body) for name, value in _bindings(each)}


def _inlined_call(called: str, call: ast.Call, names: Mapping[str, ast.expr]) -> ast.Call:
    """A call of the instance with its arguments told without the names of its place."""
    arguments = [inlined(each, names) for each in call.args]
    given = [ast.keyword(arg=each.arg, value=inlined(each.value, names)) for each in call.keywords]
    entry = ast.parse(called, mode="eval").body
    return ast.Call(func=entry, args=arguments, keywords=given)


def inlined(node: ast.expr, names: Mapping[str, ast.expr], depth: int = 6) -> ast.expr:
    """An expression with what stands behind its names in their place, as far as that is known."""
    if depth == 0 or sum(1 for _ in ast.walk(node)) > _LARGEST:
        return node
    return _Inliner(names, depth).visit(copy.deepcopy(node))  # type: ignore[no-any-return]


class _Inliner(ast.NodeTransformer):
    """Exchanges names for what they were given, and `cfg.dim`, `cfg["dim"]` for their values."""

    def __init__(self, names: Mapping[str, ast.expr], depth: int) -> None:
        self._names = names
        self._depth = depth

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """What stands behind a name."""
        value = self._names.get(node.id)
        return node if value is None else inlined(value, self._names, self._depth - 1)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """A value that was given to the object by name, or `self.x`."""
        known = self._names.get(ast.unparse(node))
        if known is not None:
            return inlined(known, self._names, self._depth - 1)
        inner = self._inner(node.value)
        for keyword in inner.keywords if isinstance(inner, ast.Call) else ():
            if keyword.arg == node.attr:
                return keyword.value
        return ast.Attribute(value=inner, attr=node.attr, ctx=node.ctx)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """A value of a dictionary that is written out."""
        inner, key = self._inner(node.value), node.slice
        if isinstance(inner, ast.Dict) and isinstance(key, ast.Constant):
            for known, value in zip(inner.keys, inner.values, strict=True):
                if isinstance(known, ast.Constant) and known.value == key.value:
                    return value
        return ast.Subscript(value=inner, slice=self._inner(key), ctx=node.ctx)

    def _inner(self, node: ast.expr) -> ast.expr:
        return self.visit(node)  # type: ignore[no-any-return]

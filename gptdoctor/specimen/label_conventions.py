"""Which tokens a model's labels stand for: those of its inputs, or the next ones already.

nanoGPT is given targets that the caller has shifted, the models of transformers shift labels
themselves; the name of a parameter tells neither for certain.  What the user's own text shows
settles it: how the model is called, how data is cut, what a docstring says.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from torch import nn

from gptdoctor.specimen.default_labels import default_labels
from gptdoctor.specimen.demonstrated import consult
from gptdoctor.specimen.demos import read_small, tests_beside
from gptdoctor.specimen.labels import names_next
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.reads import source_of

SAME, NEXT, OPEN = "same", "next", "open"
# Files beside the model's that say how it is trained; more of them repeat each other.
_TRAINING = re.compile(r"(?:.*_)?(?:pre|fine_?)?(?:train|data|main|run|demo|example)\w*\.py")
_MOST_FILES = 12
# Names of labels in training loops, whatever the model calls them.
_NAMES = re.compile(r"(?:[xy]_?)?(?:labels?|targets?|tgt|y|yb|Y)(?:_(?:ids|batch|tokens))?")
_LOSSES = re.compile(r"entropy|loss|criterion|nll", re.IGNORECASE)
_SAID_NEXT = re.compile(
    r"(?:already (?:be |been )?|pre-?)[ -]?shifted|shifted by (?:the caller|one already)"
    r"|not\W+shifted\W+(?:inside|internally|in|by)\b"
    r"|next[- ]token (?:ids|labels|targets)|(?:labels|targets)[^.\n]{0,40}shifted (?:left|by one)",
    re.IGNORECASE,
)
_SAID_SAME = re.compile(
    r"(?<!not )shifted? (?:inside|internally|\w+ the (?:model|forward))|labels ?= ?input_ids"
    r"|same as (?:the )?`*input_ids|(?:does|do) the shift",
    re.IGNORECASE,
)
# Bases whose users give the inputs as labels: the trainers and collators around them do.
_SHIFTING_BASES = frozenset({"PreTrainedModel"})


@dataclass(frozen=True, kw_only=True)
class Convention:
    """What the labels of one parameter stand for, and what shows it ("" where nothing does)."""

    kind: str  # "same", "next", "open"
    shown: str = ""


def convention_of(
    model: nn.Module, labels: str, ids: str, root: str, *, two_texts: bool
) -> Convention:
    """What the parameter `labels` is given, beside `ids`; `two_texts`: there are other ids.

    A decoder's labels may belong to ids that the caller has shifted, or not.
    """
    module = sys.modules.get(type(model).__module__)
    text = "" if module is None else source_of(module)
    path = getattr(module, "__file__", None)
    beside = _beside(Path(path)) if path and project_path(path, root) is not None else ()
    name = type(model).__name__
    texts = [told for one in (text, *beside) if (told := _text_of(one, name)) is not None]
    parsed = [one.tree for one in texts]
    shown = [call for one in texts for call in _calls(one, labels, ids)]
    if shown:
        return next((one for one in shown if one.kind == NEXT), shown[0])
    hints = any(one.cuts_labels for one in texts)
    base = next((k.__name__ for k in type(model).__mro__ if k.__name__ in _SHIFTING_BASES), "")
    if two_texts:
        return Convention(kind=OPEN)
    if default := default_labels(parsed[:1], name, labels, ids):
        return Convention(kind=SAME, shown=default)
    if names_next(labels):
        return Convention(kind=OPEN)
    said = " ".join(" ".join(_docstrings(parsed[:1], name)).split())
    if _SAID_NEXT.search(said):
        return Convention(kind=OPEN, shown="its docstring")
    if base:
        return Convention(kind=SAME, shown=f"its base {base}")
    if found := _SAID_SAME.search(said):
        return Convention(kind=SAME, shown=f"its docstring ({found.group()})")
    if ids == "input_ids" and not hints:
        return Convention(kind=SAME, shown=f"the names {ids} and {labels}")
    return Convention(kind=OPEN)


def masks_labels(model: nn.Module) -> bool:
    """Whether its text, or a base, counts on callers to mark what is no target with -100."""
    module = sys.modules.get(type(model).__module__)
    based = any(kind.__name__ in _SHIFTING_BASES for kind in type(model).__mro__)
    return based or module is None or "-100" in source_of(module)


def _beside(file: Path) -> tuple[str, ...]:
    """The texts of what trains or tests the model in `file`, as far as their names tell."""
    scripts = [one for one in sorted(file.parent.glob("*.py")) if _TRAINING.fullmatch(one.name)]
    found = [one for one in (*scripts, *tests_beside(file.parent, file)) if one != file]
    for one in (*found[:_MOST_FILES], file.with_name("train.py")):
        consult(one)
    return tuple(read_small(one) for one in found[:_MOST_FILES])


@dataclass(frozen=True, eq=False)
class _Text:
    """A file, and what is asked of it again for each loss and each name of its labels."""

    tree: ast.Module
    name: str  # of the model's class

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All of the file but the functions that speak of other classes."""
        return list(ast.walk(_about(self.tree, self.name)))

    @cached_property
    def bound(self) -> dict[str, ast.expr]:
        """The last value that is assigned to each name."""
        return _bindings(self.nodes)

    @cached_property
    def cuts_labels(self) -> bool:
        """Whether something outside the class cuts labels, or what is given beside inputs."""
        return _cuts_labels(self)


@cache  # by its text: a process examines one model, which is seldom told by more than one file
def _text_of(text: str, name: str) -> _Text | None:
    try:
        return _Text(ast.parse(text), name)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _docstrings(trees: list[ast.Module], name: str) -> Iterator[str]:
    """What a file and the class say of themselves."""
    for node in (inner for tree in trees for inner in ast.walk(tree)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            documented = (one for one in ast.walk(node) if isinstance(one, _DOCUMENTED))
            yield from (text for one in documented if (text := ast.get_docstring(one)))
    yield from (text for tree in trees if (text := ast.get_docstring(tree)))


_DOCUMENTED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _calls(told: _Text, labels: str, ids: str) -> Iterator[Convention]:
    """What the calls that give both ids and labels show."""
    bound = told.bound
    for node in told.nodes:
        if not isinstance(node, ast.Call):
            continue
        given = _given(node, labels, ids, bound, told.name)
        if given is None or _LOSSES.search(ast.unparse(node.func)):  # in this order: few are given
            continue
        text, target = (_behind(one, bound) for one in given)
        cut = any(isinstance(inner, ast.Slice) for inner in ast.walk(text))
        if _starts_at_one(target) and cut and not _starts_at_one(text):
            yield Convention(kind=NEXT, shown=ast.unparse(node))
        elif _plain(given[0]) == _plain(given[1]) or _plain(given[0]) == _plain(target):
            yield Convention(kind=SAME, shown=ast.unparse(node))


def _given(
    call: ast.Call, labels: str, ids: str, bound: dict[str, ast.expr], name: str
) -> tuple[ast.expr, ast.expr] | None:
    """The ids and the labels that a call gives."""
    keywords = {one.arg: one.value for one in call.keywords if one.arg}
    text = keywords.get(ids, call.args[0] if call.args else None)
    target = keywords.get(labels)
    if target is None and len(call.args) == 2 and _is_model(call.func, bound, name):
        target = call.args[1]
    starred = isinstance(text, ast.Starred) or isinstance(target, ast.Starred)
    return None if text is None or target is None or starred else (text, target)


def _is_model(called: ast.expr, bound: dict[str, ast.expr], name: str) -> bool:
    """Whether what is called is an instance: by its name, or because the class made it."""
    if isinstance(called, ast.Attribute):
        return called.attr in ("forward", "model", "net", "lm")
    if not isinstance(called, ast.Name):
        return False
    made = bound.get(called.id)
    by_class = isinstance(made, ast.Call) and name in ast.unparse(made)
    return by_class or called.id in ("model", "net", "lm", "gpt", "self")


def _bindings(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """The last value that is assigned to each name, one for each of a tuple."""
    found: dict[str, ast.expr] = {}
    for node in nodes:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name):
                found[target.id] = node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=False)
                found.update((t.id, value) for t, value in pairs if isinstance(t, ast.Name))
    return found


def _behind(value: ast.expr, bound: dict[str, ast.expr]) -> ast.expr:
    return bound.get(value.id, value) if isinstance(value, ast.Name) else value


def _plain(value: ast.expr) -> str:
    """The text of a value, without what copies it."""
    return re.sub(r"\.(?:clone|detach|contiguous|copy)\(\)", "", ast.unparse(value))


def _starts_at_one(value: ast.expr) -> bool:
    """Whether a value is cut so that its first token is left out: `ids[:, 1:]`, `d[i + 1 : n]`."""
    for node in ast.walk(value):
        if isinstance(node, ast.Slice) and node.lower is not None:
            lower = node.lower
            added = isinstance(lower, ast.BinOp) and isinstance(lower.op, ast.Add)
            ends = [lower.left, lower.right] if isinstance(lower, ast.BinOp) and added else [lower]
            if any(isinstance(end, ast.Constant) and end.value == 1 for end in ends):
                return True
        rolled = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("roll")
        if isinstance(node, ast.Call) and rolled and "-1" in ast.unparse(node):
            return True
    return False


def _cuts_labels(told: _Text) -> bool:
    """Whether something outside the class cuts labels, or what a data set gives beside inputs."""
    body = told.tree.body
    own = (one for one in body if isinstance(one, ast.ClassDef) and one.name == told.name)
    inside = {id(inner) for node in own for inner in ast.walk(node)}
    outside = [node for node in told.nodes if id(node) not in inside]
    return any(_starts_at_one(value) for node in outside for value in _label_values(node))


def _label_values(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement or a dictionary gives the name of labels, or returns beside inputs."""
    if isinstance(node, ast.Assign):
        bound = _bindings([node])
        yield from (value for name, value in bound.items() if _NAMES.fullmatch(name))
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and _NAMES.fullmatch(str(key.value)):
                yield value
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        yield from node.value.elts


def _about(tree: ast.Module, name: str) -> ast.Module:
    """The file without the functions that speak of other classes of it, and not of `name`."""
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)} - {name}

    def speaks_of_others(node: ast.stmt) -> bool:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If):
            return False
        names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        return name not in names and bool(names & classes)

    body = [node for node in tree.body if not speaks_of_others(node)]
    return ast.Module(body=body, type_ignores=[])

"""Weights that the text or the settings make one, looked at when the model is built."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from types import FunctionType

import torch
from torch import nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.parameter_registration import BrokenTie
from gptdoctor.probes.instruments.attribute_text import (
    assigned_at,
    loaded_files,
    methods_of,
    tree_of,
)
from gptdoctor.probes.instruments.loaded_text import text_of
from gptdoctor.specimen.places import project_path, symbol_of

# A file without such a line is not parsed.
_TIE = re.compile(r"\.weight\s*=\s*self\.")
_MEMORY = re.compile(r"\.data\b|\bset_\(|\bParameter\(")
# How settings say that head and embedding are one: `tie_weights`, `tied_embeddings`.
_FLAG = re.compile(r"(^|_)(tie|tied|tying)(_|$)")
# Ties of other parts of a model.
_OTHER = re.compile(r"encoder|decoder|proj|layer|kv|qk|key|query|router|expert", re.I)


def broken_ties(model: nn.Module, root: str) -> Iterator[BrokenTie]:
    """The ties that do not hold, each place once."""
    told: set[Place] = set()
    for tie in _tied_by_memory(model, root):
        told.add(Place(path=tie.path, symbol=tie.symbol, line=tie.line))
        yield tie
    for module in model.modules():
        for place, first, second in _ties_of(module, root):
            mine, other = _weight(module, first), _weight(module, second)
            if mine is None or other is None or mine is other or place in told:
                continue
            told.add(place)
            yield _told(first, second, mine, other, place, "")
    if not told:
        yield from _broken_by_settings(model, root)


def _told(
    first: str,
    second: str,
    mine: nn.Parameter,
    other: nn.Parameter,
    place: Place,
    setting: str,
    *,
    one_memory: bool = False,
) -> BrokenTie:
    alike = mine.shape == other.shape and torch.equal(mine, other)
    return BrokenTie(
        first=first,
        second=second,
        path=place.path,
        symbol=place.symbol,
        line=place.line or 0,
        alike=alike,
        setting=setting,
        one_memory=one_memory,
    )


def _tied_by_memory(model: nn.Module, root: str) -> Iterator[BrokenTie]:
    """Two parameters of one memory, whose statement `a.weight.data = b.weight.data` is known.

    An optimizer moves such numbers twice a step, and a model that is moved to a device has two.
    """
    first_of: dict[tuple[int, torch.Size], tuple[str, nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        memory = parameter.data_ptr()
        if memory == 0 or not parameter.requires_grad:
            continue  # on the meta device all lie at 0; what is frozen is moved by no one
        other, same = first_of.setdefault((memory, parameter.shape), (name, parameter))
        place = None if same is parameter else _place_of_sharing(model, other, name, root)
        if place is not None:
            yield _told(other, name, same, parameter, place, "", one_memory=True)


def _place_of_sharing(model: nn.Module, first: str, second: str, root: str) -> Place | None:
    """The statement that gives one of two parameters the memory of the other."""
    for module in model.modules():
        for function, node in methods_of(module, root):
            if not _MEMORY.search(text_of(function.__code__.co_filename)):
                continue
            for statement in ast.walk(node):
                if isinstance(statement, ast.Assign | ast.Expr) and all(
                    _speaks_of(statement, name) for name in (first, second)
                ):
                    code = function.__code__
                    path = project_path(code.co_filename, root) or ""
                    return Place(path=path, symbol=symbol_of(code), line=statement.lineno)
    return None


def _speaks_of(statement: ast.Assign | ast.Expr, name: str) -> bool:
    """Whether a statement that is about memory names a parameter by its last two parts."""
    parts = name.split(".")[-2:]
    read = {each.attr for each in ast.walk(statement) if isinstance(each, ast.Attribute)}
    return set(parts) <= read and _MEMORY.search(ast.unparse(statement)) is not None


def _ties_of(module: nn.Module, root: str) -> Iterator[tuple[Place, str, str]]:
    """The ties in the body of the last constructor: a subclass may well undo those of its base.

    What stands under a condition may not have run.
    """
    function: object = type(module).__init__
    if not isinstance(function, FunctionType):
        return
    code = function.__code__
    path = project_path(code.co_filename, root)
    if path is None or not _TIE.search(text_of(code.co_filename)):
        return
    node = tree_of(function)
    for statement in node.body if isinstance(node, ast.FunctionDef) else ():
        for first, second in _tied(statement):
            yield Place(path=path, symbol=symbol_of(code), line=statement.lineno), first, second


def _tied(statement: ast.AST) -> Iterator[tuple[str, str]]:
    """The two sides of `self.head.weight = self.tokens.weight`, as paths from `self`."""
    if isinstance(statement, ast.Assign):
        second = _path(statement.value)
        for target in statement.targets:
            first = _path(target)
            if first.endswith(".weight") and second.endswith(".weight"):
                yield first, second


def _path(node: ast.expr) -> str:
    """`self.a.b.weight` as "a.b.weight"; "" for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed(parts)) if isinstance(node, ast.Name) and node.id == "self" else ""


def _weight(module: nn.Module, path: str) -> nn.Parameter | None:
    """The parameter at the end of a path of attributes; None where there is none."""
    value: object = module
    for part in path.split("."):
        value = getattr(value, part, None)
    return value if isinstance(value, nn.Parameter) else None


def _broken_by_settings(model: nn.Module, root: str) -> Iterator[BrokenTie]:
    """Settings that say "tied" over the one head and the one embedding, which are two."""
    setting = next((name for name in _settings(model) if _is_the_users(name, root)), None)
    pair = _pair(model) if setting is not None else None
    if setting is None or pair is None:
        return
    head, tokens = pair
    first, second = f"{head}.weight", f"{tokens}.weight"
    mine, other = model.get_parameter(first), model.get_parameter(second)
    same_memory = mine.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
    place = None if same_memory else _place_of_head(model, head, root)
    if place is not None:
        yield _told(first, second, mine, other, place, setting)


def _settings(model: nn.Module) -> Iterator[str]:
    """The names of all that is true and speaks of a tie, on modules and on their settings."""
    for module in model.modules():
        for name, value in list(vars(module).items()):
            held = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
            for key, each in ((name, value), *list(held.items())):
                speaks = isinstance(key, str) and _FLAG.search(key) and not _OTHER.search(key)
                if each is True and speaks:
                    yield key


def _is_the_users(name: str, root: str) -> bool:
    """Whether the user's own text knows a setting: a library's default says nothing."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    return any(word.search(text_of(each)) for each in loaded_files(root))


def _pair(model: nn.Module) -> tuple[str, str] | None:
    """The head and the embedding of one shape [V, C], where there is one of each."""
    tables = {n: m for n, m in model.named_modules() if isinstance(m, nn.Embedding)}
    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear)}
    pairs = [
        (head, table)
        for table, embedding in tables.items()
        for head, linear in layers.items()
        if embedding.weight.shape == linear.weight.shape
        and embedding.weight.shape[0] != embedding.weight.shape[1]
    ]
    return pairs[0] if len(pairs) == 1 else None


def _place_of_head(model: nn.Module, head: str, root: str) -> Place | None:
    """The statement that gives the head its weight, else the one that makes it.

    None where a method that is no constructor ties it: whoever trains may call that.
    """
    attribute = head.rpartition(".")[2]
    sets: list[Place] = []
    for module in model.modules():
        for function, node in methods_of(module, root):
            for one in ast.walk(node):
                if not isinstance(one, ast.Assign):
                    continue
                if not any(_path(each).endswith(f"{attribute}.weight") for each in one.targets):
                    continue
                if any(_tied(one)) and function.__name__ != "__init__":
                    return None
                code = function.__code__
                path = project_path(code.co_filename, root) or ""
                sets.append(Place(path=path, symbol=symbol_of(code), line=one.lineno))
    if sets:
        return sets[0]
    made = assigned_at(model.get_submodule(head.rpartition(".")[0]), attribute, root)
    return None if made is None else made.place

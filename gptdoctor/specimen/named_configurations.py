"""Configurations that the user's files name: instances, dictionaries, and what functions return."""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

from torch import nn

from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.reads import project_modules, source_of

# What such functions are called that look outside the process for their answer.
_ELSEWHERE = re.compile(
    r".*(?:pretrained|download|load|json|yaml|file|path|env|args|argv|cli|parse|hub|url).*",
    re.IGNORECASE,
)
# Names to ask a function like `Config.from_name` for: families have a dozen or two.
_MOST_NAMES = 64
# A dictionary with no more than this share of the keys that a model reads is of something else.
_ENOUGH = 0.5


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The parameter of a model's constructor that takes the whole configuration."""

    parameter: str
    kind: type  # of the configuration; dict or SimpleNamespace where any with the keys will do
    keys: frozenset[str]

    def takes(self, value: Any) -> bool:
        """Whether a value of the user's is such a configuration."""
        if self.kind is dict:
            return isinstance(value, dict) and self._most_of(value.keys())
        if self.kind is SimpleNamespace:
            plain = not isinstance(value, type | ModuleType | nn.Module) and not callable(value)
            return plain and self._most_of(key for key in self.keys if hasattr(value, key))
        return isinstance(value, self.kind)

    def _most_of(self, keys: Iterable[Any]) -> bool:
        """Whether these are most of the keys that the model reads; some it may not need."""
        return len(self.keys & set(keys)) > _ENOUGH * len(self.keys)


@dataclass(frozen=True, kw_only=True)
class Named:
    """One configuration, or a function that makes the whole model, under the user's name for it."""

    name: str  # code that gives it
    value: Any
    makes_model: bool = False


def named_configurations(
    module: ModuleType, root: str, made: Callable[..., Any], holder: Holder | None
) -> Iterator[Named]:
    """All that the modules of the project name for the model that `made` makes."""
    modules = {id(each): each for each in (module, *project_modules(root))}
    for each in modules.values():
        yield from _constants(each, made, holder)
    if holder is not None and holder.kind not in (dict, SimpleNamespace):
        yield from _from_methods(holder.kind, root)
    for each in modules.values():
        yield from _from_functions(each, made, holder)
    if isinstance(made, type):
        yield from _models(module, made)


def _constants(
    module: ModuleType, made: Callable[..., Any], holder: Holder | None
) -> Iterator[Named]:
    """Values at the top of a module, and those in dictionaries there."""
    for name, value in list(vars(module).items()):
        if name.startswith("__"):
            continue
        yield from _as_configuration(name, value, made, holder)
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield from _of_class(value, holder)
        elif isinstance(value, dict):
            for key, inner in list(value.items())[:_MOST_NAMES]:
                if isinstance(key, str):
                    yield from _as_configuration(f"{name}[{key!r}]", inner, made, holder)


def _of_class(kind: type, holder: Holder | None) -> Iterator[Named]:
    """An instance of a class that sets the attributes which the model reads, and asks nothing."""
    if holder is None or holder.kind is not SimpleNamespace or issubclass(kind, nn.Module):
        return
    try:
        value = kind()
    except FAILURES:
        return
    if holder.takes(value):
        yield Named(name=f"{kind.__name__}()", value=value)


def _as_configuration(
    name: str, value: Any, made: Callable[..., Any], holder: Holder | None
) -> Iterator[Named]:
    """The value, if it is a configuration or holds the arguments of one."""
    if holder is not None and holder.takes(value):
        yield Named(name=name, value=value)
    elif not isinstance(value, dict) or not value:
        return
    elif holder is None:
        if _serves(value, made):
            yield Named(name=name, value=value)
    elif holder.kind not in (dict, SimpleNamespace) and _serves(value, holder.kind):
        try:
            config = holder.kind(**value)
        except FAILURES:
            return
        yield Named(name=f"{holder.kind.__name__}(**{name})", value=config)


def _serves(value: Mapping[Any, Any], called: Callable[..., Any]) -> bool:
    """Whether a dictionary holds keyword arguments of `called`: two at least, and all required."""
    try:
        parameters = inspect.signature(called).parameters
    except (TypeError, ValueError):
        return False
    named = {
        name
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }
    required = {name for name in named if parameters[name].default is inspect.Parameter.empty}
    return len(value) > 1 and required <= value.keys() <= named


def _from_methods(kind: type, root: str) -> Iterator[Named]:
    """What class and static methods of the configuration's class return: presets."""
    for base in kind.__mro__:
        for name, member in vars(base).items():
            if isinstance(member, classmethod | staticmethod) and not name.startswith("_"):
                function = member.__func__
                if _is_users(function, root) and not _ELSEWHERE.fullmatch(name):
                    bound = getattr(kind, name)
                    yield from _called(f"{kind.__name__}.{name}", bound, function, kind)


def _from_functions(
    module: ModuleType, made: Callable[..., Any], holder: Holder | None
) -> Iterator[Named]:
    """What functions of the module return that promise a configuration."""
    if holder is None or holder.kind is SimpleNamespace:
        return
    for name, function in list(vars(module).items()):
        own = isinstance(function, types.FunctionType) and function.__module__ == module.__name__
        if not own or function is made or _ELSEWHERE.fullmatch(name):
            continue
        promised = function.__annotations__.get("return")
        promises = promised in (holder.kind, holder.kind.__name__)
        if promises or re.search(r"config|cfg|hparams|preset", name, re.IGNORECASE):
            for named in _called(name, function, function, holder.kind):
                if holder.takes(named.value):
                    yield named


def _called(code: str, call: Callable[..., Any], function: Any, kind: type) -> Iterator[Named]:
    """What a function without required arguments returns; or one that asks for a known name."""
    required = [
        parameter
        for parameter in inspect.signature(call).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    choices: list[tuple[Any, ...]] = [()] if not required else []
    if len(required) == 1:
        choices = [(name,) for name in _known_names(function)]
    for arguments in choices:
        try:
            value = call(*arguments)
        except FAILURES:
            continue
        if isinstance(value, kind):
            yield Named(name=f"{code}({', '.join(map(repr, arguments))})", value=value)


def _known_names(function: Any) -> list[str]:
    """The keys of the dictionaries that a function looks its argument up in."""
    code, names = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    tables = [names.get(name) for name in (code.co_names if code is not None else ())]
    keys = [key for table in tables if isinstance(table, dict) for key in table]
    return [key for key in keys if isinstance(key, str)][:_MOST_NAMES]


def _is_users(function: Any, root: str) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and project_path(code.co_filename, root) is not None


def _models(module: ModuleType, made: type) -> Iterator[Named]:
    """Functions and class methods that do nothing but return the model at sizes of their own."""
    try:
        tree = ast.parse(source_of(module))
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and _returns(node, made.__name__):
            yield from _maker(node.name, getattr(module, node.name, None))
        elif isinstance(node, ast.ClassDef) and node.name == made.__name__:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and _returns(method, "cls"):
                    name = f"{made.__name__}.{method.name}"
                    yield from _maker(name, getattr(made, method.name, None))


def _returns(node: ast.FunctionDef, called: str) -> bool:
    """Whether a function returns a call of `called` with arguments, and has no loop to train in."""
    if any(isinstance(each, ast.For | ast.While | ast.With) for each in ast.walk(node)):
        return False
    return not _ELSEWHERE.fullmatch(node.name) and any(
        isinstance(each, ast.Return)
        and isinstance(each.value, ast.Call)
        and isinstance(each.value.func, ast.Name)
        and each.value.func.id == called
        for each in ast.walk(node)
    )


def _maker(name: str, function: Any) -> Iterator[Named]:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return
    yield Named(name=f"{name}()", value=function, makes_model=True)

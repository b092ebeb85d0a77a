"""What annotations, defaults and existing instances tell of an argument."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any

from gptdoctor.specimen.values import MISSING

# Types that tell no more than that a plain value is wanted.
_PLAIN_MODULES = frozenset({"builtins", "typing", "torch", "collections", "collections.abc"})


def hint_of(annotation: Any, made: Callable[..., Any]) -> Any:
    """The type that an annotation names, without its None; None: it tells nothing usable."""
    if isinstance(annotation, str):
        home = getattr(inspect.unwrap(getattr(made, "__init__", made)), "__globals__", None)
        namespace = home or vars(sys.modules.get(made.__module__, types))
        try:
            annotation = eval(annotation, dict(namespace))  # noqa: S307 - the user's own text
        except Exception:  # a name under TYPE_CHECKING, a syntax of later Pythons
            return None
    if annotation is MISSING or annotation is Any:
        return None
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
        optional_int = len(inner) < len(typing.get_args(annotation)) and inner == [int]
        if len(inner) > 1:  # one of several configurations: the first is as good as any
            return next((kind for kind in inner if not is_plain(kind)), None)
        return None if optional_int or not inner else inner[0]
    return annotation


def is_plain(hint: Any) -> bool:
    """Whether a type, if it is one, wants a plain value and no object of a class of its own."""
    return not isinstance(hint, type) or hint.__module__ in _PLAIN_MODULES or issubclass(hint, Enum)


def has_factory(default: Any) -> bool:
    """Whether a dataclass makes this default anew each time."""
    return type(default).__name__ == "_HAS_DEFAULT_FACTORY_CLASS"


def keys_of(known: type) -> set[str]:
    """The attributes that instances of a configuration class will have."""
    names = {name for base in known.__mro__ for name in getattr(base, "__annotations__", {})}
    names |= {name for name in dir(known) if not name.startswith("_")}
    code = getattr(vars(known).get("__init__"), "__code__", None)
    names |= set(code.co_names if code is not None else ())  # self.name = kwargs.pop("name", 1)
    try:
        return names | set(inspect.signature(known).parameters)
    except (TypeError, ValueError):
        return names


def is_told(value: Any, parameter: inspect.Parameter) -> bool:
    """Whether another instance has a plain value here that is not the default."""
    plain = isinstance(value, bool | int | float | str)
    return plain and (value != parameter.default or type(value) is not type(parameter.default))


def attribute_of(holder: Any, name: str) -> Any:
    """An attribute of the user's object, None where it has none or will not tell."""
    try:
        return getattr(holder, name, None)
    except Exception:  # a property of theirs that wants another state
        return None

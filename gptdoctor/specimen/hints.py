"""What the annotation of a parameter tells."""

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
        return None if optional_int or len(inner) != 1 else inner[0]
    return annotation


def is_plain(hint: Any) -> bool:
    """Whether a type, if it is one, wants a plain value and no object of a class of its own."""
    return not isinstance(hint, type) or hint.__module__ in _PLAIN_MODULES or issubclass(hint, Enum)


def has_factory(default: Any) -> bool:
    """Whether a dataclass makes this default anew each time."""
    return type(default).__name__ == "_HAS_DEFAULT_FACTORY_CLASS"

"""Answers about trees that are kept while the trees are, and let go with them.

Rules ask the same of a function, a class or a module again and again.  What they are told often
holds the tree that it speaks of, and a tree takes forty times the room of its text: an answer that
outlives its tree fills the memory.  So answers about trees are kept by `kept`, and `forget_answers`
drops all of them; of the files that stay they are asked for once more.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")
Key = TypeVar("Key")

_FORGET: list[Callable[[], None]] = []


def kept(most: int) -> Callable[[Callable[Asked, Answer]], Callable[Asked, Answer]]:
    """Keep the last `most` answers of a function of trees, until they are forgotten."""

    def keeping(ask: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
        asked = lru_cache(maxsize=most)(ask)
        _FORGET.append(asked.cache_clear)
        # A function of the same arguments: the type of `lru_cache` takes anything.
        return cast(Callable[Asked, Answer], asked)

    return keeping


def kept_by() -> MutableMapping[Key, Answer]:
    """A table of answers by a project, a module or a class, until they are forgotten."""
    table: WeakKeyDictionary[Any, Answer] = WeakKeyDictionary()
    _FORGET.append(table.clear)
    return table


def forget_answers() -> None:
    """Let go of all that was kept about trees."""
    for forget in _FORGET:
        forget()

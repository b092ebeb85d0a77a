"""Which class a module wants to be given as a part: `attn_layers: AttentionLayers`, `net`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from torch import nn

# Parameters that hold a whole network and do not say which.
_WHOLE = frozenset(
    {"net", "network", "model", "module", "backbone", "lm", "base_model", "inner", "wrapped"}
)
# Words of a name that say no more than that it is a module.
_EMPTY = frozenset({"layer", "layers", "block", "blocks", "module", "modules", "model", "the"})
_DECODES = re.compile(r"decoder|causal|autoregressive", re.IGNORECASE)


def is_part(name: str, hint: Any) -> bool:
    """Whether a required parameter wants a module and does not tell its class."""
    return hint is nn.Module or (hint is None and name.lower() in _WHOLE)


def part_for(
    name: str, made: Callable[..., Any], modules: Iterable[ModuleType], own: Callable[[type], bool]
) -> type | None:
    """The class of the user's that a parameter `name` of `made` wants most likely.

    Classes that the file of `made` knows come first, then those of other files; among them one
    with a word of the name in its own, else, for a whole network, one that embeds ids.
    """
    home = sys.modules.get(made.__module__)
    for module in (home, *modules) if home is not None else modules:
        known = [each for each in vars(module).values() if _may_be(each, made, own)]
        found = _named(name, known) or _embedding(name, known)
        if found is not None:
            return found
    return None


def decoding(hint: type, own: Callable[[type], bool]) -> type:
    """The class itself, or that of its children that decodes: such a base is rarely meant."""
    if not issubclass(hint, nn.Module) or _DECODES.search(hint.__name__):
        return hint
    children: list[type] = [each for each in hint.__subclasses__() if own(each)]
    return next((each for each in children if _DECODES.search(each.__name__)), hint)


def is_layer(hint: type) -> bool:
    """Whether a class is one of torch's own layers."""
    return hint is not nn.Module and getattr(nn, hint.__name__, None) is hint


def _may_be(known: Any, made: Callable[..., Any], own: Callable[[type], bool]) -> bool:
    if not isinstance(known, type) or not issubclass(known, nn.Module) or not own(known):
        return False
    return not isinstance(made, type) or not (issubclass(known, made) or issubclass(made, known))


def _named(name: str, known: list[type]) -> type | None:
    """The class that shares most words with the name; of equals the last: wholes follow parts."""
    words = {word.rstrip("s") for word in name.lower().split("_")} - _EMPTY
    scored = [(sum(word in each.__name__.lower() for word in words), each) for each in known]
    most = max((score for score, _ in scored), default=0)
    return [each for score, each in scored if score == most][-1] if most else None


def _embedding(name: str, known: list[type]) -> type | None:
    """The last class that embeds ids, where a whole network is wanted."""
    if name.lower() not in _WHOLE:
        return None
    return next((each for each in reversed(known) if "Embedding(" in _text(each)), None)


def _text(known: type) -> str:
    try:
        return inspect.getsource(known)
    except (OSError, TypeError):
        return ""

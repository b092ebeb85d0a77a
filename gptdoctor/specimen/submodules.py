"""Which class a module wants to be given as a part: `attn_layers: AttentionLayers`, `net`."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec, resolve_name
from types import ModuleType
from typing import Any

from torch import nn

from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.reads import source_of

# Parameters that hold a whole network and do not say which.
_WHOLE = frozenset(
    {
        "net",
        "network",
        "model",
        "module",
        "backbone",
        "lm",
        "base_model",
        "inner",
        "transformer",
        "wrapped",
    }
)
# What holds a table of embeddings that others share.
_TABLE = re.compile(r"(?:\w+_)?(?:embed_tokens|tok(?:en)?_embeddings?)")
# Words of a name that say no more than that it is a module.
_EMPTY = frozenset({"layer", "layers", "block", "blocks", "module", "modules", "model", "the"})
# Parts that are one of torch's own layers, mostly, and what they are called.
_OF_TORCH = (
    (re.compile(r"(?:\w+_)?(?:norm|ln|layer_?norm)(?:_\w+)?"), nn.LayerNorm),
    (re.compile(r"(?:q|k|v|o|qkv|in|out|input|output|up|down|gate)_?proj(?:ection)?"), nn.Linear),
    (re.compile(r"(?:\w+_)?act(?:ivation)?(?:_fn|_func(?:tion)?)?|nonlinearity"), nn.GELU),
)
_DECODES = re.compile(r"decoder|causal|autoregressive", re.IGNORECASE)
# What keeps a network that may do both from looking ahead.
_CAUSAL = re.compile(r"(?:is_)?causal")


def is_part(name: str, hint: Any) -> bool:
    """Whether a required parameter wants a module and does not tell its class."""
    return hint is nn.Module or (hint is None and name.lower() in _WHOLE)


def is_table(name: str) -> bool:
    """Whether a parameter that tells no class takes a table of embeddings."""
    return _TABLE.fullmatch(name.lower()) is not None


def part_for(
    name: str,
    made: Callable[..., Any],
    modules: Iterable[ModuleType],
    own: Callable[[type], bool],
    root: str,
) -> type | None:
    """The class that a parameter `name` of `made` wants most likely: torch's, or the user's own.

    Classes that the file of `made` knows come first, then those of other files; among them one
    with a word of the name in its own, else, for a whole network, one that embeds ids.  What
    the functions of the file import comes first of all, and one class alone needs no such sign.
    Only a class that can be called as `made` calls the part is one of them.
    """
    torch_layer = next((kind for names, kind in _OF_TORCH if names.fullmatch(name.lower())), None)
    if torch_layer is not None:
        return torch_layer
    uses = list(_uses(name, made))
    home = sys.modules.get(made.__module__)
    inner = [] if home is None else list(imported_late(home, root))
    loaded = modules if home is None else (home, *modules)
    groups = (
        [each for each in known if _may_be(each, made, own) and _takes(each, uses)]
        for known in (inner, *(vars(module).values() for module in loaded))
    )
    alone = None
    for known in groups:
        found = _named(name, known) or _embedding(name, known) or _layer(name, known, uses)
        if found is not None:
            return found
        alone = alone or (known[0] if len(known) == 1 else None)
    return alone


def causal_flags(made: Callable[..., Any], part: type) -> list[str]:
    """The parameters of `part` that make it causal, where they are off and `made` continues texts.

    A wrapper that generates or says that it decodes is meant for such a network, whatever the
    network's own default.
    """
    continues = _DECODES.search(made.__name__) or callable(getattr(made, "generate", None))
    if not continues or not issubclass(part, nn.Module):
        return []
    known = inspect.signature(part).parameters.items()
    return [name for name, one in known if one.default is False and _CAUSAL.fullmatch(name)]


def imported_late(home: ModuleType, root: str) -> Iterator[Any]:
    """What the functions of a file import from other files of the user's."""
    try:
        tree = ast.parse(source_of(home))
    except (SyntaxError, ValueError):
        return
    top = set(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in top and node.module:
            module = _imported(node, home, root)
            yield from (vars(module).get(each.name) for each in node.names if module is not None)


def _imported(node: ast.ImportFrom, home: ModuleType, root: str) -> ModuleType | None:
    """The module that an import names, if it is the user's and can be imported."""
    try:
        name = resolve_name("." * node.level + (node.module or ""), home.__package__ or "")
        spec = find_spec(name.partition(".")[0])
        where = "" if spec is None else spec.origin or ""
        return import_module(name) if project_path(where, root) is not None else None
    except Exception:  # nobody has called that function
        return None


def meant(hint: type, own: Callable[[type], bool]) -> type:
    """The class itself, or the child that is meant: one that decodes, one that is not abstract."""
    children = [each for each in _descendants(hint) if own(each)]
    if inspect.isabstract(hint):
        return next((each for each in children if not inspect.isabstract(each)), hint)
    if not issubclass(hint, nn.Module) or _DECODES.search(hint.__name__):
        return hint
    return next((each for each in children if _DECODES.search(each.__name__)), hint)


def _descendants(known: type) -> Iterator[type]:
    """The children of a class, and theirs."""
    child: type
    for child in type.__subclasses__(known):
        yield child
        yield from _descendants(child)


def is_layer(hint: type) -> bool:
    """Whether a class is one of torch's own layers."""
    return hint is not nn.Module and getattr(nn, hint.__name__, None) is hint


def _may_be(known: Any, made: Callable[..., Any], own: Callable[[type], bool]) -> bool:
    if not isinstance(known, type) or not issubclass(known, nn.Module) or not own(known):
        return False
    return not isinstance(made, type) or not (issubclass(known, made) or issubclass(made, known))


# How a part is called: with so many arguments by position, and these by name.
_Use = tuple[int, tuple[str, ...]]


def _uses(name: str, made: Callable[..., Any]) -> Iterator[_Use]:
    """The calls of the parameter `name`, or of each of several of them, in the text of `made`."""
    names = {name, name.removesuffix("s")}
    try:
        tree = ast.parse(textwrap.dedent(_text(made)))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else None
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "self":
            called = node.func.attr
        keywords = [each.arg for each in node.keywords]
        spread = any(isinstance(each, ast.Starred) for each in node.args)
        if called in names and not spread and None not in keywords:
            yield len(node.args), tuple(each for each in keywords if each)


def _takes(known: type[nn.Module], uses: list[_Use]) -> bool:
    """Whether a class has a forward, and one that can be called so."""
    if known.forward is nn.Module.forward:
        return False
    try:
        signature = inspect.signature(known.forward)
        for count, keywords in uses:
            signature.bind(known, *range(count), **dict.fromkeys(keywords))
    except (TypeError, ValueError):
        return False
    return True


def _layer(name: str, known: list[type], uses: list[_Use]) -> type | None:
    """The last class that can be called as a layer is, where the name says no more than that."""
    words = {word.rstrip("s") for word in name.lower().split("_")}
    telling = any(count + len(keywords) > 1 for count, keywords in uses)
    if not (words <= _EMPTY and telling and known):
        return None
    return next(
        (each for each in reversed(known) if each.__name__.lower().endswith(tuple(words))),
        known[-1],
    )


def _named(name: str, known: list[type]) -> type | None:
    """The class that shares most words with the name; of equals the last: wholes follow parts."""
    words = {word.rstrip("s") for word in name.lower().split("_")} - _EMPTY
    scored = [(_likeness(words, each.__name__.lower()), each) for each in known]
    most = max((score for score, _ in scored), default=0)
    return [each for score, each in scored if score == most][-1] if most else None


def _likeness(words: set[str], name: str) -> int:
    """How many of the words the class has; one that is at its end says what it is."""
    return sum((word in name) + name.endswith(word) for word in words)


def _embedding(name: str, known: list[type]) -> type | None:
    """The last class that embeds ids, where a whole network is wanted."""
    if name.lower() not in _WHOLE:
        return None
    return next((each for each in reversed(known) if "Embedding(" in _text(each)), None)


def _text(known: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(known)
    except (OSError, TypeError):
        return ""

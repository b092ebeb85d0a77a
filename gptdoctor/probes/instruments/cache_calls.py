"""How a model's entry is called with what an earlier call left behind."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gptdoctor.specimen.outputs import Path
from gptdoctor.specimen.roles import entry_of, signature_of

_PAST = re.compile(
    r"past(?:_.*)?|layer_past|(?:kv_?|key_value_|past_)?caches?(?:_params)?|kvs?|presents?",
    re.IGNORECASE,
)
# What a recurrent layer of torch goes on from. In other models a state may well count calls, not
# tokens, and a memory may be another text.
_STATE = re.compile(r"(?:prev_|past_|hidden_)?states?|hidden|hx|h0|h|carry", re.IGNORECASE)
_LEFT = re.compile(r".*(?:past|cache|present|kv|state|hidden).*|hx|h", re.IGNORECASE)
_SWITCH = re.compile(r"(?:use|return|with|output)_(?:cache|past|kv|kv_cache|states?|presents?)")
_START = re.compile(r"start(?:_?pos(?:ition)?|_?idx|_?index)?|(?:pos(?:ition)?_)?offset|past_len.*")


@dataclass(frozen=True, kw_only=True)
class CacheCall:
    """The parameters of an entry that go on from an earlier call."""

    entry: str
    ids: str
    past: str  # "": the model keeps its cache itself
    start: str  # how many tokens came before; "": it knows by itself
    switches: tuple[str, ...]
    # An empty cache that a caller makes, for calls that fill the one that they are given; None:
    # the first call makes its own.
    empty: Any = None

    @property
    def parameter(self) -> str:
        """The one to name."""
        return self.past or self.start

    def full(self, model: nn.Module, ids: Tensor) -> Any:
        """The output for ids [B, T] from the beginning, with no cache asked for."""
        return entry_of(model, self.entry)(**{self.ids: ids, **self._from(0)})

    def first(self, model: nn.Module, ids: Tensor, empty: Any = None) -> Any:
        """The same with a cache that is kept, be it in the `empty` one that is given."""
        on: dict[str, Any] = dict.fromkeys(self.switches, True)
        if empty is not None:
            on[self.past] = empty
        return entry_of(model, self.entry)(**{self.ids: ids, **self._from(0), **on})

    def next(self, model: nn.Module, ids: Tensor, left: Any, before: int) -> Any:
        """The output for further ids [B, N], after `before` tokens that left `left` behind."""
        on: dict[str, Any] = dict.fromkeys(self.switches, True)
        if self.past:
            on[self.past] = left
        return entry_of(model, self.entry)(**{self.ids: ids, **self._from(before), **on})

    def written(self) -> str:
        """The call for `ids`, after `before` tokens that left `left` behind, as code."""
        called = "model" if self.entry == "forward" else f"model.{self.entry}"
        given = [f"{self.ids}=ids"]
        given += [f"{self.past}=left"] if self.past else []
        given += [f"{self.start}=before"] if self.start else []
        given += [f"{name}=True" for name in self.switches]
        return f"{called}({', '.join(given)})"

    def _from(self, before: int) -> dict[str, int]:
        return {self.start: before} if self.start else {}


def cache_call(model: nn.Module, entry: str, ids: str) -> CacheCall | None:
    """How the entry goes on from an earlier call; None: nothing tells that it can."""
    parameters = inspect.signature(signature_of(model, entry)).parameters
    past = _first(parameters, _PAST, lambda one: one.default is None)
    if not past and any(isinstance(module, nn.RNNBase) for module in model.modules()):
        past = _first(parameters, _STATE, lambda one: one.default is None)
    start = _first(parameters, _START, lambda one: not isinstance(one.default, bool))
    if not past and not (start and _keeps_cache(model)):
        return None
    return CacheCall(
        entry=entry,
        ids=ids,
        past=past,
        start=start,
        switches=_switches(model, parameters),
    )


def _switches(model: nn.Module, parameters: Mapping[str, inspect.Parameter]) -> tuple[str, ...]:
    """What asks for a cache: parameters, or what is set off in a configuration and may be given."""
    named = tuple(name for name in parameters if _SWITCH.fullmatch(name))
    if named or all(one.kind is not one.VAR_KEYWORD for one in parameters.values()):
        return named
    settings: Mapping[str, Any] = getattr(getattr(model, "config", None), "__dict__", {})
    return tuple(name for name, set_to in settings.items() if _off(name, set_to))


def _off(name: str, set_to: object) -> bool:
    return set_to is False and _SWITCH.fullmatch(name) is not None


def _first(
    parameters: Mapping[str, inspect.Parameter],
    pattern: re.Pattern[str],
    fits: Callable[[inspect.Parameter], bool],
) -> str:
    names = (name for name, one in parameters.items() if pattern.fullmatch(name) and fits(one))
    return next(names, "")


def _keeps_cache(model: nn.Module) -> bool:
    """Whether a module holds something that is called a cache."""
    return any(
        re.search(r"cache|past_k|kv", name, re.IGNORECASE) is not None
        for module in model.modules()
        for name in (*vars(module), *module._buffers)
    )


def left_behind(raw: Any, logits: Path) -> Any:
    """What an output holds to go on from: by name, else the last that is no logits; None: none."""
    found = named_left(raw, logits)
    return None if found is None else found[1]


def named_left(raw: Any, logits: Path) -> tuple[str, Any] | None:
    """The same with how it is read off the output, as code: ".past", "['state']", "[1]"."""
    by_key = isinstance(raw, Mapping)
    for name, value in _named(raw):
        if value is not None and _LEFT.fullmatch(name):
            return f"[{name!r}]" if by_key else f".{name}", value
    if isinstance(raw, tuple | list) and logits:
        others = [each for each in enumerate(raw) if each[0] != logits[0][1]]
        kept = [(f"[{index}]", value) for index, value in others if not _is_scalar(value)]
        return kept[-1] if kept else None
    return None


def _named(raw: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(raw, tuple) and hasattr(raw, "_fields"):
        yield from zip(raw._fields, raw, strict=True)
    elif isinstance(raw, Mapping):
        yield from ((str(name), value) for name, value in raw.items())
    elif hasattr(raw, "__dict__") and not callable(raw):
        yield from vars(raw).items()


def _is_scalar(value: Any) -> bool:
    return value is None or (isinstance(value, Tensor) and value.dim() == 0)

"""Numbers that a model keeps, by the names that tell what they are for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from gptdoctor.specimen.sizes import role_of

_PADDING = re.compile(r"pad(?:ding)?(?:_token)?_?(?:id|idx|index)")
_OTHER_USES = re.compile(r"(?:eos|eot|bos|sep|unk|end)(?:_token)?_?(?:id|idx|index)?")


@dataclass(frozen=True, kw_only=True)
class Padding:
    """The token, and the name under which the model keeps it."""

    token: int
    name: str


def declared_padding(model: nn.Module, vocabulary: int) -> Padding | None:
    """The padding token that the model or its configuration names; None: it names none.

    A token that has another use as well, such as the end of a text, is padding by choice of the
    caller, who may want it learned.
    """
    named = list(_numbers(model))
    others = {token for name, token in named if _OTHER_USES.fullmatch(name.lower())}
    for name, token in named:
        if _PADDING.fullmatch(name.lower()) and 0 <= token < vocabulary and token not in others:
            return Padding(token=token, name=name)
    for name, table in model.named_modules():
        if isinstance(table, nn.Embedding) and table.num_embeddings == vocabulary:
            token = -1 if table.padding_idx is None else table.padding_idx
            if token >= 0 and token not in others:
                return Padding(token=token, name=f"{name}.padding_idx")
    return None


# Of a longer declared length a call would cost more than it tells.
_LONGEST = 512
# Lengths of something else than the text that is continued, where that has one as well.
_OF_OTHERS = re.compile(r"source|src|encoder|image|vision|audio|prefix|prompt")


def declared_length(model: nn.Module) -> tuple[str, int] | None:
    """The name and the number of the most positions that the model says it takes.

    The least of several, for a buffer is larger at times; of equal ones not the size of a block,
    which may be that of sparse attention.  None: it says nothing, or so many that trying them
    would take long.
    """
    named = [
        (name, number)
        for name, number in _numbers(model)
        if role_of(name) == "context" and number > 1 and not name.startswith("_")
    ]
    own = [one for one in named if not _OF_OTHERS.search(one[0])]
    name, number = min(
        own or named,
        key=lambda one: (one[1], "block" in one[0], one[0]),
        default=("", _LONGEST + 1),
    )
    return (name, number) if number <= _LONGEST else None


def _numbers(model: nn.Module) -> Iterator[tuple[str, int]]:
    """The whole numbers among the attributes of a model and of its configuration."""
    held = dict(vars(model))
    yield from _whole(held)
    for name, value in held.items():
        if name.startswith("_"):
            continue
        if isinstance(value, Mapping):
            yield from _whole(value)
        elif not isinstance(value, nn.Module) and hasattr(value, "__dict__"):
            yield from _whole(vars(value))


def _whole(held: Mapping[Any, Any]) -> Iterator[tuple[str, int]]:
    for name, value in held.items():
        if isinstance(name, str) and isinstance(value, int) and not isinstance(value, bool):
            yield name, value

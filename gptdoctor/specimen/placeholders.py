"""Tokens of the text in the places of which pictures and sounds are put."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from gptdoctor.specimen.reads import CONFIG_NAMES
from gptdoctor.specimen.trial import Trial

_NAMES = re.compile(
    r"(?:image|img|vision|visual|media|picture|audio|video|speech)_(?:\w+_)?token(?:_(?:id|idx|index))?",
    re.IGNORECASE,
)
_MOST = 2  # of different tokens that are tried


def placed(model: nn.Module, trial: Trial) -> Iterator[Trial]:
    """The trial, not run again, with such a token at the beginning of each row."""
    recipe = trial.recipe
    form = recipe.forms[recipe.ids]
    if form.shape != ("B", "T") or form.below is None:
        return
    below = form.below
    tokens = [token for token in dict.fromkeys(_tokens(model)) if token < below]
    for token in tokens[:_MOST]:
        forms = {**recipe.forms, recipe.ids: replace(form, first=token)}
        yield replace(trial, recipe=replace(recipe, forms=forms))


def _tokens(model: nn.Module) -> Iterator[int]:
    """The numbers that go by such a name: of the model, its configuration, its module."""
    for holder in _holders(model):
        for name, value in holder.items():
            whole = isinstance(value, int) and not isinstance(value, bool)
            if whole and isinstance(name, str) and _NAMES.fullmatch(name):
                yield value


def _holders(model: nn.Module) -> Iterator[Mapping[Any, Any]]:
    yield vars(model)
    for name, value in vars(model).items():
        if name in CONFIG_NAMES:
            yield value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    yield vars(sys.modules.get(type(model).__module__, sys))

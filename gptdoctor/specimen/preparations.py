"""Calls that a model wants before its first run: caches for a batch and a length, weights."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from gptdoctor.specimen.duplicate import duplicate
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.instances import MOST_PARAMETERS, Instance
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.size_limit import limited
from gptdoctor.specimen.sizes import role_of
from gptdoctor.specimen.values import Written, keywords, literal
from gptdoctor.specimen.variants import VARIANTS
from gptdoctor.specimen.without_weights import (
    lacks_weights,
    with_weights,
    with_weights_code,
)

_PREPARES = re.compile(
    r"(?:set_?up|init(?:iali[sz]e)?|build|create|make|allocate|reset|prepare|post_init)"
    r"(?:_(?:kv_)?(?:caches?|weights|parameters?|params|model|buffers?|masks?|layers|modules?"
    r"|tables?|rope|embeddings?))?|materiali[sz]e"
    r"|configure(?:_sharded)?_model"  # the hooks of Lightning
)
# What is given by name to those that take arguments: batches and lengths that no probe exceeds.
_ROLES = ("batch", "context")


def prepared(instance: Instance, root: str) -> Iterator[Instance]:
    """The instance after each of the user's methods that may be meant to be called first.

    One that was made without weights is given some at last, where its layers can draw them.
    """
    model = instance.model
    if model is None:
        return
    for name, method in _preparing(model, root):
        given = _arguments(method)
        if given is None:
            continue
        ready = duplicate(model)
        try:
            torch.manual_seed(0)
            with torch.no_grad(), limited(MOST_PARAMETERS):
                getattr(ready, name)(**{key: value.value for key, value in given.items()})
        except FAILURES:
            continue
        call = f"model.{name}({keywords(given)})"
        code = f"(lambda model: ({call}, model)[1])({instance.code})"
        yield replace(instance, model=ready, code=code)
    if lacks_weights(model):
        ready = duplicate(model)
        torch.manual_seed(0)
        if with_weights(ready):
            yield replace(instance, model=ready, code=with_weights_code(instance.code))


def _preparing(model: nn.Module, root: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The methods of the user's whose names promise to prepare something."""
    for name, method in inspect.getmembers(type(model), inspect.isfunction):
        code = getattr(inspect.unwrap(method), "__code__", None)
        own = code is not None and project_path(code.co_filename, root) is not None
        if own and _PREPARES.fullmatch(name):
            yield name, getattr(model, name)


def _arguments(method: Callable[..., Any]) -> dict[str, Written] | None:
    """What a preparing method must be given; None: nobody knows."""
    given: dict[str, Written] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        role = role_of(name)
        if role in _ROLES:
            given[name] = literal(VARIANTS[0].sizes[role])
        elif "dtype" in name:
            given[name] = literal(torch.float32)
        elif name == "device":
            given[name] = literal("cpu")
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            return None
    return given

"""The empty cache that a method which generates makes for the forward pass to fill."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.cache_calls import CacheCall
from gptdoctor.probes.instruments.generation import Method, arguments_for, methods_of
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.roles import signature_of
from gptdoctor.specimen.specimen import Specimen


def made_cache(specimen: Specimen, call: CacheCall, prompt: Tensor, new: int) -> Any:
    """What a method gives as cache to its first pass over a prompt [B, T]; None: none does.

    As it is before that pass, with room for `new` tokens.  A pass that is given more than ids and
    cache may need it, so that one tells nothing.
    """
    for method in methods_of(specimen.model, specimen.target.entry, specimen.root):
        if method.asks_how_many:
            found = _given_first(specimen, call, method, prompt, new)
            if found is not None:
                return found
    return None


def _given_first(
    specimen: Specimen, call: CacheCall, method: Method, prompt: Tensor, new: int
) -> Any:
    model = specimen.copy().eval()
    seen: list[Any] = []
    setattr(model, call.entry, _watched(model, call, seen))
    arguments = arguments_for(method, prompt.clone(), specimen.construction.vocabulary, {}, new)
    specimen.reseed()
    with suppress(*FAILURES), torch.no_grad():
        made = method.bound(model)(**arguments)
        if inspect.isgenerator(made):
            next(made, None)
    return seen[0] if seen else None


def _watched(model: nn.Module, call: CacheCall, seen: list[Any]) -> Callable[..., Any]:
    """The entry of a model, which keeps a copy of the cache that it is first given."""
    original = getattr(model, call.entry)
    signature = inspect.signature(signature_of(model, call.entry))

    def watched(*args: Any, **kwargs: Any) -> Any:
        if not seen:
            given = signature.bind(*args, **kwargs).arguments
            others = [one for name, one in given.items() if name not in (call.ids, call.past)]
            alone = all(one is None or one is True or one == 0 for one in others)
            seen.append(copy.deepcopy(given.get(call.past)) if alone else None)
        return original(*args, **kwargs)

    return watched

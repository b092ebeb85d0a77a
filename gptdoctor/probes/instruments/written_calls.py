"""The calls of methods that generate, written down for a test of the user's own."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.measurements.written_call import WrittenCall
from gptdoctor.probes.instruments.generation import Method
from gptdoctor.probes.instruments.new_tokens import new_sequences
from gptdoctor.specimen.outputs import tensors_in
from gptdoctor.specimen.reading import path_code

# How the new tokens are read off a list that a call returns: as text, and as it is done.
_LISTS: tuple[tuple[str, Callable[[Any, int], Any]], ...] = (
    ("torch.tensor({call})[..., {length}:]", lambda raw, n: torch.tensor(raw)[..., n:]),
    ("torch.tensor({call})", lambda raw, length: torch.tensor(raw)),
)
_MISFITS = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
_MOST_ITEMS = 32  # of what yields tokens: it may yield more than it was asked for
_PLAIN = (bool, int, float, str, type(None))


def written_call(
    method: Method,
    arguments: Mapping[str, Any],
    given: Tensor,
    raw: Any,
    names: Mapping[str, str] | None = None,
) -> WrittenCall | None:
    """The call that gave `raw`; `names` are written for the values of some parameters.

    None where it may never end, or an argument is no plain value.
    """
    names = {method.takes: "logits" if method.takes_logits else "ids", **(names or {})}
    odd = [one for name, one in arguments.items() if name not in names if not _is_plain(one)]
    yields = inspect.isgeneratorfunction(method.written)
    if odd or (yields and not method.asks_how_many):
        return None
    parts = [f"{name}={names.get(name) or repr(value)}" for name, value in arguments.items()]
    if next(iter(arguments)) == method.takes:
        parts[0] = names[method.takes]
    owner, begun = "model.", ""
    if method.beside:
        parts.insert(0, "model")
        owner, begun = "", f"{method.name} = importlib.import_module(MODULE).{method.name}\n"
    call = f"{owner}{method.name}({', '.join(parts)})"
    if yields:
        call = f"list({call})"
        raw = list(itertools.islice(raw, _MOST_ITEMS)) if raw is not None else None
    tokens = _tokens(call, raw, given)
    return WrittenCall(given=f"{begun}{_given(method, given)}", call=call, tokens=tokens)


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN)


def _given(method: Method, given: Tensor) -> str:
    if method.takes_logits:
        return f"logits = known_logits(V).expand({given.shape[0]}, -1).clone()"
    if given.dim() == 1:
        return f"ids = random_ids(batch=1, length={given.shape[0]})[0]"
    return f"ids = random_ids(batch={given.shape[0]}, length={given.shape[1]})"


def _tokens(call: str, raw: Any, given: Tensor) -> str:
    """The first expression that gives the new tokens, in order; "" where none does."""
    wanted, length = new_sequences(raw, given), given.shape[-1]
    if wanted is None or not wanted.numel():
        return ""
    for text, found in _readings(raw, length):
        if torch.equal(found.flatten(), wanted.flatten()):
            return text.format(call=call, length=length)
    return ""


def _readings(raw: Any, length: int) -> Iterator[tuple[str, Tensor]]:
    """All tensors of tokens [B, N] or [N] that a result may hold, with the text that reads them."""
    if isinstance(raw, list):
        for text, form in _LISTS:
            with suppress(*_MISFITS):
                yield text, form(raw, length)
    for path, tensor in tensors_in(raw):
        text = f"{{call}}{path_code(path)}"
        if tensor.dim() == 2:
            yield f"{text}[:, {{length}}:]", tensor[:, length:]
        yield text, tensor
        if tensor.dim() == 1:
            yield f"{text}[{{length}}:]", tensor[length:]

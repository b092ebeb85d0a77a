"""How a method that generates is called, and which tokens it gave."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.specimen.outputs import tensors_in
from gptdoctor.specimen.places import project_path, symbol_of
from gptdoctor.specimen.roles import kind_of
from gptdoctor.specimen.sizes import size_for
from gptdoctor.specimen.variants import VARIANTS

_GENERATES = re.compile(
    r".*(?:generat|sampl|decod|complet|continu|repl|respon|infer|predict|next|stream|chat|write"
    r"|speak|talk|dream|rollout|autoregress).*"
)
_TEMPERATURE = re.compile(r".*temperature|temp|tau|sampling_temp|softmax_temp")
_LETTER = re.compile(r"t|T")  # a temperature only in a method that generates, and a fraction
_LOGITS = re.compile(r".*logits.*|scores")
_NEW = re.compile(
    r"max_new.*|max_tokens|(?:num_|n_|max_)?new_tokens|(?:num|n|max|gen)_?(?:tokens|steps|words)"
    r"|steps|n|count|tokens_to_generate|gen_?len(?:gth)?|how_many|num"
)
_TOTAL = re.compile(r"max_?len(?:gth)?|(?:total|target|out|output|max_seq|seq)_?len(?:gth)?|length")
# What would keep the tail of the distribution from being drawn, and the value that keeps nothing.
_WHOLE = {"top_k": None, "topk": None, "k": None, "top_p": 1.0, "topp": 1.0, "p": 1.0, "min_p": 0.0}
_SWITCHES = {"do_sample": True, "sample": True, "greedy": False, "use_cache": False}
PROMPT = 3  # tokens; unlike the batch


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method of the user's that may draw tokens."""

    name: str
    place: Place
    temperature: str | None  # the name of that parameter
    takes: str  # the name of the parameter that takes ids [B, T], or logits [B, V]
    takes_logits: bool


def methods_of(model: nn.Module, entry: str, root: str) -> Iterator[Method]:
    """The methods that generate, and all others that take a temperature."""
    for name, function in inspect.getmembers(type(model), inspect.isfunction):
        code = inspect.unwrap(function).__code__
        path = project_path(code.co_filename, root)
        if path is None or name in (entry, "forward") or name.startswith("__"):
            continue
        place = Place(path=path, symbol=symbol_of(code), line=code.co_firstlineno)
        method = _method(name, function, place)
        if method is not None:
            yield method


def _method(name: str, function: Callable[..., Any], place: Place) -> Method | None:
    generates = _GENERATES.fullmatch(name.lower()) is not None
    parameters = list(inspect.signature(function).parameters.values())[1:]  # without self
    temperature = next((p.name for p in parameters if _is_temperature(p, generates)), None)
    if temperature is None and not generates:
        return None
    for parameter in parameters:
        logits = _LOGITS.fullmatch(parameter.name.lower()) is not None
        ids = kind_of(parameter.name) == "ids" and "str" not in str(parameter.annotation)
        if logits or (ids and not _is_count(parameter.name)):
            return Method(
                name=name,
                place=place,
                temperature=temperature,
                takes=parameter.name,
                takes_logits=logits,
            )
    return None


def _is_temperature(parameter: inspect.Parameter, generates: bool) -> bool:
    if _TEMPERATURE.fullmatch(parameter.name.lower()):
        return True
    fraction = isinstance(parameter.default, float) or parameter.annotation in (float, "float")
    return generates and fraction and _LETTER.fullmatch(parameter.name) is not None


def _is_count(name: str) -> bool:
    return _NEW.fullmatch(name) is not None or _TOTAL.fullmatch(name) is not None


def arguments_for(
    function: Callable[..., Any], method: Method, given: Tensor, temperature: float, vocabulary: int
) -> dict[str, Any]:
    """The arguments of one call that draws one new token for each row of `given`."""
    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == method.takes:
            arguments[name] = given
        elif name == method.temperature:
            arguments[name] = temperature
        elif parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            value = _other(parameter, vocabulary)
            if value is not parameter.empty:
                arguments[name] = value
    return arguments


def _other(parameter: inspect.Parameter, vocabulary: int) -> Any:
    """The value for a parameter that is neither the ids nor the temperature; empty: its default."""
    name, default = parameter.name, parameter.default
    if _NEW.fullmatch(name):
        return 1
    if _TOTAL.fullmatch(name):
        return PROMPT + 1
    if name in _SWITCHES:
        return _SWITCHES[name]
    if name in _WHOLE and default not in (None, 0, -1):
        whole = _WHOLE[name]
        return vocabulary if whole is None else whole
    if default is not parameter.empty:
        return parameter.empty
    if parameter.annotation in (int, "int") or re.search(r"size|len|window|context", name):
        return size_for(name, None, VARIANTS[0])
    return None


def new_tokens(result: Any, prompt: Tensor) -> Tensor | None:
    """The first new token of each row [B], from whatever a method returned; None: no tokens."""
    if inspect.isgenerator(result):
        result = next(result, None)
    rows = 1 if prompt.dim() == 1 else prompt.shape[0]
    found = next((t for _, t in tensors_in(result) if _is_tokens(t)), None)
    if found is None:
        found = _from_lists(result)
    if found is None:
        return None
    length = prompt.shape[-1]
    if found.dim() == 0 or found.numel() == rows:
        return found.reshape(-1)
    found = found.reshape(rows, -1) if found.numel() % rows == 0 else found[None]
    continued = found.shape[1] > length and torch.equal(
        found[0, :length], prompt.reshape(rows, -1)[0]
    )
    return found[:, length if continued else 0]


def _is_tokens(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and tensor.dtype != torch.bool and tensor.dim() <= 2


def _from_lists(result: Any) -> Tensor | None:
    """Tokens given as an int, a list of ints, or a list of such lists."""
    if isinstance(result, int) and not isinstance(result, bool):
        return torch.tensor([result])
    if not isinstance(result, Iterable) or isinstance(result, str | dict | Tensor):
        return None
    items = list(itertools.islice(result, 4096))
    if items and all(isinstance(item, int) for item in items):
        return torch.tensor(items)
    rows = [row for row in items if isinstance(row, list) and row]
    return torch.tensor(rows) if rows and len({len(row) for row in rows}) == 1 else None

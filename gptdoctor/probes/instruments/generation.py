"""Which methods and functions of the user's generate, and how they are called."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.specimen.on_device import bridged
from gptdoctor.specimen.places import FOREIGN_FOLDERS, project_path, symbol_of
from gptdoctor.specimen.roles import kind_of
from gptdoctor.specimen.sizes import role_of, size_for
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
_TOTAL = re.compile(
    r"max_?len(?:gth)?|(?:total|target|out|output|max_seq|seq)_?len(?:gth)?|length"
    r"|max_(?:returned|total)_tokens"
)
# Names of what is to be continued that mean something else where nothing is generated.
_PROMPT = re.compile(r"prompts?|contexts?|primer|prefix|starts?|seeds?_tokens|beginning")
# A function's first parameter that is the model itself.
_MODEL = re.compile(r"(?:.*_)?(?:model|net|network|lm|gpt|llm|transformer|module)|self")
# A bare `k` or `p` is opened, but may as well count something else.
_TOP_K = re.compile(r"top_?k")
_TOP_P = re.compile(r"top_?p|nucleus(?:_p)?")
_END = re.compile(
    r"(?:eos|eot|stop|end)(?:_?(?:token|tok))?(?:_?(?:id|idx|index))?|end_of_(?:text|sequence)(?:_id)?"
)
# What would keep the tail of the distribution from being drawn, and the value that keeps nothing.
_WHOLE = {"top_k": None, "topk": None, "k": None, "top_p": 1.0, "topp": 1.0, "p": 1.0, "min_p": 0.0}
_WHOLE["filter_thres"] = 0.0  # a share of the tokens that is left out
_SWITCHES = {"do_sample": True, "sample": True, "greedy": False, "use_cache": False}
PROMPT = 3  # tokens; unlike the batch


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method of the model, or a function of its file that takes it, which may draw tokens."""

    name: str
    place: Place
    takes: str  # the name of the parameter that takes ids [B, T], or logits [B, V]
    takes_logits: bool
    temperature: str | None = None  # the name of that parameter, as those below
    count: str | None = None  # how many new tokens
    total: str | None = None  # how many tokens with the prompt
    top_k: str | None = None
    top_p: str | None = None
    end: str | None = None  # the id of the token that ends a text
    function: Callable[..., Any] = field(repr=False)  # as it is called
    written: Callable[..., Any] = field(repr=False)  # without what decorates it
    parameters: Mapping[str, inspect.Parameter] = field(repr=False)
    beside: bool = False  # a function that is given the model first

    def bound(self, model: nn.Module) -> Callable[..., Any]:
        """The method of one instance."""
        if self.beside:
            return bridged(functools.partial(self.function, model), model)
        return bridged(getattr(model, self.name), model)

    @property
    def asks_how_many(self) -> bool:
        """Whether one call can be asked for several tokens."""
        return bool(self.count or self.total) and not self.takes_logits


def methods_of(model: nn.Module, entry: str, root: str) -> Iterator[Method]:
    """The methods that generate, and all others that take a temperature; then such functions.

    In a folder of installed packages those alone that stand beside the model's own file: what a
    library shares among hundreds of models is no part of this one.
    """
    found = _all_methods(model, entry, root)
    if Path(root).name not in FOREIGN_FOLDERS:
        yield from found
        return
    home = Path(inspect.getfile(type(model))).parent
    yield from (one for one in found if (Path(root) / one.place.path).parent == home)


def _all_methods(model: nn.Module, entry: str, root: str) -> Iterator[Method]:
    members: list[tuple[str, Callable[..., Any]]]
    members = inspect.getmembers(type(model), inspect.isfunction)
    for name, function in members:
        if name in (entry, "forward") or name.startswith("__"):
            continue
        static = isinstance(inspect.getattr_static(type(model), name), staticmethod)
        yield from _methods(name, function, root, skipped=0 if static else 1)
    for name, function in _functions_for(model):
        yield from _methods(name, function, root, skipped=1, beside=True)


def _functions_for(model: nn.Module) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions of the model's own file whose first parameter is the model."""
    module = sys.modules.get(type(model).__module__)
    if not isinstance(module, ModuleType):
        return
    for name, function in list(vars(module).items()):
        plain = inspect.unwrap(function) if callable(function) else function
        if not isinstance(plain, FunctionType) or plain.__module__ != module.__name__:
            continue
        plain = _written(plain)
        first = next(iter(inspect.signature(plain).parameters.values()), None)
        if first is not None and _takes_model(first, model):
            yield name, function


def _takes_model(first: inspect.Parameter, model: nn.Module) -> bool:
    """Whether a parameter is for this model: by its type, or without one by its name."""
    wanted = first.annotation
    if isinstance(wanted, str):
        wanted = wanted.rpartition(".")[2]
        return wanted in {"Module", *(one.__name__ for one in type(model).__mro__)}
    if isinstance(wanted, type) and wanted is not inspect.Parameter.empty:
        return isinstance(model, wanted)
    return _MODEL.fullmatch(first.name.lower()) is not None


def _methods(
    name: str, function: Callable[..., Any], root: str, *, skipped: int, beside: bool = False
) -> Iterator[Method]:
    written = _written(function)
    code = written.__code__
    path = project_path(code.co_filename, root)
    if path is None:
        return
    generates = _GENERATES.fullmatch(name.lower()) is not None
    parameters = list(inspect.signature(written).parameters.values())[skipped:]
    temperature = next((p.name for p in parameters if _is_temperature(p, generates)), None)
    takes = next((p.name for p in parameters if _is_text(p, generates)), None)
    if takes is None or (temperature is None and not generates):
        return
    names = {p.name: p for p in parameters}
    yield Method(
        name=name,
        place=Place(path=path, symbol=symbol_of(code), line=code.co_firstlineno),
        takes=takes,
        takes_logits=_LOGITS.fullmatch(takes.lower()) is not None,
        temperature=temperature,
        count=_named(names, _NEW),
        total=_named(names, _TOTAL),
        top_k=next((p.name for p in parameters if _is_top_k(p)), None),
        top_p=_named(names, _TOP_P),
        end=_named(names, _END),
        function=function,
        written=written,
        parameters=names,
        beside=beside,
    )


def _written(function: Callable[..., Any]) -> FunctionType:
    """The function as it is written, also behind a decorator that hides its parameters."""
    plain: FunctionType = inspect.unwrap(function)
    kinds = {one.kind for one in list(inspect.signature(plain).parameters.values())[-2:]}
    held = inspect.getclosurevars(plain).nonlocals.values()
    inner = [one for one in held if isinstance(one, FunctionType)]
    hides = kinds == {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return _written(inner[0]) if hides and len(inner) == 1 else plain


def _named(names: Mapping[str, inspect.Parameter], pattern: re.Pattern[str]) -> str | None:
    return next((name for name in names if pattern.fullmatch(name.lower())), None)


def _is_text(parameter: inspect.Parameter, generates: bool) -> bool:
    """Whether it takes what is to be continued: ids, or logits."""
    if _LOGITS.fullmatch(parameter.name.lower()):
        return True
    prompt = generates and _PROMPT.fullmatch(parameter.name.lower()) is not None
    ids = (prompt or kind_of(parameter.name) == "ids") and "str" not in str(parameter.annotation)
    end = _END.fullmatch(parameter.name.lower()) is not None
    plain = isinstance(parameter.default, bool | int | float | str)
    return ids and not plain and not end and not _is_count(parameter.name)


def _is_temperature(parameter: inspect.Parameter, generates: bool) -> bool:
    if _TEMPERATURE.fullmatch(parameter.name.lower()):
        return True
    fraction = isinstance(parameter.default, float) or parameter.annotation in (float, "float")
    return generates and fraction and _LETTER.fullmatch(parameter.name) is not None


def _is_top_k(parameter: inspect.Parameter) -> bool:
    """Whether it counts the tokens that may be drawn; some take a share under that name."""
    fraction = isinstance(parameter.default, float) or parameter.annotation in (float, "float")
    return _TOP_K.fullmatch(parameter.name.lower()) is not None and not fraction


def _is_count(name: str) -> bool:
    return _NEW.fullmatch(name) is not None or _TOTAL.fullmatch(name) is not None


def arguments_for(
    method: Method, given: Tensor, vocabulary: int, chosen: Mapping[str, Any], new: int = 1
) -> dict[str, Any]:
    """The arguments of one call that draws `new` tokens for each row of `given`.

    What is `chosen` by name comes first; filters are open, and sampling is on.
    """
    arguments: dict[str, Any] = {}
    for name, parameter in method.parameters.items():
        if name == method.takes:
            arguments[name] = given
        elif name in chosen:
            arguments[name] = chosen[name]
        elif name == method.temperature:
            arguments[name] = 1.0
        elif parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            value = _other(parameter, vocabulary, given.shape[-1], new)
            if value is not parameter.empty:
                arguments[name] = value
    return arguments


def _other(parameter: inspect.Parameter, vocabulary: int, length: int, new: int) -> Any:
    """The value for a parameter that is neither the ids nor the temperature; empty: its default."""
    name, default = parameter.name, parameter.default
    if _NEW.fullmatch(name):
        return new
    if _TOTAL.fullmatch(name):
        return length + new
    if name in _SWITCHES:
        return _SWITCHES[name]
    if name in _WHOLE and default not in (None, 0, -1):
        whole = _WHOLE[name]
        return vocabulary if whole is None else whole
    if type(default) is int and role_of(name) == "context":
        # Made for the full size, it lets in more than a small model reads.
        return min(default, size_for(name, None, VARIANTS[0]))
    if default is not parameter.empty:
        return parameter.empty
    if parameter.annotation in (int, "int") or re.search(r"size|len|window|context", name):
        return size_for(name, None, VARIANTS[0])
    return None

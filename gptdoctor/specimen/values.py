"""One small value for one parameter or key, with the code that writes it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import torch

from gptdoctor.specimen.sizes import role_of, size_for
from gptdoctor.specimen.variants import Variant

MISSING: Any = inspect.Parameter.empty  # there is no default
# Names of things that are drawn at random: a specimen is to answer the same twice.
_DROPOUT = re.compile(r".*drop.*|.*_pdrop|p_drop|stochastic_depth.*")
_TRUE = re.compile(r"(?:is_)?causal|batch_first")
_FLAG = re.compile(
    r"(?:use|is|has|enable|with|do|tie|tied|add|apply|return|share|no|allow|learn\w*|norm_first"
    r"|pre_norm|parallel|weight_tying|gradient_checkpointing|compile|debug|flash)(?:_.*)?"
    r"|(?:\w+_)?bias|\w+_enabled|tied?_\w+|\w+_tying|bidirectional|flash_\w+"
)
# Usual values of numbers with a fraction, for those that have no default.
_REALS = (
    (_DROPOUT, 0.0),
    (re.compile(r".*(?:eps|epsilon)"), 1e-5),
    (re.compile(r".*(?:theta|rope_base|rotary_base)|base"), 10000.0),
    (re.compile(r".*(?:std|init_range|initializer_range)|init_scale"), 0.02),
    (re.compile(r".*(?:lr|learning_rate)"), 1e-3),
    (re.compile(r".*(?:coef|coeff|coefficient|loss_weight|aux_weight|alpha|lambda|decay).*"), 0.01),
    (re.compile(r".*(?:threshold|prob|probability|confidence)"), 0.5),
    (
        re.compile(r".*(?:temperature|temp|tau|scale|gamma|beta|sharpness|capacity\w*|momentum)"),
        1.0,
    ),
)
_TEXTS = (
    (
        re.compile(r".*(?:act|activation|(?:act|activation)_(?:fn|func|function)|nonlinearity)"),
        "gelu",
    ),
    (re.compile(r".*norm.*"), "layernorm"),
    (re.compile(r"rnn(?:_type)?|cell(?:_type)?"), "LSTM"),
    (re.compile(r"\w+_(?:type|mode|kind|method|strategy|backend|impl)|mode|kind"), "default"),
    (re.compile(r".*device.*"), "cpu"),
    (re.compile(r".*(?:dtype|precision)"), "float32"),
)
_DEVICE = re.compile(r"(?:cuda|mps|xpu|npu|hpu|hip|tpu)(?::\d+)?$")
# What selects a pretrained or preset model: left empty.
_PRESET = re.compile(
    r"(?:model_)?(?:type|name|path|preset|size_name|checkpoint|weights|pretrained.*)"
)


# What lies on somebody's disk: nothing that we could give is one.
_PLACE = re.compile(r"\w+_(?:path|paths|folder|dir|directory|file|filename)")
# What the caller brings along to compute a loss with.
_LOSS = re.compile(r"loss(?:_fn|_func|_function)?|criterion|objective")
_LOSS_CODE = (
    "lambda logits, labels: "
    "torch.nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten())"
)


class NoIdeaError(Exception):
    """Nobody told what this parameter wants; the text is its name."""


@dataclass(frozen=True)
class Written:
    """A value, and the code that makes it."""

    value: Any
    code: str


def literal(value: Any) -> Written:
    """A value whose `repr` is its code."""
    if isinstance(value, Enum):
        return Written(value, f"{name_of(type(value))}.{value.name}")
    return Written(value, repr(value))


def small(
    name: str, default: Any, hint: Any, variant: Variant, siblings: frozenset[str]
) -> Written | None:
    """A value for `name`, or None where its default serves; `hint` is its type if it told one."""
    if default is MISSING:
        return _required(name, hint, variant, siblings)
    if isinstance(default, bool):
        wanted = variant.flags.get(name, default)
        return None if wanted is default else literal(wanted)
    if isinstance(default, str | torch.device):
        return _here(name, default)
    if isinstance(default, int | float) and _DROPOUT.fullmatch(name.lower()):
        return literal(type(default)(0))
    if isinstance(default, int) and not isinstance(default, Enum):
        return literal(size_for(name, default, variant, siblings))
    if default is None and (hint is int or _is_left_out(name, hint, variant, siblings)):
        return literal(size_for(name, None, variant, siblings))  # `x: int = None`: you must say it
    if isinstance(default, list | tuple) and default and all(type(n) is int for n in default):
        return literal(type(default)(size_for(name, n, variant, siblings) for n in default))
    return None


def _is_left_out(name: str, hint: Any, variant: Variant, siblings: frozenset[str]) -> bool:
    """Whether a None is to be a size in this variant."""
    return (
        variant.fills_none
        and hint is None
        and role_of(name, siblings) not in (None, "kept", "token")
    )


def _here(name: str, default: str | torch.device) -> Written | None:
    """The CPU in the place of a device that is not here, or of "meta", which holds no numbers."""
    away = _DEVICE.match(str(default)) is not None and not torch.cuda.is_available()
    named = "device" in name.lower() or isinstance(default, torch.device)
    if not named or not (away or str(default) == "meta"):
        return None
    if isinstance(default, str):
        return literal("cpu")
    return Written(torch.device("cpu"), "torch.device('cpu')")


def _required(name: str, hint: Any, variant: Variant, siblings: frozenset[str]) -> Written:
    """A value for what has no default: by its type, else by its name."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return literal(next(iter(hint)))
    if get_origin(hint) is Literal:
        return literal(get_args(hint)[0])
    if hint is set or get_origin(hint) is set:
        return literal({1})
    if hint in (list, tuple) or get_origin(hint) in (list, tuple):
        return literal(get_origin(hint)([2, 2]) if get_origin(hint) else hint([2, 2]))
    makers: dict[type, Callable[[], Any]] = {
        bool: lambda: _TRUE.fullmatch(name) is not None,
        int: lambda: size_for(name, None, variant, siblings),
        float: lambda: _first(_REALS, name, 1.0),
        str: lambda: _first(_TEXTS, name, ""),
        torch.dtype: lambda: torch.float32,
        torch.device: lambda: "cpu",
    }
    if isinstance(hint, type) and hint in makers:
        return literal(makers[hint]())
    if _LOSS.fullmatch(name):
        return Written(eval(_LOSS_CODE, {"torch": torch}), _LOSS_CODE)  # noqa: S307 - our own text
    return literal(_by_name(name, variant, siblings))


def _by_name(name: str, variant: Variant, siblings: frozenset[str]) -> Any:
    """A value for a parameter of which nothing but the name is known."""
    lowered = name.lower()
    if _TRUE.fullmatch(lowered):
        return True
    if _PRESET.fullmatch(lowered):
        return None
    if _PLACE.fullmatch(lowered):
        raise NoIdeaError(name)
    if role_of(name, siblings) is None:
        if _FLAG.fullmatch(lowered):
            return False
        for table in (_REALS, _TEXTS):
            found = _first(table, name, None)
            if found is not None:
                return found
    return size_for(name, None, variant, siblings)


def _first(table: Any, name: str, otherwise: Any) -> Any:
    """The value of the first pattern of `table` that matches `name`."""
    return next((v for pattern, v in table if pattern.fullmatch(name.lower())), otherwise)


def keywords(values: Mapping[str, Written]) -> str:
    """The code of keyword arguments."""
    return ", ".join(f"{name}={value.code}" for name, value in values.items())


def _arguments_code(made: Callable[..., Any], arguments: Mapping[str, Written]) -> str:
    """The code of a call's arguments; a configuration that is the only one goes without name."""
    first = next(iter(inspect.signature(made).parameters), "")
    if len(arguments) == 1 and first in arguments and arguments[first].code.endswith((")", "}")):
        return arguments[first].code
    return keywords(arguments)


def name_of(made: Any) -> str:
    """The name of a class or function as its module knows it: "Outer.Inner"."""
    plain: str = made.__name__
    if vars(torch.nn).get(plain) is made:
        return f"torch.nn.{plain}"
    name: str = getattr(made, "__qualname__", plain)
    return plain if "<locals>" in name else name


def called(made: Callable[..., Any], arguments: Mapping[str, Written]) -> Written:
    """What a call of `made` gives, and its code."""
    value = made(**{name: value.value for name, value in arguments.items()})
    return Written(value, call_code(made, arguments))


def call_code(made: Callable[..., Any], arguments: Mapping[str, Written]) -> str:
    """The code of a call of `made`."""
    return f"{name_of(made)}({_arguments_code(made, arguments)})"

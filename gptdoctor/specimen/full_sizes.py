"""The sizes that the user's file itself gives to a model: its defaults, and what it names.

Nothing here allocates: what is offered is how to make a model, for the one who can do that
without memory.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

from torch import nn

from gptdoctor.core.measurements.full_size import DEFAULT
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.specimen.as_written import AsWritten, filled_in
from gptdoctor.specimen.hints import is_plain
from gptdoctor.specimen.module_sizes import Change
from gptdoctor.specimen.named_configurations import Holder, Named, named_configurations
from gptdoctor.specimen.numbers import numbers_in, volume
from gptdoctor.specimen.sizes import role_of
from gptdoctor.specimen.values import NoIdeaError, Written
from gptdoctor.specimen.variants import VARIANTS

# Each costs up to a second and a line in the report: the default, and the largest few of a family
# that is often called small, medium, large and xl.
MOST_CONFIGURATIONS = 4
# A context that is longer says nothing new of the shapes, and a model that walks its positions in
# Python would take minutes over it.
_LONGEST = 4096


@dataclass(frozen=True, kw_only=True)
class FullSize:
    """One configuration of the user's own, and how to make the model of it."""

    name: str
    code: str
    make: Callable[[], nn.Module] = field(repr=False)
    filled: tuple[str, ...]  # arguments that the file leaves open
    numbers: Mapping[str, int]  # all whole numbers that it gives, by name

    @property
    def sizes(self) -> dict[str, int]:
        """The numbers by what they measure: "width", "heads"."""
        known = {role_of(name, frozenset(self.numbers)): n for name, n in self.numbers.items()}
        return {role: number for role, number in known.items() if role is not None}

    @property
    def context(self) -> int | None:
        """The length that the model is made for; the shortest one where several are named."""
        names = frozenset(self.numbers)
        found = [n for name, n in self.numbers.items() if role_of(name, names) == "context"]
        return min((*(n for n in found if n > 1), _LONGEST)) if found else None


@contextmanager
def full_sizes(
    module: ModuleType, request: ExamineRequest, changes: Sequence[Change]
) -> Iterator[Iterator[FullSize]]:
    """The default first, then what the file names, largest first.

    While this lasts, `changes` that made numbers of the modules small are undone.  To look for
    the sizes runs code of the user's: constructors of configurations, functions that return one.
    """
    for change in changes:
        change.undo()
    try:
        yield _all(module, request, _numbers_before(changes))
    finally:
        for change in changes:
            change.make()


def _numbers_before(changes: Sequence[Change]) -> dict[str, int]:
    """The numbers that the model reads from its modules, as the user wrote them."""
    held = [(name, value) for change in changes for name, value in change.before.items()]
    return {name: value for name, value in held if type(value) is int}


def _all(
    module: ModuleType, request: ExamineRequest, constants: Mapping[str, int]
) -> Iterator[FullSize]:
    made = _attribute(module, request.target.name)
    family = request.target.class_names
    maker = AsWritten(root=request.root, module=module, family=family, variant=VARIANTS[0])
    arguments = _arguments(maker, made)
    holder = _holder(maker, made, arguments)
    default = None
    if arguments is not None and not _invented(arguments):
        default = _default(made, arguments, constants)
        if not _is_ours(default):
            yield default
    found = list(named_configurations(module, request.root, made, holder))
    found.sort(key=lambda each: volume(numbers_in(each.value)), reverse=True)
    for named in _different(found, default)[: MOST_CONFIGURATIONS - 1]:
        full = _of(named, made, holder, arguments or {})
        if full is not None:
            yield full


def _attribute(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _arguments(maker: AsWritten, made: Callable[..., Any]) -> dict[str, Written] | None:
    """What the model must be given at its own sizes; None: nothing tells."""
    try:
        return dict(maker.arguments(made, 0))
    except (NoIdeaError, TypeError, ValueError):
        return None


def _invented(arguments: Mapping[str, Written]) -> bool:
    """Whether the sizes would be ours: a dictionary or a namespace, filled by the keys read."""
    return any(isinstance(each.value, dict | SimpleNamespace) for each in arguments.values())


def _holder(
    maker: AsWritten, made: Callable[..., Any], arguments: Mapping[str, Written] | None
) -> Holder | None:
    """The parameter that takes the configuration, if there is one."""
    try:
        parameters = inspect.signature(made).parameters
    except (TypeError, ValueError):
        return None
    for name, parameter in parameters.items():
        given = arguments[name].value if arguments and name in arguments else parameter.default
        if isinstance(given, dict | SimpleNamespace):
            keys = frozenset(given if isinstance(given, dict) else vars(given))
            return Holder(parameter=name, kind=type(given), keys=keys)
        plain = is_plain(type(given)) or isinstance(given, nn.Module)
        if given is not parameter.empty and not plain and numbers_in(given):
            return Holder(parameter=name, kind=type(given), keys=frozenset(numbers_in(given)))
    return None


def _default(
    made: Callable[..., Any], arguments: Mapping[str, Written], constants: Mapping[str, int]
) -> FullSize:
    """The model as its own defaults make it."""
    values = {name: value.value for name, value in arguments.items()}
    code = f"{made.__name__}({', '.join(f'{k}={v.code}' for k, v in arguments.items())})"
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(made).parameters.items()
        if parameter.default is not parameter.empty
    }
    numbers = numbers_in({**constants, **defaults, **values})
    return FullSize(
        name=DEFAULT,
        code=code,
        make=lambda: made(**values),
        filled=filled_in(code),
        numbers=numbers,
    )


def _is_ours(default: FullSize) -> bool:
    """Whether the file leaves open what decides the size, so that it would be of our choice."""
    roles = {role_of(name, frozenset(default.numbers)) for name in default.filled}
    return not roles.isdisjoint({"width", "layers"})


def _different(found: list[Named], default: FullSize | None) -> list[Named]:
    """Without those that have the numbers of the default, or of an earlier one."""
    kept = []
    told = [] if default is None else [default.numbers]
    for named in found:
        numbers = numbers_in(named.value)
        if named.makes_model or numbers not in told:
            kept.append(named)
            told.append(numbers)
    return kept


def _of(
    named: Named, made: Callable[..., Any], holder: Holder | None, arguments: Mapping[str, Written]
) -> FullSize | None:
    """The model of a configuration that the file names."""
    numbers = numbers_in(named.value)
    if named.makes_model:
        make: Callable[[], nn.Module] = named.value
        return FullSize(name=named.name, code=named.name, make=make, filled=(), numbers=numbers)
    parameters = inspect.signature(made).parameters
    if holder is None:
        values, code = dict(named.value), f"**{named.name}"
    else:
        values, code = {holder.parameter: named.value}, f"{holder.parameter}={named.name}"
    others = {k: v for k, v in arguments.items() if k in parameters and k not in values}
    code = ", ".join((code, *(f"{name}={value.code}" for name, value in others.items())))
    code = f"{made.__name__}({code})"
    given = values | {name: value.value for name, value in others.items()}
    filled = tuple(name for name in filled_in(code) if name in others)
    return FullSize(
        name=named.name, code=code, make=lambda: made(**given), filled=filled, numbers=numbers
    )

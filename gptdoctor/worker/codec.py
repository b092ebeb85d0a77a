"""The frozen dataclasses of `core` as plain JSON values, and back, checked both ways.

The declared types say it all: nothing is registered, and a new measurement needs no line here.
Whatever does not fit its declaration is a `ProtocolError` that names the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.findings import Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import Measured

# What probes are called.  Checked before the name becomes the name of a module to import.
_PROBE_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class _Form:
    """How values of one declared type cross: made once for each type."""

    encode: Callable[[Any, str], Any]
    decode: Callable[[Any, str], Any]


def to_plain(value: object, declared: Any) -> Any:
    """`value` as JSON can hold it; it has to be what `declared` says."""
    return _form(declared).encode(value, _name(declared))


def from_plain(plain: object, declared: Any) -> Any:
    """The value of type `declared` that `to_plain` made `plain` of."""
    return _form(declared).decode(plain, _name(declared))


def measurement_class(probe: str) -> type[Measurement]:
    """The class that a probe fills in: `gradient-flow` leads to `gradient_flow.GradientFlow`."""
    if not _PROBE_NAME.fullmatch(probe):
        raise ProtocolError(f"{probe!r} is no name of a probe")
    module = f"gptdoctor.core.measurements.{probe.replace('-', '_')}"
    try:
        found = getattr(import_module(module), probe.title().replace("-", ""), None)
    except ModuleNotFoundError as error:
        raise ProtocolError(f"the probe {probe!r} has no measurement {module}") from error
    if not isinstance(found, type) or not issubclass(found, Measurement) or found is Measurement:
        raise ProtocolError(f"{module} holds no measurement of the probe {probe!r}")
    return found


@cache
def _form(declared: Any) -> _Form:
    """The form of a declared type; a type that has none is a fault of ours, told at once."""
    origin = get_origin(declared)
    if declared in (bool, int, float, str):
        return _scalar(declared)
    if declared == Value:
        return _value()
    if origin in (Union, UnionType):
        return _optional(declared)
    if origin is tuple:
        return _tuple(get_args(declared))
    if origin is Mapping and get_args(declared)[0] is str:
        return _mapping(get_args(declared)[1])
    if isinstance(declared, type) and issubclass(declared, Enum):
        return _enum(declared)
    if declared is Measured:
        return _measured()
    if is_dataclass(declared):
        return _record(declared, get_type_hints(declared))
    raise ProtocolError(f"values of type {declared} have no plain form")


def _scalar(declared: type) -> _Form:
    # A whole number is a good float, and numpy's float64 is one by birth: what leaves here is
    # plain.  A bool is an int to Python alone.
    accepted = (float, int) if declared is float else (declared,)

    def check(value: Any, where: str) -> Any:
        if type(value) is declared:
            return value
        if isinstance(value, bool) or not isinstance(value, accepted):
            raise _mismatch(where, _name(declared), value)
        return declared(value)

    return _Form(encode=check, decode=check)


def _value() -> _Form:
    """A `Value`: what JSON tells apart by itself, but for tuples, which come back from lists."""

    def encode(value: Any, where: str) -> Any:
        if isinstance(value, tuple):
            return [scalar(each, where) for each in value]
        return scalar(value, where)

    def decode(plain: Any, where: str) -> Any:
        if isinstance(plain, list):
            return tuple(scalar(each, where) for each in plain)
        return scalar(plain, where)

    def scalar(value: Any, where: str) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        raise _mismatch(where, "Value", value)

    return _Form(encode=encode, decode=decode)


def _optional(declared: Any) -> _Form:
    members = [member for member in get_args(declared) if member is not NoneType]
    if len(members) != 1 or len(get_args(declared)) != 2:
        raise ProtocolError(f"of unions only `X | None` has a plain form, not {declared}")
    inner = _form(members[0])

    def encode(value: Any, where: str) -> Any:
        return None if value is None else inner.encode(value, where)

    def decode(plain: Any, where: str) -> Any:
        return None if plain is None else inner.decode(plain, where)

    return _Form(encode=encode, decode=decode)


def _tuple(members: tuple[Any, ...]) -> _Form:
    if len(members) != 2 or members[1] is not Ellipsis:
        raise ProtocolError(f"of tuples only `tuple[X, ...]` has a plain form, not {members}")
    inner = _form(members[0])

    def encode(value: Any, where: str) -> Any:
        if not isinstance(value, tuple):
            raise _mismatch(where, "tuple", value)
        return [inner.encode(each, f"{where}[{index}]") for index, each in enumerate(value)]

    def decode(plain: Any, where: str) -> Any:
        if not isinstance(plain, list):
            raise _mismatch(where, "list", plain)
        return tuple(inner.decode(each, f"{where}[{index}]") for index, each in enumerate(plain))

    return _Form(encode=encode, decode=decode)


def _mapping(value_type: Any) -> _Form:
    inner = _form(value_type)

    def walk(mapping: Any, where: str, convert: Callable[[Any, str], Any]) -> Any:
        if not isinstance(mapping, Mapping):
            raise _mismatch(where, "mapping", mapping)
        for key in mapping:
            if not isinstance(key, str):
                raise _mismatch(f"{where}, a key", "str", key)
        return {key: convert(value, f"{where}[{key!r}]") for key, value in mapping.items()}

    return _Form(
        encode=lambda value, where: walk(value, where, inner.encode),
        decode=lambda plain, where: walk(plain, where, inner.decode),
    )


def _enum(declared: type[Enum]) -> _Form:
    def encode(value: Any, where: str) -> Any:
        if not isinstance(value, declared):
            raise _mismatch(where, _name(declared), value)
        return value.value

    def decode(plain: Any, where: str) -> Any:
        try:
            return declared(plain)
        except ValueError as error:
            raise _mismatch(where, _name(declared), plain) from error

    return _Form(encode=encode, decode=decode)


def _measured() -> _Form:
    """`Measured.measurement` is declared as the base class; the probe's name says which it is."""

    def encode(value: Any, where: str) -> Any:
        if not isinstance(value, Measured):
            raise _mismatch(where, "Measured", value)
        return _measured_by(value.probe).encode(value, where)

    def decode(plain: Any, where: str) -> Any:
        probe = plain.get("probe") if isinstance(plain, dict) else None
        return _measured_by(_scalar(str).decode(probe, f"{where}.probe")).decode(plain, where)

    return _Form(encode=encode, decode=decode)


@cache
def _measured_by(probe: str) -> _Form:
    hints = get_type_hints(Measured)
    return _record(Measured, {**hints, "measurement": measurement_class(probe)})


def _record(declared: Any, hints: Mapping[str, Any]) -> _Form:
    forms = {each.name: _form(hints[each.name]) for each in fields(declared)}

    def encode(value: Any, where: str) -> Any:
        if type(value) is not declared:
            raise _mismatch(where, _name(declared), value)
        return {
            name: form.encode(getattr(value, name), f"{where}.{name}")
            for name, form in forms.items()
        }

    def decode(plain: Any, where: str) -> Any:
        if not isinstance(plain, dict):
            raise _mismatch(where, "object", plain)
        if plain.keys() != forms.keys():
            missing, unknown = (
                sorted(forms.keys() - plain.keys()),
                sorted(plain.keys() - forms.keys()),
            )
            raise ProtocolError(f"{where}: missing fields {missing}, unknown fields {unknown}")
        return declared(
            **{name: form.decode(plain[name], f"{where}.{name}") for name, form in forms.items()}
        )

    return _Form(encode=encode, decode=decode)


def _name(declared: Any) -> str:
    return getattr(declared, "__name__", str(declared))


def _mismatch(where: str, expected: str, found: object) -> ProtocolError:
    return ProtocolError(f"{where}: expected {expected}, found {type(found).__name__}")

"""`[tool.gptdoctor]` of the project's pyproject.toml, read and checked key by key."""

from __future__ import annotations

import ast
import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptdoctor.config import ModelConfig
from gptdoctor.core.errors import ConfigError, UsageError
from gptdoctor.core.findings import Severity

FILE = "pyproject.toml"
TABLE = "tool.gptdoctor"
_UNITS = {"B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_UNITS |= {"K": 2**10, "M": 2**20, "G": 2**30}  # as ulimit, docker and Java take them
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]|[KMG]?i?B)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class FileConfig:
    """What the file says: values by field of `Options`, and what it says of single models."""

    values: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, ModelConfig] = field(default_factory=dict)  # by "path.py:Class"


@dataclass(frozen=True, kw_only=True)
class _Key:
    """One key: the field that it sets, what it may be in words, and the value that it gives.

    `read` raises ValueError or TypeError for anything else.
    """

    field: str
    allowed: str
    read: Callable[[Any], Any]


def read_config(root: Path) -> FileConfig:
    """The options in the pyproject.toml of the project at `root`; none where it has none.

    Raises ConfigError, one sentence with the key and what is allowed, for anything else than what
    `[tool.gptdoctor]` may hold.
    """
    table = table_in(root / FILE)
    values: dict[str, Any] = {}
    models: dict[str, ModelConfig] = {}
    for key, value in table.items():
        if key == "models":
            models = dict(_models(value))
        else:
            known = _known(_KEYS, key, f"[{TABLE}]", *_KEYS, "models")
            values[known.field] = _value(known, value, f"[{TABLE}] {key}")
    if "python" in values:
        values["python"] = root / values["python"]  # an absolute one stays as it is
    return FileConfig(values=values, models=models)


def table_in(file: Path) -> Mapping[str, Any]:
    """`[tool.gptdoctor]` as TOML has it; empty where there is no file or no such table."""
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"{FILE} cannot be read: {error.strerror}") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(f"{FILE} is not valid TOML: {error}") from error
    table = tool.get("gptdoctor", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise ConfigError(f"{FILE}: {TABLE} is {_told(table)}, and must be a table")
    return table


def bytes_of(size: str | int) -> int:
    """A size such as 2000000, "512MiB" or "1.5G" in bytes; ValueError for anything else."""
    number = 0
    if isinstance(size, int) and not isinstance(size, bool):
        number = size
    elif isinstance(size, str) and (found := _SIZE.fullmatch(size.strip())):
        number = int(float(found[1]) * _UNITS[found[2].upper()])
    if number > 0:
        return number
    raise ValueError(size)


def value_given(key: str, word: str) -> Any:
    """The value of a key as the command line gives it: a number, a size, an expression.

    Raises UsageError, one sentence with what is allowed.
    """
    known = {**_MODEL_KEYS, **_KEYS}[key]
    try:
        return known.read(word if key in _MODEL_KEYS else _plain(word))
    except (ValueError, TypeError):
        raise UsageError(f"--{key} is {word!r}, and must be {known.allowed}") from None


def _plain(word: str) -> int | float | str:
    """The word as TOML would read it."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(word)
    return word


def _models(table: Any) -> dict[str, ModelConfig]:
    """The entries of single models."""
    place = f"[{TABLE}.models]"
    if not isinstance(table, dict):
        raise ConfigError(f"{FILE}: {place} is {_told(table)}, and must be a table")
    found: dict[str, ModelConfig] = {}
    for name, entry in table.items():
        inside = f'[{TABLE}.models."{name}"]'
        path, _, symbol = name.replace("::", ":").rpartition(":")
        if not path or not symbol:
            raise ConfigError(f'{FILE}: {inside} names no model; write it as "path.py:Class"')
        if not isinstance(entry, dict):
            raise ConfigError(f"{FILE}: {inside} is {_told(entry)}, and must be a table")
        values = {}
        for key, value in entry.items():
            known = _known(_MODEL_KEYS, key, inside, *_MODEL_KEYS)
            values[known.field] = _value(known, value, f"{inside} {key}")
        found[f"{Path(path).as_posix()}:{symbol}"] = ModelConfig(**values)
    return found


def _known(keys: Mapping[str, _Key], key: str, place: str, *names: str) -> _Key:
    """The key of this name; `names` are told to those who write another one."""
    if key in keys:
        return keys[key]
    near = difflib.get_close_matches(key.replace("_", "-"), names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"{FILE}: {place} has no key {key!r}; it knows {', '.join(names)}", hint=hint)


def _value(known: _Key, value: Any, place: str) -> Any:
    try:
        return known.read(value)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{FILE}: {place} is {_told(value)}, and must be {known.allowed}"
        ) from error


def _told(value: Any) -> str:
    """A value as the file would write it, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    text = "a table" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _exact(*kinds: type) -> Callable[[Any], Any]:
    """The value itself, where it is of exactly one of these types."""

    def read(value: Any) -> Any:
        if type(value) not in kinds:
            raise TypeError(value)
        return value

    return read


def _codes(value: Any) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TypeError(value)
    return tuple(words)


def _seconds(value: Any) -> float:
    number = float(_exact(int, float)(value))
    if not 0.1 <= number < float("inf"):  # the least that --timeout takes
        raise ValueError(value)
    return number


def _jobs(value: Any) -> int:
    if _exact(int)(value) < 1:
        raise ValueError(value)
    return int(value)


def _seed(value: Any) -> int:
    if not -(2**63) <= _exact(int)(value) < 2**63:  # torch takes no more bits
        raise ValueError(value)
    return int(value)


def _expression(value: Any) -> str:
    with suppress(SyntaxError):
        ast.parse(_exact(str)(value).strip(), mode="eval")
        return str(value)
    raise ValueError(value)


def _path(value: Any) -> Path:
    if not _exact(str)(value).strip():
        raise ValueError(value)
    return Path(value).expanduser()


_FLAG = "true or false"
_CODES = 'a list of rules or their beginnings, such as ["GD1", "GD301"]'
_KEYS = {
    "select": _Key(field="select", allowed=_CODES, read=_codes),
    "ignore": _Key(field="ignore", allowed=_CODES, read=_codes),
    "fail-on": _Key(
        field="fail_on", allowed=f"one of {[one.value for one in Severity]}", read=Severity
    ),
    "strict": _Key(field="strict", allowed=_FLAG, read=_exact(bool)),
    "timeout": _Key(
        field="timeout_seconds", allowed="a number of seconds, 0.1 or more", read=_seconds
    ),
    "seed": _Key(field="seed", allowed="a whole number of 64 bits", read=_seed),
    "memory": _Key(
        field="memory_bytes", allowed='a size in bytes, or such as "2GiB"', read=bytes_of
    ),
    "jobs": _Key(field="jobs", allowed="a whole number, 1 or more", read=_jobs),
    "python": _Key(
        field="python", allowed="the path of an interpreter, seen from the file", read=_path
    ),
    "cache": _Key(field="cache", allowed=_FLAG, read=_exact(bool)),
}
_EXPRESSION = "an expression of Python, in quotes"
_MODEL_KEYS = {
    "build": _Key(field="build", allowed=_EXPRESSION, read=_expression),
    "call": _Key(field="call", allowed=_EXPRESSION, read=_expression),
    "ignore": _Key(field="ignore", allowed=_FLAG, read=_exact(bool)),
    "causal": _Key(field="causal", allowed=_FLAG, read=_exact(bool)),
}

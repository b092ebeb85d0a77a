"""The keys that `[tool.gptdoctor]` knows, what each may be, and what is made of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gptdoctor.core.errors import UsageError
from gptdoctor.core.findings import Severity

_UNITS = {"B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_UNITS |= {"K": 2**10, "M": 2**20, "G": 2**30}  # as ulimit, docker and Java take them
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]|[KMG]?i?B)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key: the field that it sets, what it may be in words, and the value that it gives.

    `read` raises ValueError or TypeError for anything else.
    """

    field: str
    allowed: str
    read: Callable[[Any], Any]


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
    known = {**MODEL_KEYS, **KEYS}[key]
    try:
        return known.read(word if key in MODEL_KEYS else _plain(word))
    except (ValueError, TypeError):
        raise UsageError(f"--{key} is {word!r}, and must be {known.allowed}") from None


def _plain(word: str) -> int | float | str:
    """The word as TOML would read it."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(word)
    return word


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


def _globs(value: Any) -> tuple[str, ...]:
    globs = _codes(value)
    if not all(glob.strip() for glob in globs):
        raise ValueError(value)
    return globs


def _codes_by_glob(value: Any) -> dict[str, tuple[str, ...]]:
    return {glob: _codes(codes) for glob, codes in _exact(dict)(value).items()}


def _severities(value: Any) -> dict[str, Severity]:
    return {rule: Severity(word) for rule, word in _exact(dict)(value).items()}


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
_SEVERITIES = [one.value for one in Severity]
_CODES = 'a list of rules or their beginnings, such as ["GD1", "GD301"]'
_GLOBS = 'a list of patterns as in .gitignore, such as ["legacy/", "*_old.py"]'
# Of these a path is seen from the file that holds it.
PATHS = ("python", "baseline")
KEYS = {
    "select": Key(field="select", allowed=_CODES, read=_codes),
    "ignore": Key(field="ignore", allowed=_CODES, read=_codes),
    "extend-select": Key(field="extend_select", allowed=_CODES, read=_codes),
    "extend-ignore": Key(field="extend_ignore", allowed=_CODES, read=_codes),
    "per-file-ignores": Key(
        field="per_file_ignores",
        allowed='a table of patterns and rules, such as {"legacy/*" = ["GD1"]}',
        read=_codes_by_glob,
    ),
    "severity": Key(
        field="severities",
        allowed=f'a table such as {{"GD501" = "low"}}, of {_SEVERITIES}',
        read=_severities,
    ),
    "fail-on": Key(field="fail_on", allowed=f"one of {_SEVERITIES}", read=Severity),
    "strict": Key(field="strict", allowed=_FLAG, read=_exact(bool)),
    "timeout": Key(
        field="timeout_seconds", allowed="a number of seconds, 0.1 or more", read=_seconds
    ),
    "seed": Key(field="seed", allowed="a whole number of 64 bits", read=_seed),
    "memory": Key(
        field="memory_bytes", allowed='a size in bytes, or such as "2GiB"', read=bytes_of
    ),
    "jobs": Key(field="jobs", allowed="a whole number, 1 or more", read=_jobs),
    "python": Key(
        field="python", allowed="the path of an interpreter, seen from the file", read=_path
    ),
    "exclude": Key(field="exclude", allowed=_GLOBS, read=_globs),
    "extend-exclude": Key(field="extend_exclude", allowed=_GLOBS, read=_globs),
    "respect-gitignore": Key(field="respect_gitignore", allowed=_FLAG, read=_exact(bool)),
    "force-exclude": Key(field="force_exclude", allowed=_FLAG, read=_exact(bool)),
    "baseline": Key(field="baseline", allowed="the path of a file, seen from this one", read=_path),
    "cache": Key(field="cache", allowed=_FLAG, read=_exact(bool)),
}
_EXPRESSION = "an expression of Python, in quotes"
MODEL_KEYS = {
    "build": Key(field="build", allowed=_EXPRESSION, read=_expression),
    "call": Key(field="call", allowed=_EXPRESSION, read=_expression),
    "ignore": Key(field="ignore", allowed=_FLAG, read=_exact(bool)),
    "causal": Key(field="causal", allowed=_FLAG, read=_exact(bool)),
}

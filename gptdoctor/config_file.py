"""`[tool.gptdoctor]` of the project's pyproject.toml, or of another file, checked key by key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptdoctor.config import ModelConfig, Selection
from gptdoctor.config_keys import KEYS, MODEL_KEYS, PATHS, Key
from gptdoctor.core.errors import ConfigError
from gptdoctor.core.findings import Severity

FILE = "pyproject.toml"
TABLE = "tool.gptdoctor"
# Keys that are no options: what is said of single models, and the file that this one builds on.
MODELS, EXTEND = "models", "extend"


@dataclass(frozen=True, kw_only=True)
class FileConfig:
    """What the file says, with what it says of rules, files and single models by themselves."""

    values: Mapping[str, Any] = field(default_factory=dict)  # by field of `Options`
    models: Mapping[str, ModelConfig] = field(default_factory=dict)  # by "path.py:Class"
    selections: tuple[Selection, ...] = ()  # as they are written; the file's own comes last
    choice: Mapping[str, Any] = field(default_factory=dict)  # by field of `FileChoice`
    extend_exclude: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    severities: Mapping[str, Severity] = field(default_factory=dict)


# Fields that are no options by themselves, and those that belong to the choice of files.
_RULES = ("select", "ignore", "extend_select", "extend_ignore")
_CHOICE = ("exclude", "respect_gitignore", "force_exclude")
_APART = ("extend_exclude", "per_file_ignores", "severities")


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One file: how it is called, and its values by field."""

    name: str
    folder: Path
    table: Mapping[str, Any]

    def values(self) -> dict[str, Any]:
        """The values of all keys but the two that are none; raises ConfigError."""
        values: dict[str, Any] = {}
        for key, value in self.table.items():
            if key not in (MODELS, EXTEND):
                known = self._known(KEYS, key, f"[{TABLE}]", *KEYS, MODELS, EXTEND)
                values[known.field] = self._value(known, value, f"[{TABLE}] {key}")
        for name in PATHS:
            if name in values:
                values[name] = self.folder / values[name]  # an absolute one stays as it is
        return values

    def models(self) -> dict[str, ModelConfig]:
        """The entries of single models."""
        place = f"[{TABLE}.{MODELS}]"
        table = self.table.get(MODELS, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{self.name}: {place} is {_told(table)}, and must be a table")
        return dict(self._model(name, entry) for name, entry in table.items())

    def _model(self, name: str, entry: Any) -> tuple[str, ModelConfig]:
        inside = f'[{TABLE}.{MODELS}."{name}"]'
        path, _, symbol = name.replace("::", ":").rpartition(":")
        if not path or not symbol:
            raise ConfigError(f'{self.name}: {inside} names no model; write it as "path.py:Class"')
        if not isinstance(entry, dict):
            raise ConfigError(f"{self.name}: {inside} is {_told(entry)}, and must be a table")
        values = {}
        for key, value in entry.items():
            known = self._known(MODEL_KEYS, key, inside, *MODEL_KEYS)
            values[known.field] = self._value(known, value, f"{inside} {key}")
        return f"{Path(path).as_posix()}:{symbol}", ModelConfig(**values)

    def _known(self, keys: Mapping[str, Key], key: str, place: str, *names: str) -> Key:
        """The key of this name; `names` are told to those who write another one."""
        if key in keys:
            return keys[key]
        near = difflib.get_close_matches(key.replace("_", "-"), names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        known = ", ".join(names)
        raise ConfigError(f"{self.name}: {place} has no key {key!r}; it knows {known}", hint=hint)

    def _value(self, known: Key, value: Any, place: str) -> Any:
        try:
            return known.read(value)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"{self.name}: {place} is {_told(value)}, and must be {known.allowed}"
            ) from error


def read_config(root: Path, file: Path | None = None) -> FileConfig:
    """The options in `file`, or in the pyproject.toml of the project at `root`, if it has one.

    Those of a file that it extends count where it says nothing itself.  Raises ConfigError, one
    sentence with the key and what is allowed, for anything else than what `[tool.gptdoctor]` may
    hold.
    """
    values: dict[str, Any] = {}
    models: dict[str, ModelConfig] = {}
    tables: dict[str, dict[str, Any]] = {"per_file_ignores": {}, "severities": {}}
    selections: list[Selection] = []
    extend_exclude: tuple[str, ...] = ()
    for layer in reversed(list(_layers(root, file))):
        read = layer.values()
        models |= layer.models()
        rules = {name: read[name] for name in _RULES if name in read}
        selections += [Selection(**rules)] if rules else []
        extend_exclude += read.get("extend_exclude", ())
        for name, table in tables.items():
            table |= read.get(name, {})
        values |= {k: v for k, v in read.items() if k not in (*_RULES, *_APART)}
    return FileConfig(
        values={name: value for name, value in values.items() if name not in _CHOICE},
        models=models,
        selections=tuple(selections),
        choice={name: values[name] for name in _CHOICE if name in values},
        extend_exclude=extend_exclude,
        per_file_ignores=tables["per_file_ignores"],
        severities=tables["severities"],
    )


def _layers(root: Path, file: Path | None) -> Iterator[_Layer]:
    """The file, what it extends, what that extends and so on."""
    place, name = (root / FILE, FILE) if file is None else (file, str(file))
    table = _table_in(place, name, needed=file is not None)
    seen: list[Path] = []
    while True:
        yield _Layer(name=name, folder=place.parent, table=table)
        if EXTEND not in table:
            return
        seen.append(place.resolve())
        word = table[EXTEND]
        if not isinstance(word, str) or not word.strip():
            told = f"[{TABLE}] {EXTEND} is {_told(word)}, and must be the path of a TOML file"
            raise ConfigError(f"{name}: {told}")
        place = place.parent / Path(word).expanduser()
        if place.resolve() in seen:
            raise ConfigError(f"{name}: [{TABLE}] {EXTEND} comes back to {word}")
        name = f"{word}, which {name} extends"
        table = _table_in(place, name, needed=True)


def _table_in(file: Path, name: str, *, needed: bool) -> Mapping[str, Any]:
    """`[tool.gptdoctor]` as TOML has it; empty where it may be missing and is."""
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (FileNotFoundError, NotADirectoryError):
        if needed:
            raise ConfigError(f"there is no file {name}") from None
        return {}
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(f"{name} is not valid TOML: {error}") from error
    table = tool.get("gptdoctor") if isinstance(tool, dict) else None
    if table is None and needed:
        raise ConfigError(f"{name} has no [{TABLE}]")
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{name}: {TABLE} is {_told(table)}, and must be a table")
    return table or {}


def _told(value: Any) -> str:
    """A value as the file would write it, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    text = "a table" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

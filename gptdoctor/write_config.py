"""Writing what was found into `[tool.gptdoctor.models]` of the project's pyproject.toml.

Comments and formatting of the file stay; the user's own entries stay, and it is said that they
do.  The file is wholly old or wholly new at any moment.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, String, Table
from tomlkit.toml_document import TOMLDocument

from gptdoctor.config import toml_string
from gptdoctor.config_file import FILE
from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.core.errors import ConfigError
from gptdoctor.whole_files import replace_file


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of the file."""

    added: tuple[str, ...]  # lines that were put into it
    kept: tuple[str, ...]  # keys of entries that were there already, and left as they were


def write_config(root: Path, models: Iterable[ModelDiagnosis]) -> Written:
    """Write the builds and calls of `models`; the file is made where there is none.

    Raises ConfigError, with the file as it was, where it cannot be read or written.
    """
    file = root / FILE
    read = _read(file)
    windows = read.count("\r\n") == read.count("\n") > 0
    text = read.replace("\r\n", "\n") if windows else read
    try:
        document = tomlkit.parse(text)
        before = document.unwrap()
        added, kept = _enter(document, models)
        new = tomlkit.dumps(document).rstrip("\n") + "\n" if added else text
        templates = [line for model in models for line in _template(model, text)]
        new = _joined(new, templates)
        _require_same(before, tomllib.loads(new))
    except (TOMLKitError, ValueError, TypeError) as error:
        raise ConfigError(f"{FILE} cannot be added to: {error}; nothing was written") from error
    if new != text:
        _write(file, new.replace("\n", "\r\n") if windows else new)
    return Written(added=(*added, *filter(None, templates)), kept=tuple(kept))


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"{FILE} cannot be read: {error}; nothing was written") from error


def _enter(document: TOMLDocument, models: Iterable[ModelDiagnosis]) -> tuple[list[str], list[str]]:
    """Put the entries into the document: the lines of the new ones, the keys of the old ones."""
    added: list[str] = []
    kept: list[str] = []
    for model in models:
        if model.specimen is None:
            continue
        key = f"{model.path}:{model.name}"
        table = _tables(document)
        known = next((name for name in table if name.replace("::", ":") == key), None)
        if known is not None and {"build", "call"} & set(table[known]):
            kept.append(key)
            continue
        if known is None:
            table[key] = _empty_like(table)
        added.append(f'[tool.gptdoctor.models."{key}"]')
        for name, code in (("build", model.specimen.build), ("call", model.specimen.expression)):
            if code:
                table[known or key][name] = _string(code)
                added.append(f"{name} = {toml_string(code)}")
        if not isinstance(table, InlineTable):
            table[known or key].add(tomlkit.nl())
    return added, kept


def _tables(document: TOMLDocument) -> Any:
    """`[tool.gptdoctor.models]`, made where it is missing."""
    place: Any = document
    for name in ("tool", "gptdoctor", "models"):
        if name not in place:
            place[name] = _empty_like(place)
        place = place[name]
    return place


def _empty_like(place: Any) -> Table | InlineTable:
    """A new table that may stand in `place`."""
    return tomlkit.inline_table() if isinstance(place, InlineTable) else tomlkit.table()


def _string(code: str) -> String:
    """Code as a string of TOML."""
    written = toml_string(code)
    return tomlkit.string(code, literal=written.startswith("'"))


def _template(model: ModelDiagnosis, text: str) -> Iterator[str]:
    """What to write for a model that was not run, as comments; nothing where that is there."""
    head = f'[tool.gptdoctor.models."{model.path}:{model.name}"]'
    if model.to_write is None or head in text:
        return
    yield ""
    yield f"# {head}"
    yield f"# build = {toml_string(model.to_write.build)}"
    yield f"# call = {toml_string(model.to_write.call)}"


def _joined(text: str, lines: list[str]) -> str:
    if not lines:
        return text
    gap = "\n" if text and not text.endswith("\n") else ""
    told = "# Fill in the ... and take the # away: gptdoctor could not run these by itself."
    return text + gap + ("\n" if text else "") + "\n".join([told, *lines[1:]]) + "\n"


def _require_same(before: Any, after: Any) -> None:
    """Raise ValueError where anything that the file said is not said any more."""
    if not isinstance(before, dict):
        if before != after and before == before:  # nan is unlike itself
            raise ValueError("what it says would change")
        return
    for key, value in before.items():
        if not isinstance(after, dict) or key not in after:
            raise ValueError(f"{key!r} would be lost")
        _require_same(value, after[key])


def _write(file: Path, text: str) -> None:
    try:
        replace_file(file, text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{FILE} cannot be written: {error.strerror}; it is as it was") from error

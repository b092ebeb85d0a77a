"""The options of one run: what the command line says, else a file, else the defaults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptdoctor.catalog import rules_named
from gptdoctor.config import FileChoice, Options, Selection, settled
from gptdoctor.config_file import FILE, TABLE, FileConfig, read_config
from gptdoctor.core.errors import UsageError
from gptdoctor.source.targets import root_of


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the command line says beside plain values; None: nothing."""

    select: Sequence[str] | None = None
    ignore: Sequence[str] | None = None
    extend_select: Sequence[str] | None = None
    extend_ignore: Sequence[str] | None = None
    exclude: Sequence[str] | None = None
    extend_exclude: Sequence[str] | None = None
    respect_gitignore: bool | None = None
    force_exclude: bool | None = None
    config: Path | None = None  # the file that is read in place of pyproject.toml
    isolated: bool = False  # no file is read
    values: dict[str, Any] = field(default_factory=dict)  # by field of `Options`


def make_settings(targets: Sequence[str], given: Given, here: Path) -> Options:
    """The options of a run on these targets, seen from the folder `here`.

    Raises UsageError for an unknown rule and a target that does not exist, ConfigError for a file
    that is not right.
    """
    words = tuple(targets)
    file = _file_config(words, given, here)
    place = f"{given.config or FILE}: [{TABLE}]"
    select, ignore = settled([*_checked(file.selections, place), _from_command_line(given)])
    own = {name: value for name, value in given.values.items() if value is not None}
    return Options(
        targets=words,
        select=select,
        ignore=ignore,
        models=file.models,
        files=_choice(file, given),
        per_file_ignores=tuple(
            (glob, rule_codes(codes, place=f"{place} per-file-ignores: "))
            for glob, codes in file.per_file_ignores.items()
        ),
        severities=tuple(
            (code, severity)
            for word, severity in file.severities.items()
            for code in rule_codes([word], place=f"{place} severity: ")
        ),
        **{**file.values, **own},
    )


def rule_codes(words: Iterable[str], place: str = "") -> tuple[str, ...]:
    """Codes or prefixes of codes, given one by one or joined by commas; names become codes."""
    found: list[str] = []
    for word in (one.strip() for many in words for one in many.split(",")):
        rules = rules_named(word)
        if not rules:
            raise UsageError(f"{place}no rule begins with {word.upper()!r}", hint=_near(word))
        by_name = word.lower() == rules[0].name
        found.append(rules[0].code if by_name else word.upper())
    return tuple(found)


def _near(word: str) -> str:
    from gptdoctor.catalog import all_defects, nearest

    near = nearest(word)
    if near:
        return f"did you mean {near!r}?"
    return f"the rules are {[defect.code for defect in all_defects()]}"


def _file_config(words: tuple[str, ...], given: Given, here: Path) -> FileConfig:
    if given.isolated and given.config is not None:
        raise UsageError("--isolated reads no file, and --config names one")
    if given.isolated:
        return FileConfig()
    return read_config(root_of(words, here), given.config)


def _checked(selections: Iterable[Selection], place: str) -> list[Selection]:
    """What files say of rules, as codes."""

    def codes(words: Sequence[str] | None, key: str) -> Any:
        return None if words is None else rule_codes(words, place=f"{place} {key}: ")

    return [
        Selection(
            select=codes(one.select, "select"),
            ignore=codes(one.ignore, "ignore"),
            extend_select=codes(one.extend_select, "extend-select"),
            extend_ignore=codes(one.extend_ignore, "extend-ignore"),
        )
        for one in selections
    ]


def _from_command_line(given: Given) -> Selection:
    return Selection(
        select=rule_codes(given.select) if given.select else None,
        ignore=rule_codes(given.ignore) if given.ignore else None,
        extend_select=rule_codes(given.extend_select or ()),
        extend_ignore=rule_codes(given.extend_ignore or ()),
    )


def _choice(file: FileConfig, given: Given) -> FileChoice:
    """Which files are read: patterns that extend are added to those that are replaced or not."""
    values: dict[str, Any] = dict(file.choice)
    if given.exclude:  # typer gives an empty list where nothing was given
        values["exclude"] = _patterns(given.exclude)
    for name in ("respect_gitignore", "force_exclude"):
        value = getattr(given, name)
        values |= {} if value is None else {name: value}
    choice = FileChoice(**values)
    more = (*file.extend_exclude, *_patterns(given.extend_exclude or ()))
    return FileChoice(
        exclude=(*choice.exclude, *more),
        respect_gitignore=choice.respect_gitignore,
        force_exclude=choice.force_exclude,
    )


def _patterns(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(one.strip() for word in words for one in word.split(",") if one.strip())

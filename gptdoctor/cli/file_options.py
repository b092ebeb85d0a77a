"""Options of several commands that say what is read, and what is known already.

A command gets them by `@reading_files`; it reads them, as all others, with `options_of`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from gptdoctor.cli.options import TracebackOption, options_of
from gptdoctor.config import Options


def _option(names: str, metavar: str | None = None, *, help_text: str) -> Any:
    return typer.Option(names, metavar=metavar, help=help_text, show_default=False)


def _words(name: str, metavar: str, help_text: str) -> Any:
    return Annotated[list[str] | None, _option(name, metavar, help_text=help_text)]


def _path(name: str, help_text: str) -> Any:
    return Annotated[Path | None, _option(name, "FILE", help_text=help_text)]


def _flag(names: str, help_text: str) -> Any:
    return Annotated[bool | None, _option(names, help_text=help_text)]


def _switch(name: str, help_text: str) -> Any:
    return Annotated[bool, _option(name, help_text=help_text)]


_EXCLUDE = "Not these files and folders, in place of tests, build and the like."
_GITIGNORE = "Pass by what git ignores below folders (the default)."
_FORCE = "Exclude files that are named as well, as pre-commit names them."
_KNOWN = "What this file knows is not shown and fails nothing."
_SINCE = "Only what came in since HEAD and REV parted, say origin/main."
# By parameter: its type with the option, and its default.
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "extend_select": (_words("--extend-select", "CODES", "These rules as well."), None),
    "extend_ignore": (_words("--extend-ignore", "CODES", "Nor these rules."), None),
    "exclude": (_words("--exclude", "GLOBS", _EXCLUDE), None),
    "extend_exclude": (_words("--extend-exclude", "GLOBS", "Nor these: 'old/,*_v1.py'."), None),
    "respect_gitignore": (_flag("--respect-gitignore/--no-respect-gitignore", _GITIGNORE), None),
    "force_exclude": (_flag("--force-exclude/--no-force-exclude", _FORCE), None),
    "baseline": (_path("--baseline", _KNOWN), None),
    "diff_base": (Annotated[str | None, _option("--diff-base", "REV", help_text=_SINCE)], None),
    "config": (_path("--config", "Read this TOML file, and no pyproject.toml."), None),
    "isolated": (_switch("--isolated", "Read no pyproject.toml."), False),
    # Read by `main`, which prints errors; here so that every command accepts it.
    "traceback": (TracebackOption, False),
    "show_files": (_switch("--show-files", "List the files that would be read, and end."), False),
    "show_settings": (_switch("--show-settings", "List the settings, and end."), False),
}


def reading_files(command: Callable[..., None]) -> Callable[..., None]:
    """The command with these options, before those that come last in its own list."""
    own = inspect.signature(command, eval_str=True)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _OPTIONS.items()
    ]

    @functools.wraps(command)
    def run(*args: Any, **given: Any) -> None:
        if given["show_files"] or given["show_settings"]:
            _list(options_of(given["context"]), files=given["show_files"])
            raise typer.Exit
        command(*args, **{name: value for name, value in given.items() if name not in _OPTIONS})

    run.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]
    hints = get_type_hints(command, include_extras=True)
    run.__annotations__ = hints | {name: kind for name, (kind, _) in _OPTIONS.items()}
    return run


def _list(options: Options, *, files: bool) -> None:
    """The files that a run would read, or the settings that it would go by, a line each."""
    if files:
        from gptdoctor.source.targets import find_targets

        here = Path.cwd()
        for file in find_targets(options.targets, here, options.files).files:
            typer.echo(file.relative_to(here) if file.is_relative_to(here) else file)
        return
    values = dataclasses.asdict(options)
    for name, value in (values | values.pop("files")).items():
        told = value.value if isinstance(value, Enum) else value
        typer.echo(f"{name.replace('_', '-')} = {told!r}")


def words_again(given: Mapping[str, Any]) -> list[str]:
    """What was given of these options, as the next command has to be given it again."""
    words: list[str] = []
    for name, (_, default) in _OPTIONS.items():
        value, option = given[name], f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is False and default is None:
            words.append(f"--no-{option[2:]}")
        elif value:
            words += [option, ",".join(value) if isinstance(value, list | tuple) else str(value)]
    return words

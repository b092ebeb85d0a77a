"""Options of several commands that say what is read, and what is known already.

A command gets them by `@reading_files`; it reads them, as all others, with `options_of`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

_Words = list[str] | None


def _option(*names: str, metavar: str | None = None, help_text: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help_text)


# By parameter: its type with the option, and its default.
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "config": (
        Annotated[
            Path | None,
            _option(
                "--config", metavar="FILE", help_text="Read this TOML file, no pyproject.toml."
            ),
        ],
        None,
    ),
    "isolated": (
        Annotated[bool, _option("--isolated", help_text="Read no pyproject.toml.")],
        False,
    ),
    "exclude": (
        Annotated[
            _Words,
            _option(
                "--exclude",
                metavar="GLOBS",
                help_text="Not these files and folders, in place of tests, build and the like.",
            ),
        ],
        None,
    ),
    "extend_exclude": (
        Annotated[
            _Words,
            _option("--extend-exclude", metavar="GLOBS", help_text="Nor these: 'old/,*_v1.py'."),
        ],
        None,
    ),
    "respect_gitignore": (
        Annotated[
            bool | None,
            _option(
                "--respect-gitignore/--no-respect-gitignore",
                help_text="Pass by what git ignores below folders (the default).",
            ),
        ],
        None,
    ),
    "force_exclude": (
        Annotated[
            bool | None,
            _option(
                "--force-exclude/--no-force-exclude",
                help_text="Exclude files that are named as well, as pre-commit names them.",
            ),
        ],
        None,
    ),
    "baseline": (
        Annotated[
            Path | None,
            _option(
                "--baseline",
                metavar="FILE",
                help_text="Findings that this file knows are not shown and fail nothing.",
            ),
        ],
        None,
    ),
    "diff_base": (
        Annotated[
            str | None,
            _option(
                "--diff-base",
                metavar="REV",
                help_text="Only what came in since HEAD and REV parted; what a run alone shows "
                "counts where its lines changed.",
            ),
        ],
        None,
    ),
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
        command(*args, **{name: value for name, value in given.items() if name not in _OPTIONS})

    run.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]
    hints = get_type_hints(command, include_extras=True)
    run.__annotations__ = hints | {name: kind for name, (kind, _) in _OPTIONS.items()}
    return run

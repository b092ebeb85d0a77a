"""The options that commands share, and what is made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from gptdoctor.cli.completing import rules_joined
from gptdoctor.config import DEFAULT_TIMEOUT_SECONDS, Options
from gptdoctor.core.findings import Severity


def _value_of(key: str) -> Callable[[str], Any]:
    """The parser of an option that pyproject.toml knows as well: one sentence for a wrong value."""

    def parse(word: str) -> Any:
        from gptdoctor.config_keys import value_given

        return value_given(key, word)

    return parse


TargetsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TARGET]...",
        help="Files, folders, FILE::Class or package.module:Class; default: this folder.",
        show_default=False,
    ),
]
StaticOption = Annotated[
    bool | None,
    typer.Option(
        "--static/--no-static",
        help="Read the text only: no user code runs, and no verdict is given.",
    ),
]
SelectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="CODES",
        help="Only these rules: GD101,GD2, or their names.",
        autocompletion=rules_joined,
    ),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="CODES", help="Not these rules.", autocompletion=rules_joined),
]
# Options without a default here have theirs in `Options`: what is None was not given, and
# pyproject.toml may say it.
FailOnOption = Annotated[
    Severity | None,
    typer.Option(
        "--fail-on",
        metavar="SEVERITY",
        help="The least that fails: critical, high (default), medium or low.",
    ),
]
StrictOption = Annotated[
    bool | None,
    typer.Option("--strict/--no-strict", help="A model that could not be examined fails, too."),
]
ExitZeroOption = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 whatever is found.")]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        parser=_value_of("timeout"),
        help=f"Time limit of each model; default: {DEFAULT_TIMEOUT_SECONDS:g}.",
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        parser=_value_of("seed"),
        help="Seed of weights, inputs and draws; default: 0.",
    ),
]
PythonOption = Annotated[
    Path | None,
    typer.Option(
        "--python",
        metavar="PATH",
        help="The interpreter that runs the models; nothing is installed into it.",
    ),
]
DevicesOption = Annotated[
    bool, typer.Option("--devices", help="Let the models see accelerators (hidden by default).")
]
FastOption = Annotated[bool, typer.Option("--fast", help="Only the quick and most telling probes.")]
CacheOption = Annotated[
    bool | None,
    typer.Option(
        "--cache/--no-cache", help="Answer from earlier runs what has not changed (the default)."
    ),
]
BuildOption = Annotated[
    str | None,
    typer.Option(
        "--build",
        metavar="EXPR",
        parser=_value_of("build"),
        help="Builds the one model named, in its file: 'MyGPT(MyConfig(n_layer=2))'.",
    ),
]
CallOption = Annotated[
    str | None,
    typer.Option(
        "--call",
        metavar="EXPR",
        parser=_value_of("call"),
        help="Calls it, with ids, labels, B, T and V: 'model(ids, torch.zeros(B, 4))'.",
    ),
]


MemoryOption = Annotated[
    int | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        parser=_value_of("memory"),
        help="Memory limit of each model, such as 2G or 800M; default: half of the machine's.",
        show_default=False,
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        parser=_value_of("jobs"),
        help="Models examined at once; default: as many as cores and free memory allow.",
        show_default=False,
    ),
]
ShowOutputOption = Annotated[
    bool, typer.Option("--show-output", help="Show what the models' code printed.")
]
# Read by `main`, which prints errors; here only so that it is accepted and documented.
TracebackOption = Annotated[
    bool, typer.Option("--traceback", help="Print a traceback when gptdoctor fails.")
]


def options_of(context: typer.Context) -> Options:
    """The options of a command whose parameters are called as the fields of `Options` are."""
    known = {each.name for each in dataclasses.fields(Options)} | BESIDE
    given = {k: value for k, value in context.params.items() if k in known and value is not None}
    # The context holds words where the command's own parameters would be values.
    for name, kind in _KINDS.items():
        if name in given:
            given[name] = kind(given[name])
    return make_options(**given)


# What `options_of` reads beside fields of `Options`, and what words stand for.
BESIDE = frozenset(
    (
        *("extend_select", "extend_ignore", "exclude", "extend_exclude"),
        *("respect_gitignore", "force_exclude", "config", "isolated"),
    )
)
_KINDS: dict[str, Callable[[Any], Any]] = {
    "fail_on": Severity,
    "python": Path,
    "baseline": Path,
    "config": Path,
}


def make_options(targets: list[str] | None = None, **given: Any) -> Options:
    """The options of one run: what was given, else what pyproject.toml says, else the defaults.

    `given`: fields of `Options` and of `settings.Given`; None where nothing was given.  Raises
    UsageError for an unknown rule and a target that does not exist, ConfigError for a
    pyproject.toml that is not right.
    """
    from gptdoctor.settings import Given, make_settings

    beside = BESIDE | {"select", "ignore"}
    own = {name: value for name, value in given.items() if name in beside}
    values = {name: value for name, value in given.items() if name not in beside}
    return make_settings(targets or (), Given(**own, values=values), Path.cwd())


def rule_codes(words: Iterable[str]) -> tuple[str, ...]:
    """Codes or prefixes of codes, given one by one or joined by commas; names become codes."""
    from gptdoctor.settings import rule_codes as codes_of

    return codes_of(words)

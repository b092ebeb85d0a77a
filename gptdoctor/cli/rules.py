"""`gptdoctor rules`: all rules in a table, or some of them."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from gptdoctor.cli.completing import rules_and_families


class RulesFormat(str, Enum):
    """How rules are printed."""

    TEXT = "text"
    JSON = "json"


WordsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RULE]...",
        help="Codes or their beginnings, names, or families: GD1, routing; default: all.",
        show_default=False,
        autocompletion=rules_and_families,
    ),
]
StaticOption = Annotated[bool, typer.Option("--static", help="Only those that text can show.")]
FormatOption = Annotated[
    RulesFormat, typer.Option("--output-format", help="How the rules are printed.")
]


def rules(
    words: WordsArgument = None,
    static: StaticOption = False,
    output_format: FormatOption = RulesFormat.TEXT,
) -> None:
    """List the rules by family: severity, how sure the text is, whether a run settles it, fix."""
    from gptdoctor.catalog import defects_among

    chosen = [one for one in defects_among(words or ()) if one.in_text or not static]
    if output_format is RulesFormat.JSON:
        import json

        from gptdoctor.report.rule_records import rule_record

        typer.echo(json.dumps([rule_record(one) for one in chosen], indent=2))
        return
    from gptdoctor.report.consoles import stdout_console
    from gptdoctor.report.rules import print_rules

    print_rules(stdout_console(), chosen)

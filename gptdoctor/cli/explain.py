"""`gptdoctor explain GD101`: a rule's page."""

from __future__ import annotations

from typing import Annotated

import typer

from gptdoctor.cli.completing import rules_by_code_or_name


def explain(
    rule: Annotated[
        str,
        typer.Argument(
            metavar="RULE",
            help="A rule's code or name: GD101, no-grad-in-forward.",
            autocompletion=rules_by_code_or_name,
        ),
    ],
) -> None:
    """Say what a rule means, why it harms, how it is proven, and how safe its fix is."""
    from gptdoctor.catalog import defect_named
    from gptdoctor.report.consoles import stdout_console
    from gptdoctor.report.rules import print_rule

    print_rule(stdout_console(), defect_named(rule))

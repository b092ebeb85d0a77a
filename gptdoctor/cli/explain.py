"""`gptdoctor explain GD101`: a rule's page."""

from __future__ import annotations

from typing import Annotated

import typer


def explain(
    rule: Annotated[str, typer.Argument(help="A rule's code or name: GD101, no-grad-in-forward.")],
) -> None:
    """Say what a rule means, why it harms, how it is proven, and how safe its fix is."""
    from gptdoctor.catalog import defect_named
    from gptdoctor.report.consoles import stdout_console
    from gptdoctor.report.rules import print_rule

    print_rule(stdout_console(), defect_named(rule))

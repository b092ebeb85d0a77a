"""`gptdoctor rules`: all rules in a table."""

from __future__ import annotations


def rules() -> None:
    """List the rules with their severity and their fix."""
    from gptdoctor.catalog import all_defects
    from gptdoctor.report.consoles import stdout_console
    from gptdoctor.report.rules import print_rules

    print_rules(stdout_console(), all_defects())

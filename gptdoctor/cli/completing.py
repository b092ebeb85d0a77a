"""What a shell offers when the Tab key is pressed; `gptdoctor --install-completion` tells it."""

from __future__ import annotations

from collections.abc import Mapping

# A word, and what is said of it by shells that say something.
Offer = tuple[str, str]


def rules_by_code_or_name(incomplete: str) -> list[Offer]:
    """Codes, and names once a letter is typed: together they are more than a screen."""
    names = _names() if incomplete else {}
    return _beginning(incomplete, {**_codes(), **names})


def rules_and_families(incomplete: str) -> list[Offer]:
    """The same, and the families that rules belong to."""
    from gptdoctor.catalog import families

    told = dict.fromkeys(families(), "a family of rules")
    return [*rules_by_code_or_name(incomplete), *_beginning(incomplete, told)]


def rules_joined(incomplete: str) -> list[Offer]:
    """Codes, also after others and a comma."""
    before, comma, last = incomplete.rpartition(",")
    given = before.split(",")
    codes = {code: name for code, name in _codes().items() if code not in given}
    return [(f"{before}{comma}{code}", name) for code, name in _beginning(last, codes)]


def formats_joined(incomplete: str) -> list[Offer]:
    """Output formats, also after others and a comma."""
    from gptdoctor.report.output_formats import format_names

    before, comma, last = incomplete.rpartition(",")
    told = dict.fromkeys(format_names(), "")
    return [(f"{before}{comma}{name}", text) for name, text in _beginning(last, told)]


def _codes() -> dict[str, str]:
    from gptdoctor.catalog import told_rules

    return told_rules()


def _names() -> dict[str, str]:
    return {name: code for code, name in _codes().items()}


def _beginning(incomplete: str, told: Mapping[str, str]) -> list[Offer]:
    """The words that go on from what is typed."""
    return [(word, text) for word, text in told.items() if word.startswith(incomplete)]

"""The sentences of the rules whose numbers say more in a row of words than as a list.

One file for each family of rules, with a `SENTENCES` by code.  A rule without a sentence is told
by the keys of its values.  A sentence begins after "confirmed by gradient-flow: ".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from gptdoctor.report.sentences.sentence import Sentence


def sentence_of(rule: str) -> Sentence | None:
    """What tells the values of a rule; None where nothing but their keys does.

    A report that was kept may hold a rule of another version.  No rule is loaded for this: a
    check that is answered from the cache needs none.
    """
    return _sentences().get(rule)


@cache
def _sentences() -> Mapping[str, Sentence]:
    """The sentences of all families, by code."""
    found: dict[str, Sentence] = {}
    for info in iter_modules(__path__):
        found |= getattr(import_module(f"{__name__}.{info.name}"), "SENTENCES", {})
    return found

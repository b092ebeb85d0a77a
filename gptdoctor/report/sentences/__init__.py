"""The sentences of the rules whose numbers say more in a row of words than as a list.

One file for each family of rules, with a `SENTENCES` by code.  A rule without a sentence is told
by the keys of its values.  A sentence begins after "confirmed by gradient-flow: ".
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec

from gptdoctor.catalog import all_defects, module_of
from gptdoctor.report.sentences.sentence import Sentence


@cache
def sentence_of(rule: str) -> Sentence | None:
    """What tells the values of a rule; None where nothing but their keys does.

    A report that was kept may hold a rule of another version.
    """
    defect = next((one for one in all_defects() if one.code == rule), None)
    if defect is None:
        return None
    module = f"{__name__}.{module_of(defect).partition('.')[0]}"
    if find_spec(module) is None:
        return None
    found: Sentence | None = import_module(module).SENTENCES.get(rule)
    return found

"""What a method that generates says of itself: that it samples, or that it is greedy."""

from __future__ import annotations

import re
from collections.abc import Collection

_SAMPLES_BY_NAME = re.compile(r"(?:.*_)?(?:sampler?|sampling|stochastic|random)(?:_.*)?")
_SAMPLES_IN_WORDS = re.compile(
    r"\bsampling\b|\bsampl(?:e|es|ed)\s+(?:(?:the|a|one|each|new)\s+)*(?:next|from|token)|"
    r"\bmultinomial\b|\bstochastic|\brandomly\b|\bat random\b|\bnucleus\b",
    re.IGNORECASE,
)
_GREEDY = re.compile(
    r"greed|argmax|arg max|beam|determinis|(?:most|highest)[\s-]+(?:likely|probab)|likeliest|"
    r"\bbest\b|\btop[\s-]?1\b",
    re.IGNORECASE,
)
_SWITCHES = ("do_sample", "sample")


def sampling_promises(
    name: str, parameters: Collection[str], filters: Collection[str], words: str, remarks: str
) -> tuple[str, ...]:
    """What says that a method samples; nothing where it also says that it is greedy.

    `filters` are those of its parameters that say which tokens may be drawn, as top_k; `words` is
    its documentation, and `remarks` are the comments in it.
    """
    found = []
    if _SAMPLES_BY_NAME.fullmatch(name.lower().strip("_")):
        found.append(f"the name `{name}`")
    found += [f"`{switch}=True`" for switch in _SWITCHES if switch in parameters]
    found += [f"the parameter `{parameter}`" for parameter in filters]
    if _SAMPLES_IN_WORDS.search(words):
        found.append("its documentation")
    elif _SAMPLES_IN_WORDS.search(remarks):
        found.append("a comment in it")
    beam = any("beam" in parameter for parameter in parameters)
    greedy = beam or (found and any(map(_GREEDY.search, (name, words, remarks))))
    return () if greedy else tuple(found)

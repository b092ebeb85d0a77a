"""What a method that generates says of itself: that it samples, or that it is greedy."""

from __future__ import annotations

import inspect
import re

from gptdoctor.probes.instruments.generation import Method
from gptdoctor.probes.instruments.read_lines import comments_of, compares_with_zero

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
_ZERO = re.compile(r"(?<![\d.])0(?:\.0*)?(?![\d.])|zero", re.IGNORECASE)


def promises_of(method: Method) -> tuple[str, ...]:
    """What says that a method samples; nothing where it also says that it is greedy."""
    words = inspect.getdoc(method.written) or ""
    remarks = comments_of(method.written)
    if _GREEDY.search(method.name) or _GREEDY.search(f"{words} {remarks}") or _is_beam(method):
        return ()
    found = []
    if _SAMPLES_BY_NAME.fullmatch(method.name.lower().strip("_")):
        found.append(f"the name `{method.name}`")
    found += [f"`{name}=True`" for name in _SWITCHES if name in method.parameters]
    # Without a number of tokens, top_k may as well count the candidates that are returned.
    filters = (method.top_k, method.top_p) if method.asks_how_many else ()
    found += [f"the parameter `{name}`" for name in filters if name is not None]
    if _SAMPLES_IN_WORDS.search(words):
        found.append("its documentation")
    elif _SAMPLES_IN_WORDS.search(remarks):
        found.append("a comment in it")
    return tuple(found)


def lets_zero_in(method: Method) -> bool:
    """Whether a method's text, documentation or default speaks of a temperature of 0."""
    name = method.temperature
    if name is None:
        return False
    if method.parameters[name].default == 0 or compares_with_zero(method.written, name):
        return True
    words = inspect.getdoc(method.written) or ""
    sentences = [one for one in re.split(r"[\n.;](?:\s|$)", words) if name in one.lower()]
    return any(_ZERO.search(one) for one in sentences)


def _is_beam(method: Method) -> bool:
    return any("beam" in name for name in method.parameters)

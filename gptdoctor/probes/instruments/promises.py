"""What a method that generates promises: that it samples, and that it takes a temperature of 0."""

from __future__ import annotations

import inspect
import re

from gptdoctor.core.sampling_promises import sampling_promises
from gptdoctor.probes.instruments.generation import Method
from gptdoctor.probes.instruments.read_lines import comments_of, compares_with_zero

_ZERO = re.compile(r"(?<![\d.])0(?:\.0*)?(?![\d.])|zero", re.IGNORECASE)


def promises_of(method: Method) -> tuple[str, ...]:
    """What says that a method samples; nothing where it also says that it is greedy."""
    # Without a number of tokens, top_k may as well count the candidates that are returned.
    filters = (method.top_k, method.top_p) if method.asks_how_many else ()
    return sampling_promises(
        method.name,
        method.parameters,
        [name for name in filters if name is not None],
        inspect.getdoc(method.written) or "",
        comments_of(method.written),
    )


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

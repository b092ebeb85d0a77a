"""A finding's name across commits: the same as long as its own code stays, wherever it moves to."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from gptdoctor.core.findings import Finding

# 64 bits: of a million findings of one project two get the same one in 1 run of 30 million.
DIGITS = 16


def fingerprints(findings: Sequence[Finding]) -> tuple[str, ...]:
    """One fingerprint for each finding, hexadecimal, all different, in the order of `findings`.

    Of the rule, the file, the function and the text of the line, spaces left out, not of the
    line's number: code above may grow.  The same line twice in one function is counted, in the
    order of the text.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    found: dict[int, str] = {}
    for index in sorted(range(len(findings)), key=lambda index: findings[index].location):
        one = findings[index]
        parts = (one.rule, one.location.path, one.symbol, "".join(one.excerpt.split()))
        seen[parts] += 1
        text = "\0".join((*parts, str(seen[parts])))
        found[index] = hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
    return tuple(found[index] for index in range(len(findings)))

"""Where and how the user's code failed."""

from __future__ import annotations

import re
from dataclasses import dataclass

# How torch says that two sizes do not fit.
_MISMATCH = re.compile(
    r"size of tensor|must match|shapes? cannot be multiplied|mismatch|not broadcastable|"
    r"expects a tensor with <= 2|Expected size|invalid for input of size",
    re.IGNORECASE,
)
# How torch says that numbers of two types do not go together, or that it cannot hand some on, where
# one of the types is of fractions and somebody chose it.
_TYPES = re.compile(r"dtype|scalar ?type|should be the same", re.IGNORECASE)
_CHOSEN = re.compile(r"\b(?:bfloat16|half|double)\b", re.IGNORECASE)
# How torch refuses statistics of a batch that has a single row.
_WANTS_MORE = "more than 1 value per channel"
# Python's, torch's, CUDA's and C++'s words for a lack of memory.
_MEMORY = ("MemoryError", "allocate memory", "out of memory", "bad_alloc")


@dataclass(frozen=True, kw_only=True)
class Crash:
    """An exception, with the innermost frame that lies in the user's project."""

    stage: str  # "import", "construction", "forward", "backward", "step", "generate"
    kind: str  # name of the exception's class
    message: str  # its text, first 500 characters
    path: str | None = None  # relative to the root; None: no frame of the user's project
    symbol: str = ""
    line: int | None = None
    statement: str = ""  # the text of that line, stripped
    raised_there: bool = False  # that line is a `raise` statement of the user's own
    shapes: tuple[str, ...] = ()  # "x [3, 7, 64]": tensors that were local there

    @property
    def is_mismatch(self) -> bool:
        """Whether two sizes do not fit."""
        return _MISMATCH.search(self.message) is not None

    @property
    def mixes_types(self) -> bool:
        """Whether float32 meets bfloat16 or the like, or such numbers cannot be handed on."""
        told = _TYPES.search(self.message) is not None
        return told and _CHOSEN.search(self.message) is not None

    @property
    def own(self) -> bool:
        """The user's code broke, rather than refused: a check of theirs states a requirement."""
        refuses = self.raised_there or self.kind == "AssertionError" or self.lacks_memory
        return self.path is not None and not refuses and _WANTS_MORE not in self.message

    @property
    def lacks_memory(self) -> bool:
        """Whether it asked for more memory than it may have, which is no fault of the code."""
        return tells_of_memory(f"{self.kind}: {self.message}")


def tells_of_memory(error: str) -> bool:
    """Whether an error, "KIND: MESSAGE", is about a lack of memory."""
    return any(word in error for word in _MEMORY)

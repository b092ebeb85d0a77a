"""Whether decoding with a cache or a state gives what the full forward pass gives."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class CachedDecoding(Measurement):
    """Probe cached-decoding.  Differences are relative to the largest logit."""

    # That takes the cache, or the position from which on it is filled; "": there is none, and
    # nothing was compared.
    parameter: str
    length: int  # tokens of the text
    prefix: int  # tokens that the first call got
    step_difference: float  # largest, one token a call
    chunk_difference: float | None  # the same, several tokens a call; None: it refuses those
    noise: float  # between full passes over the text and over a part of it
    position: int | None  # the first at which a step differs, counted from 0
    # The first module whose output differs there while what it was made of does not.
    module: str = ""  # its name in the model
    path: str = ""
    symbol: str = ""  # of its forward method
    line: int | None = None  # the first of it that gives something else
    # Where a step differs: a call after `before` tokens that left `left` behind, as code, and
    # what follows its `output` to read the logits, and what it leaves behind; "": nothing.
    call: str = ""
    logits: str = ""
    left: str = ""

    @property
    def place(self) -> Place | None:
        """The forward method of that module, and its line where that is known."""
        return Place(path=self.path, symbol=self.symbol, line=self.line) if self.path else None

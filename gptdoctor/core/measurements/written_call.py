"""How a test of the user's own makes a call that a probe made."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Value


@dataclass(frozen=True, kw_only=True)
class WrittenCall:
    """A call of a method that generates, as a test writes it.

    In it stand the functions of a test (`random_ids`, `known_logits`), the model as `model`, and
    the value of a temperature as `temperature`.
    """

    given: str  # statements before it, the last "ids = random_ids(batch=2, length=3)"
    call: str  # "model.generate(ids, max_new_tokens=1)"
    tokens: str  # the new tokens of that call, "model.generate(...)[:, 3:]"; "": not known

    @property
    def values(self) -> dict[str, Value]:
        """What a finding tells of it."""
        return {"given": self.given, "call": self.call, "tokens": self.tokens}


def values_of(call: WrittenCall | None) -> dict[str, Value]:
    """What a finding tells of a call that may not be known."""
    return {} if call is None else call.values

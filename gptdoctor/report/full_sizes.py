"""The sizes that a model's own file names, in words: parameters and memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.report.amounts import Values, size_in_bytes, thousands


@dataclass(frozen=True, kw_only=True)
class FullSize:
    """One configuration, as the facts tell of it."""

    name: str
    parameters: int  # 0: it could not be built
    weight_bytes: int
    gradient_bytes: int
    adamw_bytes: int
    check: str

    @property
    def training_bytes(self) -> int:
        """What training keeps, whatever the batch."""
        return self.weight_bytes + self.gradient_bytes + self.adamw_bytes


def full_sizes(facts: Values) -> tuple[FullSize, ...]:
    """All of a model; none where the lists are not of one length."""
    lists = [
        facts.names("full_sizes"),
        *(facts.numbers(key) for key in _NUMBERS),
        facts.names("full_size_checks"),
    ]
    if len({len(one) for one in lists}) != 1:
        return ()
    return tuple(
        FullSize(
            name=str(name),
            parameters=int(parameters),
            weight_bytes=int(weights),
            gradient_bytes=int(gradients),
            adamw_bytes=int(adamw),
            check=str(check),
        )
        for name, parameters, weights, gradients, adamw, check in zip(*lists, strict=True)
    )


_NUMBERS = ("parameters_full", "weight_bytes", "gradient_bytes", "adamw_bytes")


def full_size_sentences(facts: Values) -> Iterator[str]:
    """One sentence for each configuration."""
    for one in full_sizes(facts):
        if not one.parameters:
            yield f"`{one.name}` {one.check}"
            continue
        yield (
            f"`{one.name}` has {thousands(one.parameters)} parameters; "
            f"weights {size_in_bytes(one.weight_bytes)}, "
            f"gradients {size_in_bytes(one.gradient_bytes)}, "
            f"AdamW {size_in_bytes(one.adamw_bytes)}: "
            f"{size_in_bytes(one.training_bytes)} before activations; {one.check}"
        )


def full_size_cell(facts: Values) -> str | None:
    """The configurations in a few words, for a table; None where there is none."""
    told = [
        f"`{one.name}` {thousands(one.parameters)}, {size_in_bytes(one.training_bytes)} to train"
        for one in full_sizes(facts)
        if one.parameters
    ]
    return "; ".join(told) or None

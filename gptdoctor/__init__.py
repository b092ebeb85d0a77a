"""gptdoctor says whether a PyTorch GPT-like model can be trained, proves it, and repairs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from gptdoctor.integrations.examiner import Examiner as Examiner
    from gptdoctor.integrations.shown import ShownExamination

__all__ = ["Examiner", "__version__", "examine"]
__version__ = "0.1.0"


def examine(model: nn.Module, /, *inputs: Any, **named: Any) -> ShownExamination:
    """Examine a live model, called with these inputs or, without any, as is found out.

    It runs in this process, on copies: the model, random numbers and torch's settings are
    afterwards as they were. Every keyword is an input of the model; for settings there is
    `gptdoctor.Examiner(seed=..., timeout_seconds=...).examine(model)`.

    Raises gptdoctor.core.errors.UsageError where `model` is no module that can be copied.
    """
    from gptdoctor.integrations.examiner import Examiner

    return Examiner().examine(model, *inputs, **named)


def __getattr__(name: str) -> Any:
    """What is loaded only when it is asked for: torch is imported with it."""
    if name == "Examiner":
        from gptdoctor.integrations.examiner import Examiner

        return Examiner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

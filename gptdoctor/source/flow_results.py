"""Whether what a function returns goes on to where training uses it."""

from __future__ import annotations

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_training import Training
from gptdoctor.source.flow_uses import Uses


def result_used(function: Function, training: Training, gradients: Gradients) -> bool:
    """Whether some call on the training path uses what the function returns."""
    return any(
        site.handed_on or Uses(site.function, gradients).matters(site.node)
        for site in training.sites(function)
    )


def result_goes_on(function: Function, training: Training, gradients: Gradients) -> bool:
    """Whether the result may be used: by training itself, by a caller, or out of sight."""
    if training.is_entry(function) or not training.sites(function):
        return True
    return result_used(function, training, gradients)

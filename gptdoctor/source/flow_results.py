"""Whether what a function returns goes on to where training uses it."""

from __future__ import annotations

import ast

from gptdoctor.source.flow_calls import CallSite
from gptdoctor.source.flow_escapes import Escape
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_targets import end
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


def escape_goes_on(
    escape: Escape, function: Function, training: Training, gradients: Gradients
) -> bool:
    """The same of a value that leaves a part of the function.

    What is read in nothing but the function's own results is used where its callers use it.
    """
    if not escape.name:
        return result_goes_on(function, training, gradients)
    sites = training.sites(function)
    uses = Uses(function, gradients) if escape.read and sites else None
    items = [_item(one, uses) if uses else None for one in escape.read]
    if not items or any(one is None for one in items):
        return True
    return any(_takes(site, one, gradients) for site in sites for one in items)


def _item(read: ast.Name, uses: Uses) -> int | None:
    """Which item of a tuple that is returned a name is."""
    around = uses.parents.get(read)
    if isinstance(around, ast.Tuple) and isinstance(uses.parents.get(around), ast.Return):
        return next(index for index, one in enumerate(around.elts) if one is read)
    return None


def _takes(site: CallSite, item: int | None, gradients: Gradients) -> bool:
    """Whether a call uses that item of its result; what takes the whole is taken to."""
    uses = Uses(site.function, gradients)
    given = uses.parents.get(site.node)
    target = given.targets[0] if isinstance(given, ast.Assign) else None
    names = target.elts if isinstance(target, ast.Tuple) else []
    if site.handed_on or given is None or item is None or item >= len(names):
        return True
    name = names[item]
    return not isinstance(name, ast.Name) or uses.later(name.id, end(given))

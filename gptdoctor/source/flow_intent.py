"""Whether the text says that a stretch without gradients is meant to have none."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_switches import Switch
from gptdoctor.source.flow_targets import start
from gptdoctor.source.flow_training import Training
from gptdoctor.source.suppressions import MARK

# What a comment at the place says of layers that are not to learn.
COMMENT = re.compile(
    r"#.*\b(frozen|freez\w+|stop[- _]?grad\w*|(not|n't|never) (be )?train\w*)", re.I
)
# What a docstring says of a function through which no gradient is wanted.
WITHOUT = re.compile(
    r"\b(no|without( an?y?)?|stop(s|ped|ping)?)( the)?[- ]grad(ient)?s?\b"
    r"(?![- ](check|accum|clip|scal|norm|pen))"  # these are other things
    r"|\b(not|non)[- ]?differentiable\b",
    re.I,
)
# The same of one that training does not run; where it speaks of training as well, it serves both.
INFERENCE = re.compile(r"\b(for|at|during|in) inference\b|\binference[- ](only|time)\b", re.I)
TRAINING = re.compile(r"\btrain", re.I)
# Ids are made into text: after that there is nothing to train.
READING = re.compile(r"\b\w*(tokeni[sz]er|processor)\w*\s*\.\s*(batch_)?(decode|detokeni[sz]e)")


def is_meant(switch: Switch, training: Training) -> bool:
    """Whether a comment, a docstring or what is made of the values says so."""
    function, lines = switch.function, switch.function.module.lines
    first = max(start(switch.node)[0] - 2, 0)
    decorated = switch.form == "decorator"
    # In a whole function, comments may speak of other things.
    near = lines[first : function.node.lineno if decorated else switch.last[0]]
    near = [line.partition(MARK)[0] for line in near]  # why we are told to ignore it
    inside = "\n".join(lines[first : switch.last[0]])
    if any(map(COMMENT.search, near)) or READING.search(inside):
        return True
    return _says(function) or any(_says_without(site.function) for site in training.sites(function))


def _says(function: Function) -> bool:
    """Whether a function's docstring says that it has no gradient, or is not for training."""
    if _says_without(function):
        return True
    said = ast.get_docstring(function.node, clean=False) or ""
    return INFERENCE.search(said) is not None and TRAINING.search(said) is None


def _says_without(function: Function) -> bool:
    said = ast.get_docstring(function.node, clean=False) or ""
    return WITHOUT.search(said) is not None

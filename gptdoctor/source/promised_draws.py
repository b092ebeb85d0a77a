"""Tokens that a function promises to draw, and takes the likeliest of."""

from __future__ import annotations

import ast
import re

from gptdoctor.core.sampling_promises import sampling_promises
from gptdoctor.source.classes import parameters
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.generating import forward_behind, is_step
from gptdoctor.source.project import Project
from gptdoctor.source.temperature import NAME as TEMPERATURE
from gptdoctor.source.temperature import Frame, Sign, last_name, met
from gptdoctor.source.token_choice import (
    SAMPLING,
    is_greedy_by_choice,
    joins,
    leaves,
    loops_around,
    samples,
)
from gptdoctor.source.token_picks import Pick, picks

# With a number of tokens: without one, top_k may as well count the candidates that are returned.
_FILTER = re.compile(r"top_?[kp]|nucleus(_p)?")
_COUNT = re.compile(r"max_?(new|len|tok|steps)|(num|n|new|gen)_?(new_)?(tokens|steps|words)|length")
_COMMENT = re.compile(r"#[^\n]*")
# Helpers out of sight that may draw, or shake what the likeliest is taken of.
_MAY_DRAW = re.compile(rf"{SAMPLING.pattern}|noise|perturb|choose|pick|draw", re.IGNORECASE)


def greedy_pick(call: ast.Call, project: Project, function: Function) -> Pick | None:
    """The choice of the likeliest token that a call makes, each time that a model has run."""
    pick = next((one for one in picks(function) if one.call is call), None)
    if pick is None:
        return None
    if not _is_next_token(pick, function) and not _is_taken(pick, project, function):
        return None
    frame = Frame(project, function)
    if samples(frame) or _may_draw_elsewhere(function) or is_greedy_by_choice(pick, frame):
        return None
    signs = {one.sign for one in met(pick.operand, frame)}
    return None if signs & {Sign.NOISE, Sign.TEMPERATURE} else pick


def _is_next_token(pick: Pick, function: Function) -> bool:
    """Whether a choice is made of what a model says in each turn, and joined to the text."""
    loops = loops_around(pick, function)
    made = any(forward_behind(pick.operand, loop, function) for loop in loops)
    return made and joins(pick, function)


def _is_taken(pick: Pick, project: Project, function: Function) -> bool:
    """Whether a helper returns its choice among what it is given to loops that generate."""
    given = {one.sign for one in met(pick.operand, Frame(project, function))}
    if Sign.GIVEN not in given or not leaves(pick, function):
        return False
    sites = callers(project, function)
    return bool(sites) and all(is_step(site.node, site.function) for site in sites)


def _may_draw_elsewhere(function: Function) -> bool:
    calls = (one for one in own_nodes(function.node) if isinstance(one, ast.Call))
    return any(_MAY_DRAW.search(last_name(one.func)) for one in calls)


def may_promise(function: Function) -> bool:
    """Whether a helper's name says that it draws: the quickest question of `promises_of`."""
    return SAMPLING.search(function.name) is not None


def promises_of(function: Function) -> tuple[str, ...]:
    """What says that a function samples; nothing where it takes a temperature, or is greedy.

    What is wrong with a temperature is for other rules to tell.
    """
    given = [one.arg for one in parameters(function.node)]
    if any(TEMPERATURE.search(name) or name in ("T", "t") for name in given):
        return ()
    filters = [name for name in given if _FILTER.fullmatch(name.lower())]
    counted = any(_COUNT.match(name.lower()) for name in given)
    text = function.module.lines_of(function.node)
    remarks = " ".join(_COMMENT.findall(text)) if "#" in text else ""
    words = ast.get_docstring(function.node, clean=False) or ""
    return sampling_promises(function.name, given, filters if counted else [], words, remarks)

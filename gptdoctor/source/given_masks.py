"""What the callers of a function give for one of its parameters that is a mask."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.called_places import places_called
from gptdoctor.source.classes import parameters
from gptdoctor.source.flow_calls import callers_here
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

Given = tuple[ast.expr, Function]
_MASK = re.compile(r"mask|causal|visible|hidden_pos|bias", re.IGNORECASE)
# How a file looks that makes masks of its own; asked word by word, which is the fastest.
_MAKING = (
    *("= pad", ".ne(", "= self.pad", ".eq(", "attention_mask[:, None"),  # the usual ones first
    *("square_subsequent", "= PAD"),
)
# The same, each by a shorter text that all of them say and few files do.
_VARIED = {
    "tril": ("tril(", "tril_("),
    "triu": ("triu(", "triu_("),
    "!= 0": ("ids != 0", "src != 0", "tokens != 0"),
    "== 0": ("ids == 0", "src == 0", "tokens == 0"),
    "= lengths": (">= lengths",),
    "< lengths": ("< lengths",),
}
# What masks of positions are called that a function is given; one of heads, or of dropout, is not.
_OF_POSITIONS = re.compile(
    r"^(mask|(attn|attention|causal|padding|pad|src|tgt|key_padding)_?mask)$", re.IGNORECASE
)
MOST = 8  # calls: more are a library's


def given_for(project: Project, name: ast.Name, function: Function) -> tuple[Given, ...]:
    """What the calls in a function's own file give for the parameter that a name is.

    Nothing where it is none, or a call gives what is out of sight.
    """
    if _MASK.search(name.id) is None:
        return ()
    found = function.reaching(name)
    if len(found) != 1 or found[0].role is not Role.ARGUMENT or function.outer is not None:
        return ()
    return _given(project, function, name.id)


def is_position_mask(name: ast.Name, function: Function) -> bool:
    """Whether a name is a parameter that is called as masks of positions are."""
    if _OF_POSITIONS.match(name.id) is None:
        return False
    found = function.reaching(name)
    return [one.role for one in found] == [Role.ARGUMENT]


@kept(8)
def _makes_masks(module: SourceModule) -> bool:
    says = module.text.__contains__
    return any(map(says, _MAKING)) or any(
        says(short) and any(map(says, words)) for short, words in _VARIED.items()
    )


def _may_be_called(function: Function) -> bool:
    """Whether a file calls a function or hands it on, other than in its own definition.

    Of one that is called as its object is, the class has to be named besides.
    """
    text, owner = function.module.text, function.owner
    if not function.name.isascii() or (owner is not None and not owner.name.isascii()):
        return True  # Python reads some letters as others
    if len(places_called(function.name, text)) > 1:
        return True
    as_object = function.name in ("forward", "__call__") and owner is not None
    return as_object and owner is not None and text.count(owner.name) > 1


@kept(64)
def _given(project: Project, function: Function, name: str) -> tuple[Given, ...]:
    if name not in {one.arg for one in parameters(function.node)}:
        return ()
    if not _may_be_called(function) or not _makes_masks(function.module):
        return ()
    sites = callers_here(project, function)
    if not 0 < len(sites) <= MOST:
        return ()
    given: list[Given] = []
    for site in sites:
        value = site.argument(function, name)
        if value is None or any(one.arg is None for one in site.node.keywords):
            return ()
        given.append((value, site.function))
    return tuple(given)

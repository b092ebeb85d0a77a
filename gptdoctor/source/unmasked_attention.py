"""Attention without any mask in models that are to tell the next token.

That a mask is missing is shown by nothing that is there.  So all of these have to hold: the file
trains or generates token after token, the attention is of a text with itself, and no word of its
class speaks of a mask or of an order of positions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.attention_text import Did, Step, attentions_of
from gptdoctor.source.classes import ClassInfo, parameters
from gptdoctor.source.flow_calls import callers_here
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.imports import is_none
from gptdoctor.source.kept import kept
from gptdoctor.source.layer_calls import calls_of
from gptdoctor.source.mask_uses import SDPA, given_masks
from gptdoctor.source.next_tokens import tells_next
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

# Words of what hides positions, tells earlier ones from later ones, or is no position at all.
_ORDER = re.compile(
    r"mask|caus|tri[lu]\b|(None\]|unsqueeze\([-\d]+\)) *[<>]"
    r"|(?<!-)[<>]=? *\w+(\[.*None|\.unsqueeze)|bias\s*\[|decay|slope|window|prefix|hide|past|future"
    r"|expert|rout|channel|modal|slot|pool",
    re.IGNORECASE,
)
# A mask of padding hides no order, nor does one that is None: their names do not count.
_PADDING = re.compile(
    r"\w*pad\w*mask\w*|\w*mask\w*pad\w*|is_causal ?= ?False|attn_mask ?= ?None", re.IGNORECASE
)
# What a step may do to scores without hiding any of them.
_PLAIN = frozenset({Did.PRODUCT, Did.MULTIPLIED, Did.DIVIDED, Did.RESHAPED})
_LAYERS = ("TransformerEncoder", "TransformerEncoderLayer", "MultiheadAttention")


def calls_without_mask(
    project: Project, info: ClassInfo, layer: ast.Call, name: str
) -> Iterator[tuple[ast.Call, Function]]:
    """The calls of `self.NAME`, a layer of torch.nn, that let each position see the whole text."""
    last = (info.module.names.called(layer) or "").removeprefix("torch.nn.")
    if not name or last not in _LAYERS or not _may_leak(project, info):
        return
    for call, function in calls_of(project, info, name):
        masks = never_given(project, function)
        given = [text_of(one) for one in call.args if text_of(one) not in masks]
        alone = len(given) == 1 if last != "MultiheadAttention" else len(given) == 3
        if alone and len(set(given)) == 1 and not isinstance(call.args[0], ast.Starred):
            yield call, function


def shows_all(project: Project, function: Function, call: ast.Call) -> bool:
    """Whether a softmax or a call of torch's attention lets each position see the whole text."""
    own = function.owner
    # A method that is given one value beside itself makes queries and keys of that one.
    if own is None or function.outer is not None:
        return False
    count = len(parameters(function.node))
    if count - len(_left_out(function)) > 1:
        return False  # as most: who calls them need not be looked for
    masks = never_given(project, function)
    if count - len(masks) != 1:
        return False
    if not _may_leak(project, own):
        return False
    if function.module.names.called(call) == SDPA:
        named = (one for one in call.keywords if text_of(one.value) not in masks)
        return len(call.args) == 3 and all(map(_hides_nothing, named))
    return any(
        one.softmax is call
        and one.sure
        and all(step.did in _PLAIN or _is_by(step, masks, function) for step in one.scores)
        for one in attentions_of(project, function)
    )


@kept(16)
def never_given(project: Project, function: Function) -> frozenset[str]:
    """The masks that a method may be given, and that no call of it in its file gives."""
    masks = _left_out(function)
    sites = callers_here(project, function) if masks else []
    if not sites or any(_spreads(site.node) for site in sites):
        return frozenset()
    return frozenset(
        name for name in masks if all(site.argument(function, name) is None for site in sites)
    )


def _left_out(function: Function) -> set[str]:
    """The masks that a function may be called without."""
    arguments = function.node.args
    with_defaults = zip(reversed(arguments.args), reversed(arguments.defaults), strict=False)
    return {one.arg for one, default in with_defaults if "mask" in one.arg and is_none(default)}


def _spreads(call: ast.Call) -> bool:
    stars = any(isinstance(one, ast.Starred) for one in call.args)
    return stars or any(one.arg is None for one in call.keywords)


def _text_that_runs(project: Project, info: ClassInfo) -> str:
    """The lines of a class, but those about a mask that its forward is never given."""
    forward = info.methods.get("forward")
    if forward is None or "mask" not in info.text:
        return info.text
    masks = never_given(project, functions_of(project, info.module)[forward])
    words = [re.compile(rf"\b{name}\b") for name in masks]
    lines = info.text.split("\n") if words else []
    plain = [line for line in lines if not any(word.search(line) for word in words)]
    return "\n".join(plain) if words else info.text


def _is_by(step: Step, masks: frozenset[str], function: Function) -> bool:
    """Whether a step hides what a mask says that is never there."""
    return any(
        any(isinstance(one, ast.Name) and one.id in masks for one in every_node(given))
        for given, _ in given_masks(step, function)
    )


def _hides_nothing(given: ast.keyword) -> bool:
    """Whether a keyword of an attention leaves all positions in sight."""
    off = isinstance(given.value, ast.Constant) and not given.value.value
    return given.arg in ("dropout_p", "scale") or (given.arg in ("attn_mask", "is_causal") and off)


def _may_leak(project: Project, info: ClassInfo) -> bool:
    """Whether the text of a class hides nothing, and its file tells the next token."""
    # Once for a file, and most files say soon that they read something else.
    if not tells_next(project, info.module):
        return False
    if _ORDER.search(_PADDING.sub("", _text_that_runs(project, info))):
        return False
    return not any(_ORDER.search(base.text) for base in project.bases(info))

"""Attention without any mask in models that are to tell the next token.

That a mask is missing is shown by nothing that is there.  So all of these have to hold: the file
trains or generates token after token, the attention is of a text with itself, and no word of its
class speaks of a mask or of an order of positions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.attention_text import Did, attentions_of
from gptdoctor.source.classes import ClassInfo, parameters
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.generating import CHOOSING, steps_in
from gptdoctor.source.kept import kept
from gptdoctor.source.label_offsets import pairing
from gptdoctor.source.loss_calls import loss_of, may_call_losses
from gptdoctor.source.mask_uses import SDPA, own_calls
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

# Words of what hides positions, tells earlier ones from later ones, or is no position at all.
_ORDER = re.compile(
    r"mask|caus|tri[lu]\b|arange\(.*\[|bias\s*\[|decay|slope|window|prefix|hide|past|future"
    r"|expert|rout|channel|modal|slot|pool",
    re.IGNORECASE,
)
# Words of files in which something else is read than the text that is written.
_ELSE = re.compile(
    r"bidirectional|\bmlm\b|masked_l|\bbert|diffus|denois|auto_?enc|\bvae\b|reconstr|seq2seq"
    r"|translat|TransformerDecoder|cross_?att|\bsrc\b|memory|image|vision|audio|patch|graph"
    r"|enc_?dec|enc(oder)?_(out|hid|state)",
    re.IGNORECASE,
)
# An encoder beside a decoder looks all round by design.
_PAIR = tuple(re.compile(rf"class \w*{word}", re.IGNORECASE) for word in ("encod", "decod"))
# What a step may do to scores without hiding any of them.
_PLAIN = frozenset({Did.PRODUCT, Did.MULTIPLIED, Did.DIVIDED, Did.RESHAPED})
_LAYERS = ("TransformerEncoder", "TransformerEncoderLayer", "MultiheadAttention")


def calls_without_mask(
    project: Project, info: ClassInfo, layer: ast.Call, name: str
) -> Iterator[tuple[ast.Call, Function]]:
    """The calls of `self.NAME`, a layer of torch.nn, that let each position see the whole text."""
    last = (info.module.names.called(layer) or "").removeprefix("torch.nn.")
    if last not in _LAYERS or not _may_leak(project, info):
        return
    for call, function in own_calls(project, info).get(name, []):
        given = [text_of(one) for one in call.args]
        alone = len(given) == 1 if last != "MultiheadAttention" else len(given) == 3
        if alone and len(set(given)) == 1 and not isinstance(call.args[0], ast.Starred):
            yield call, function


def shows_all(project: Project, function: Function, call: ast.Call) -> bool:
    """Whether a softmax or a call of torch's attention lets each position see the whole text."""
    own = function.owner
    # A method that is given one value beside itself makes queries and keys of that one.
    if own is None or function.outer is not None or len(parameters(function.node)) != 1:
        return False
    if not _may_leak(project, own):
        return False
    if function.module.names.called(call) == SDPA:
        return len(call.args) == 3 and all(one.arg == "dropout_p" for one in call.keywords)
    return any(
        one.softmax is call and one.sure and all(step.did in _PLAIN for step in one.scores)
        for one in attentions_of(project, function)
    )


def _may_leak(project: Project, info: ClassInfo) -> bool:
    """Whether the text of a class hides nothing, and its file tells the next token."""
    if _ORDER.search(info.text) or not tells_next(project, info.module):
        return False
    return not any(_ORDER.search(base.text) for base in project.bases(info))


@kept(8)
def tells_next(project: Project, module: SourceModule) -> bool:
    """Whether a file trains a model on the next token of a text, or draws one after the other."""
    if _ELSE.search(module.text) or all(one.search(module.text) for one in _PAIR):
        return False
    draws = any(map(module.text.__contains__, CHOOSING))
    return any(
        (draws and steps_in(function)) or _trains(function)
        for function in functions_of(project, module).values()
    )


def _trains(function: Function) -> bool:
    """Whether a function takes a loss of each position with the token after it."""
    if not may_call_losses(function):
        return False
    found = (
        loss_of(one, function) for one in own_nodes(function.node) if isinstance(one, ast.Call)
    )
    pairs = (pairing(loss) for loss in found if loss is not None and loss.kind == "cross_entropy")
    return any(
        one is not None and one.offset == 1 and one.scores.slices and one.labels.slices
        for one in pairs
    )

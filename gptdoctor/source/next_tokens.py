"""Whether a file's models are to tell the next token of a text, by how it trains or uses them."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.generating import CHOOSING, steps_in
from gptdoctor.source.kept import kept
from gptdoctor.source.label_offsets import pairing
from gptdoctor.source.loss_calls import loss_of, may_call_losses, says_loss
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

# Words of files in which something else is read than the text that is written.
_ELSE = re.compile(
    r"bidirectional|\bmlm\b|masked_l|\bbert|diffus|denois|auto_?enc|\bvae\b|reconstr|seq2seq"
    r"|translat|TransformerDecoder|cross_?att|\bsrc\b|memory|image|vision|audio|patch|graph"
    r"|enc_?dec|enc(oder)?_(out|hid|state)|\bcrf|tagger|emission",
    re.IGNORECASE,
)
# The argument of a recurrent layer: what it says of the file is what is asked.
_ARGUMENT = re.compile(r"\bbidirectional ?= ?True\b")
# An encoder beside a decoder looks all round by design.
_PAIR = tuple(re.compile(rf"class \w*{word}", re.IGNORECASE) for word in ("encod", "decod"))
# One row, but its last token and but its first: `ids[:, :-1]` with `ids[:, 1:]`.
_SHIFT = re.compile(r"\b(\w+)\[(?:\.\.\.|:), ?:-1\][\s\S]{1,400}?\b\1\[(?:\.\.\.|:), ?1:\]")
# The same of one text alone; lists of sizes are cut like that as well.
_SHIFTED_TEXT = re.compile(
    r"\b(\w*(?:ids|tok|chunk|seq|data|text|sample|window|buf|sent|line|words|chars)\w*)\[:-1\]"
    r"[\s\S]{1,400}?\b\1\[1:\]"
)
# What a decoder is given beside what an encoder has read, and what tags tokens that are there.
_BESIDE = re.compile(r"^(tgt|trg|target\w*|dec\w*|labels?|tags?|summar\w*|caption\w*|y)$")
# The same of a long text: `text[i : i + n]` with `text[i + 1 : i + n + 1]`.
_WINDOWS = re.compile(
    r"\b(\w+)\[(\w+) ?:[^\]\n]{1,60}\][\s\S]{1,300}?\b\1\[\2 ?\+ ?1 ?:[^\]\n]{1,60}\]"
)
# What a model of this kind calls itself.
_NAMED = re.compile(
    r"class \w*(GPT|CausalLM|LanguageModel|Lm\b|LM\b)|(?<!non-)(?<!non)\bautoregressive"
    r"|\bnext[- _](token|char(acter)?|word|byte)"
    r"|\"\"\"(?![^\"\n]*pre-?trained)[^\"\n]{0,100}\blanguage model"
)
_LOSS = ("cross_entropy", "CrossEntropyLoss")


@kept(16)
def tells_next(project: Project, module: SourceModule, *, both_ways: bool = False) -> bool:
    """Whether a file trains a model on the next token of a text, or draws one after the other.

    `both_ways`: a layer that reads both ways is no sign of another task.
    """
    draws = any(map(module.text.__contains__, CHOOSING))
    if not draws and not says_loss(module):
        return False  # neither a draw nor a loss: no word need be weighed
    text = _ARGUMENT.sub("", module.text) if both_ways else module.text
    if _ELSE.search(text) or all(one.search(text) for one in _PAIR):
        return False
    losses = any(map(text.__contains__, _LOSS)) and "Embedding(" in text
    if losses and (_NAMED.search(text) or _pairs_rows(text)):
        return True
    return any(
        (draws and steps_in(function)) or _trains(function)
        for function in functions_of(project, module).values()
    )


def _pairs_rows(text: str) -> bool:
    """Whether a row is cut at its end and at its beginning; asked by the cheapest words first."""
    if ":-1]" in text and "1:]" in text:
        rows = (found[1] for found in _SHIFT.finditer(text))
        if any(_BESIDE.match(name) is None for name in rows) or _SHIFTED_TEXT.search(text):
            return True
    return ("+ 1 :" in text or "+1:" in text or "+ 1:" in text) and bool(_WINDOWS.search(text))


def _trains(function: Function) -> bool:
    """Whether a function takes a loss of each position with the token after it."""
    if not may_call_losses(function):
        return False
    found = (
        loss_of(one, function) for one in own_nodes(function.node) if isinstance(one, ast.Call)
    )
    pairs = (pairing(loss) for loss in found if loss is not None and loss.kind == "cross_entropy")
    return any(
        one is not None
        and one.offset == 1
        and bool(one.labels.slices)
        and bool(one.own or one.scores.slices)
        for one in pairs
    )

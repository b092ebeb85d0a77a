"""The masks over tokens that a call takes, and what their names and words promise."""

from __future__ import annotations

import inspect
import re
import tokenize

from gptdoctor.probes.instruments.loaded_text import text_of
from gptdoctor.probes.instruments.texts import Text
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.specimen import Specimen

_TOKEN_MASK = re.compile(
    r"mask|(?:attention|attn|input|token|text|src|source|seq|sequence|valid|encoder|decoder"
    r"|decoder_attention|encoder_attention)_mask"
    r"|(?:\w+_)?(?:key_)?pad(?:ding)?_mask|padding"
)
_PADDING = re.compile(r".*pad.*")
_ATTENTION = re.compile(r"(?:decoder_|encoder_)?attention_mask|attn_mask|input_mask|valid_mask")
# "True = padding", "1 for padded tokens", "1 where a position is padding"
_SAYS_PADDED = (
    r"\b(?:{})\b\W+(?:(?:is|are|for|where|at|means?|marks?|indicates?)\W+)?"
    r"(?:(?:an?|the|tokens?|positions?)\s+)*(?:(?:is|are)\s+)?pad"
)
_ONE_PADS = re.compile(_SAYS_PADDED.format("True|1|ones?"), re.IGNORECASE)
_ZERO_PADS = re.compile(_SAYS_PADDED.format("False|0|zeros?"), re.IGNORECASE)
_UNUSED = re.compile(
    r"not (?:currently )?used|unused|ignored|no effect|kept for compat", re.IGNORECASE
)


def mask_names(specimen: Specimen) -> list[str]:
    """The parameters of the entry that take masks over tokens, the likeliest first."""
    facts = (*specimen.construction.inputs, *specimen.construction.optional_inputs)
    names = [fact.name for fact in facts if fact.kind == "mask" or "padding" in fact.name]
    fitting = [name for name in dict.fromkeys(names) if _TOKEN_MASK.fullmatch(name)]
    fitting = [name for name in fitting if not _of_what_is_left_out(specimen, name)]
    return sorted(fitting, key=lambda name: (not _PADDING.match(name), not _ATTENTION.match(name)))


def _of_what_is_left_out(specimen: Specimen, name: str) -> bool:
    """Whether a mask is about an encoder's text or states, and the call is given none."""
    found = re.match(r"(?:encoder|source|src)_", name)
    if found is None:
        return False
    construction = specimen.construction
    given = any(fact.name.startswith(found[0][:-1]) for fact in construction.inputs)
    others = (fact.name for fact in construction.optional_inputs if fact.kind != "mask")
    return not given and any(other.startswith(found[0]) for other in others)


def promise_of(specimen: Specimen, name: str) -> str:
    """Which number of a mask stands for a real token, "one" or "zero"; "": nobody says.

    Its name says so, or a line of the entry's text that names it.
    """
    if re.search(r"key_padding_mask", name):
        return "zero"  # torch's own convention: True for what is padded
    return "one" if _ATTENTION.fullmatch(name) else said_of(specimen, name)


def said_of(specimen: Specimen, name: str) -> str:
    """What the comments and the docstring of the entry say of a mask, as `promise_of` tells it."""
    entry = inspect.unwrap(getattr(type(specimen.model), specimen.target.entry, _nothing))
    code = getattr(entry, "__code__", None)
    if code is None or project_path(code.co_filename, specimen.root) is None:
        return ""
    lines = text_of(code.co_filename).splitlines(keepends=True)[code.co_firstlineno - 1 :]
    try:
        lines = inspect.getblock(lines)
    except (SyntaxError, tokenize.TokenError):  # the file changed after it was loaded
        return ""
    named = (re.split(rf"\b{re.escape(name)}\b", line, maxsplit=1) for line in lines)
    words = [parts[1] for parts in named if len(parts) > 1]
    said = {
        promise
        for pattern, promise in ((_ONE_PADS, "zero"), (_ZERO_PADS, "one"))
        if any(pattern.search(one) for one in words)
    }
    return said.pop() if len(said) == 1 else ""


def _nothing() -> None:
    """Stands for an entry that the class does not define."""


def masked_text(specimen: Specimen, name: str, text: Text) -> Text:
    """The text that the mask is about: an encoder's where the call has one of its own."""
    decoder = re.match(r"dec|tgt|trg|target", text.name)
    if decoder is None or re.match(r"dec|tgt|trg|target", name):
        return text
    for fact in specimen.construction.inputs:
        if fact.kind == "ids" and fact.name != text.name:
            batch = specimen.batch_dimensions.get(fact.name, 0)
            return Text(name=fact.name, batch_dimension=batch, time_dimension=1 - batch)
    return text


def says_unused(specimen: Specimen, name: str) -> bool:
    """Whether the entry's documentation says that the mask is not used."""
    words = inspect.getdoc(getattr(type(specimen.model), specimen.target.entry, None)) or ""
    words += inspect.getdoc(type(specimen.model)) or ""
    at = words.find(name)
    return at >= 0 and _UNUSED.search(words[at : at + 400]) is not None

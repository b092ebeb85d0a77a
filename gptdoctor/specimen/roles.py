"""What each parameter of a model's entry wants, told by its name, its type and its default."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from gptdoctor.specimen.hints import hint_of, is_plain
from gptdoctor.specimen.on_device import bridged

# In this order: the first pattern that matches the whole name wins.
_KINDS = (
    (
        "labels",
        r"labels?|targets?|y|gold|ground_truth|(?:lm|target|next|shifted)_(?:labels?|tokens?|ids)",
    ),
    # Another way to give the text: given with the ids it would be refused.
    ("other", r"(?:inputs?|token|decoder_inputs?)_embed(?:s|ding|dings)?|inputs_embeds"),
    # What earlier calls left behind, and kinds of tokens.
    (
        "other",
        r".*(?:past|cache|kv|token_type|segment|memory|mems?).*|.*(?:hidden|prev)?_?states?"
        r"|carry|hx",
    ),
    ("mask", r".*mask.*"),
    ("positions", r"pos(?:_?ids?)?|positions?|.*position.*|(?:input|start|token)_pos|offset|step"),
    ("image", r".*(?:image|img|pixel|visi|visual|picture|patches|video|frames).*"),
    ("audio", r".*(?:audio|mel|speech|sound|wave|spectro|acoustic).*"),
    ("features", r".*(?:feats?|features?|embeds?|embedding|encoder_out(?:puts?)?|context|cond).*"),
    (
        "ids",
        r"x|idx|.*(?:ids?|idx|tokens?|text|words?|prompt|chunk|seqs?|sequence)|seq_(?:in|out)|inputs?|in_idx|inp"
        r"|(?:src|tgt|trg)(?:_(?:in|inp|inputs?|seq|words?|text))?|source|dec(?:oder)?_inputs?|enc(?:oder)?_inputs?|batch_x|chars?",
    ),
)
_TABLE = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)
_STATES = tuple(pattern for kind, pattern in _TABLE if kind == "other")
# The ids that an encoder-decoder continues, rather than those it reads.
_CONTINUED = re.compile(r"tgt.*|trg.*|dec.*|target_.*|seq_out")
# Parameters that hold inputs rather than being one.
_HOLDERS = re.compile(r"batch|data|samples?|parts|modalities|streams|args|kwargs")
_HELD = re.compile(r"(?:typing\.)?(?:dict|Dict|list|List|Mapping|Sequence|tuple|Tuple)\b")
# Of those, names that a text alone has as well, where the entry takes nothing out of it.
_WHOLE = re.compile(r"batch|data|samples?")
# Names that are given to ids and to nothing else.
_SURE = re.compile(r".*(?:ids?|idx|tokens?|words?|text|prompt)")
# A switch of the entry that makes it return its loss.
_LOSS_FLAG = re.compile(r"(?:return|compute|calculate|with|get)_(?:\w+_)?loss")
MODALITIES = frozenset({"image", "audio", "features"})


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One parameter of the entry."""

    name: str
    kind: str  # as `InputFact.kind`, and "flag" for what is no tensor
    required: bool
    annotation: str  # its text, "" where there is none
    spread: bool = False  # `*inputs`: given by position
    wants: type | None = None  # a class of the user's own that the annotation names


def slots_of(entry: Callable[..., Any]) -> tuple[Slot, ...]:
    """The parameters of the bound method `entry`; exactly one kind each, ids at least once."""
    parameters = inspect.signature(entry).parameters.values()
    slots = [_slot(parameter, entry) for parameter in parameters if _is_usable(parameter)]
    if any(slot.kind == "ids" for slot in slots):
        return tuple(slots)
    return tuple(_with_ids(slots))


def continued(slots: tuple[Slot, ...]) -> Slot | None:
    """The slot of the ids that the logits are predictions about."""
    ids = [slot for slot in slots if slot.kind == "ids"]
    decoder = [slot for slot in ids if _CONTINUED.fullmatch(slot.name.lower())]
    return next(iter([*decoder, *ids]), None)


def taken_for_ids(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """The slots where the first is the ids if it is called `data` and holds nothing but them."""
    first = next(iter(slots), None)
    if first is None or first.kind == "ids" or _HELD.match(first.annotation):
        return slots
    whole = first.required and _WHOLE.fullmatch(first.name.lower()) is not None
    return (replace(first, kind="ids"), *slots[1:]) if whole else slots


def kind_of(name: str) -> str:
    """The kind of an input called `name`."""
    lowered = name.lower().strip("_")
    return next((kind for kind, pattern in _TABLE if pattern.fullmatch(lowered)), "other")


def is_state(name: str) -> bool:
    """Whether the name is known to mean something that is not given to a first call."""
    return any(pattern.fullmatch(name.lower()) for pattern in _STATES)


def names_ids(name: str) -> bool:
    """Whether only ids are called so; `x` and `inputs` may be anything."""
    return _SURE.fullmatch(name.lower()) is not None


def asks_for_loss(slot: Slot) -> bool:
    """Whether a parameter is a switch that makes the entry return its loss."""
    return slot.kind == "flag" and _LOSS_FLAG.fullmatch(slot.name) is not None


def holds_inputs(name: str, annotation: str) -> bool:
    """Whether a parameter takes more than one input in one value."""
    return bool(_HOLDERS.fullmatch(name) or _HELD.match(annotation))


def entry_of(model: nn.Module, name: str) -> Callable[..., Any]:
    """What runs `model`, wherever it is: itself for `forward`, with its hooks, or the method."""
    return model if name == "forward" else bridged(getattr(model, name), model)


def signature_of(model: nn.Module, name: str) -> Callable[..., Any]:
    """The bound method that tells the parameters of the entry."""
    return getattr(model, name)  # type: ignore[no-any-return]


def _is_usable(parameter: inspect.Parameter) -> bool:
    return parameter.kind is not inspect.Parameter.VAR_KEYWORD


def _slot(parameter: inspect.Parameter, entry: Callable[..., Any]) -> Slot:
    annotation = parameter.annotation
    told = annotation is not inspect.Parameter.empty
    text = str(getattr(annotation, "__name__", annotation)) if told else ""
    spread = parameter.kind is inspect.Parameter.VAR_POSITIONAL
    hint = hint_of(annotation, entry) if told else None
    return Slot(
        name=parameter.name,
        kind="flag" if _is_flag(parameter, text) else kind_of(parameter.name),
        required=parameter.default is inspect.Parameter.empty and not spread,
        annotation=text,
        spread=spread,
        wants=None if hint is None or is_plain(hint) else hint,
    )


def _is_flag(parameter: inspect.Parameter, annotation: str) -> bool:
    """Whether the parameter takes a plain value: by its type, or by its default."""
    plain = re.fullmatch(r"(?:Optional\[)?(?:bool|int|float|str)\]?(?: \| None)?", annotation)
    return plain is not None or isinstance(parameter.default, bool | int | float | str)


def _with_ids(slots: list[Slot]) -> Iterator[Slot]:
    """The slots with the first that could be ids taken for them."""
    taken = False
    for slot in slots:
        fits = slot.kind in ("other", "features") and (slot.required or slot.spread)
        fits = fits and not holds_inputs(slot.name, slot.annotation)
        if fits and not taken:
            taken = True
            yield Slot(**{**vars(slot), "kind": "ids"})
        else:
            yield slot

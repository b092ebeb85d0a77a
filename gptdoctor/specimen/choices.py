"""What is given for the parameters of an entry that must be given."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import nn

from gptdoctor.specimen.class_labels import CLASS_FORMS
from gptdoctor.specimen.forms import Form, Promised
from gptdoctor.specimen.roles import MODALITIES, Slot

# What is given for required parameters that are no ids: each in turn, the likeliest first.
_NOTHING = Form(shape=None)
_CHOICES: Mapping[str, tuple[Form, ...]] = {
    "positions": (Form(shape=("B", "T"), fill="arange"), Form(shape=("T",), fill="arange")),
    "labels": (_NOTHING,),
    # segments, or a number for each token
    "other": (_NOTHING, Form(shape=("B", "T"), below=2), Form(shape=("B", "T"))),
}
# Over the tokens of each row: 1 or True for a token, in torch's own layers False.
_TOKEN_MASKS = tuple(Form(shape=("B", "T"), fill=fill) for fill in ("ones", "true", "false"))
# Over pairs of positions: what may be seen, what may not, what is added to scores.
_PAIR_MASKS = tuple(
    Form(shape=shape, fill=fill)
    for shape in (("T", "T"), ("B", 1, "T", "T"))
    for fill in ("causal", "future", "added", "causal ones")
)
_TOKEN_MASK = re.compile(r".*(?:pad|key|valid|input_|attention_mask|src_mask).*")
_BOOLEAN_MASKS = (Form(shape=("B", "T"), fill="true"), Form(shape=("T", "T"), fill="causal"))
# How many tokens of each row are text: all of them.
_LENGTHS = re.compile(r"(?:\w+_)?(?:seq_?)?(?:lens?|lengths?)")
# How a method is called that makes the state a first call starts with.
_MAKES = r"_?(?:create|init|initial|make|new|get|get_initial|empty|zero|begin|build)_{}s?"
_CACHE_FLAG = "use_cache"
_OFF = Form(shape=None, constant=False)
_FLAG_VALUES = {"bool": False, "int": 0, "float": 1.0, "str": ""}


def required_forms(
    model: nn.Module, slots: tuple[Slot, ...], ids: Slot, vocabulary: int
) -> Iterator[dict[str, Form]]:
    """Forms for the parameters that must be given, in a few combinations."""
    ids_form = Form(shape=("B", "T"), below=vocabulary)
    needed = [slot for slot in slots if (slot.required or slot is ids)]
    needed = [slot for slot in needed if slot.kind not in MODALITIES]
    choices = {slot.name: _choices(model, slot, ids_form) for slot in needed}
    for index in range(max(len(forms) for forms in choices.values())):
        yield {name: forms[min(index, len(forms) - 1)] for name, forms in choices.items()}
    every = {slot.name: ids_form for slot in slots if slot.kind == "ids"}
    if not every.keys() <= choices.keys():  # an encoder and a decoder, neither of them required
        yield {name: forms[0] for name, forms in choices.items()} | every
    # A training step keeps no cache, and some models make one that they cannot use.
    if any(slot.name == _CACHE_FLAG and not slot.required for slot in slots):
        yield {name: forms[0] for name, forms in choices.items()} | {_CACHE_FLAG: _OFF}


def _choices(model: nn.Module, slot: Slot, ids_form: Form) -> tuple[Form, ...]:
    """The forms of one parameter, the likeliest first."""
    if slot.kind == "mask" and slot.wants is not None:
        return tuple(replace(form, wrap=slot.wants) for form in _BOOLEAN_MASKS)
    if slot.kind == "mask":
        over_tokens = _TOKEN_MASK.fullmatch(slot.name.lower()) is not None
        first, second = (_TOKEN_MASKS, _PAIR_MASKS)[:: 1 if over_tokens else -1]
        return (*first, *second, _NOTHING)
    if slot.kind == "other" and _LENGTHS.fullmatch(slot.name.lower()):
        return (Form(shape=("B",), fill="lengths"), *_CHOICES["other"])
    made = _made_by(model, slot.name) if slot.kind == "other" else None
    if made is not None:
        return (Form(shape=None, made_by=made),)
    if slot.kind == "ids":
        return (ids_form,)
    if slot.kind == "flag":
        return (Form(shape=None, constant=_FLAG_VALUES.get(slot.annotation)),)
    if slot.kind == "labels":
        return (_NOTHING, ids_form, *CLASS_FORMS)
    if slot.kind == "positions" and any(word in slot.name for word in ("start", "offset", "step")):
        return (Form(shape=None, constant=0),)
    return _CHOICES[slot.kind]


def _made_by(model: nn.Module, name: str) -> Promised | None:
    """What makes the first state that the parameter `name` wants: `model.init_hidden(batch)`."""
    pattern = re.compile(_MAKES.format(re.escape(name.removesuffix("s"))), re.IGNORECASE)
    method = next((each for each in dir(type(model)) if pattern.fullmatch(each)), None)
    if method is None:
        return None
    parameters = inspect.signature(getattr(model, method)).parameters.values()
    asked = (
        parameter.name
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty or "batch" in parameter.name
    )
    return Promised(method=method, names=tuple(asked))

"""Signs that a position may see later ones by design."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

from torch import Tensor, nn

from gptdoctor.probes.instruments.lengths import named_values
from gptdoctor.specimen.specimen import Specimen

# Names of models and of their parts that promise nothing about the future.
_OTHERWISE = re.compile(
    r"bert|mlm|masked_?l(?:m|anguage)|bidirectional|diffusion|denois|prefix|xlnet|electra|"
    r"non_?causal|noncausal|fnet|perceiver|classifi|tagger|in_?fill|insertion"
    r"|flow_?match|discriminator",
    re.IGNORECASE,
)
_ENCODER = re.compile(r"encoder(?!.*decoder)", re.IGNORECASE)
_PROMISE = re.compile(
    r"causal|gpt|llama|autoregress|auto_regress|decoder_?only|next_?token", re.IGNORECASE
)
_CAUSAL_FLAG = re.compile(
    r"(?:is_|use_|with_|apply_)?(?:causal(?:_mask|_attention|ity)?|autoregressive|unidirectional)"
    r"|is_decoder"
)
_OPEN_FLAG = re.compile(r"(?:is_|use_)?bi_?dir(?:ectional)?|(?:full|bidirectional)_attention")
_TIME_INPUT = re.compile(r"t|ts|timesteps?|time_?steps?|sigma|noise_?level|diffusion_step")
_MASK_TOKEN = re.compile(r"mask_(?:token|id|idx|index|token_id)|mask_emb(?:edding)?")
_CORRUPTING = re.compile(
    r".*(?:mask_tokens|corrupt|random_mask|mlm|denois|q_sample|add_noise|unmask).*"
)
_TOLD = re.compile(
    r"bidirectional|masked[- ]language|non-?causal|not causal|denois|diffusion|prefix[- ]lm",
    re.IGNORECASE,
)


def look_ahead_reason(specimen: Specimen, model: nn.Module) -> str:
    """Why the model may look ahead by design, in words; "": nothing says so.

    What the user says of it (`causal` in pyproject.toml) is no matter of this.
    """
    return next(iter(_reasons(specimen, model)), "")


def is_called_causal(specimen: Specimen, model: nn.Module) -> bool:
    """Whether the name of the model promises that no position sees later ones."""
    return any(_PROMISE.search(each) for each in (specimen.target.name, type(model).__name__))


def _reasons(specimen: Specimen, model: nn.Module) -> Iterator[str]:
    name = specimen.target.name
    kinds = {type(module).__name__ for module in model.modules() if _is_users(module)}
    if _copies_the_future(specimen, model):
        yield "its encoder is given the text that its decoder continues"
    if any(_TIME_INPUT.fullmatch(slot) for slot in _inputs(specimen)):
        yield "it takes a step of diffusion"
    promised = is_called_causal(specimen, model)
    told = _declared(model, specimen.construction.build)
    if told and (not promised or "config" in told):
        yield told
    if promised:
        return
    for each in (name, type(model).__name__, *sorted(kinds)):
        if _OTHERWISE.search(each) and not re.search("causal", each, re.IGNORECASE):
            yield f"it is called {each}" if each == name else f"it is made with {each}"
    if _ENCODER.search(name) or _ENCODER.search(type(model).__name__):
        yield f"it is called {name}"
    yield from _masking(model)


def _is_users(module: nn.Module) -> bool:
    return not type(module).__module__.startswith("torch.")


def _inputs(specimen: Specimen) -> Iterator[str]:
    yield from (fact.name for fact in specimen.construction.inputs)
    if specimen.recipe is not None:
        yield from (slot.name for slot in specimen.recipe.slots if slot.required)


def _copies_the_future(specimen: Specimen, model: nn.Module) -> bool:
    """Whether one text is read by an encoder and, in the same call, continued by a decoder."""
    config = getattr(model, "config", None)
    given = [fact.name for fact in specimen.construction.inputs]
    decoder = any(re.match(r"dec|tgt|trg|target_", each) for each in given)
    return bool(getattr(config, "is_encoder_decoder", False)) and not decoder


def _declared(model: nn.Module, build: str) -> str:
    """What a flag of the model says, where no other says the opposite; "": nothing.

    `build` is the code that made the model.
    """
    config = getattr(model, "config", None)
    if getattr(config, "is_decoder", None) is False and "is_decoder" in vars(config):
        return "config.is_decoder is False"
    closed = [
        (name, value)
        for name, value in named_values(model)
        if isinstance(value, bool) and _CAUSAL_FLAG.fullmatch(name)
    ]
    if closed and not any(value for _, value in closed):
        return f"{closed[0][0]} is False"
    option = "" if closed else _left_off(type(model), build)
    if option:
        return f"it is built with {option}=False"
    for name, value in named_values(model):
        if value is True and _OPEN_FLAG.fullmatch(name):
            return f"{name} is True"
    return ""


def _left_off(made: type[nn.Module], build: str) -> str:
    """The option to be causal that the constructor has, and `build` leaves off; "": none.

    Not all models keep it: some choose another class of attention by it, and forget it.
    """
    call = next((one for one in _calls(build) if _called(one) == made.__name__), None)
    if call is None or any(each.arg is None for each in call.keywords):
        return ""  # made by what may give it, or with options that are not written here
    given = {each.arg: getattr(each.value, "value", True) for each in call.keywords}
    known = list(inspect.signature(made).parameters.values())[len(call.args) :]
    for one in known:
        if _CAUSAL_FLAG.fullmatch(one.name) and one.default is False:
            return "" if given.get(one.name, False) else one.name
    return ""


def _calls(code: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _masking(model: nn.Module) -> Iterator[str]:
    """What fills in masked tokens is told by the token, by what masks, or by its own words."""
    for name, value in named_values(model):
        if _MASK_TOKEN.fullmatch(name) and isinstance(value, int) and not isinstance(value, bool):
            yield f"it has a {name}"
    for module in model.modules():
        for name, _ in module.named_parameters(recurse=False):
            if _MASK_TOKEN.fullmatch(name):
                yield f"it has a {name}"
    for name, _ in inspect.getmembers(type(model), inspect.isfunction):
        if _CORRUPTING.fullmatch(name) and not hasattr(nn.Module, name):
            yield f"it has a method {name}"
    found = _TOLD.search(type(model).__doc__ or "")
    if found is not None:
        yield f'its documentation says "{found[0]}"'


def is_prefix(moved: Tensor) -> int:
    """How many first positions see each other, where that is all that looks ahead; 0: it is not.

    `moved` [T, T] is True at [s, t] where the token at s moves the output at t.
    """
    ahead = moved.tril(-1)  # a later token s moves an earlier output t
    if not ahead.any():
        return 0
    last = int(ahead.nonzero()[:, 0].max()) + 1
    within = moved[:last, :last]
    return last if 2 <= last < moved.shape[0] and bool(within.all()) else 0

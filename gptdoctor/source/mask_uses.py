"""Where masks meet scores, and which pairs of positions they hide there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.attention_text import Did, Step, scores_behind
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import target_beside
from gptdoctor.source.kept import kept
from gptdoctor.source.mask_forms import HIDING, Kind, Mask, Region
from gptdoctor.source.mask_text import MaskReader, filled_with
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.softmax_dimension import softmax_dimension
from gptdoctor.source.spread_options import keywords_of
from gptdoctor.source.text_values import bound_to, number_of, number_throughout

SDPA = "torch.nn.functional.scaled_dot_product_attention"
# The dimension of a softmax over scores whose rows are keys and whose columns are queries.
KEYS_IN_ROWS = -2
# Layers of torch.nn, and which arguments of their calls are masks over pairs: True hides.
LAYER_MASKS = {
    "torch.nn.MultiheadAttention": {"attn_mask": 5},
    "torch.nn.TransformerEncoderLayer": {"src_mask": 1},
    "torch.nn.TransformerEncoder": {"mask": 1},
    "torch.nn.TransformerDecoderLayer": {"tgt_mask": 2},
    "torch.nn.TransformerDecoder": {"tgt_mask": 2},
    "torch.nn.Transformer": {"src_mask": 2, "tgt_mask": 3},
}
# The same, of masks over the keys of each text.
PADDING_MASKS = {
    "torch.nn.MultiheadAttention": {"key_padding_mask": 3},
    "torch.nn.TransformerEncoderLayer": {"src_key_padding_mask": 2},
    "torch.nn.TransformerEncoder": {"src_key_padding_mask": 2},
}


@dataclass(frozen=True, eq=False)
class Use:
    """One mask that meets scores."""

    node: ast.AST  # the call or statement in which they meet
    function: Function
    mask: Mask
    how: str  # "filled", "added", "sdpa", "layer"
    given: ast.expr  # the mask as it is written there

    @property
    def hidden(self) -> Region | None:
        """The pairs that it hides."""
        region = self.mask.region
        if region is not None and self.how == "sdpa" and self.mask.kind is Kind.BOOL:
            return region.rest
        return region

    @property
    def works(self) -> bool:
        """Whether a mask of its kind hides anything where it is used."""
        filled = self.how == "filled"
        return (self.mask.kind is Kind.BOOL and (filled or self.how in ("sdpa", "layer"))) or (
            self.mask.kind is Kind.ADDITIVE and not filled
        )


# Four rules ask of one call after the other.
@kept(8)
def softmax_uses(project: Project, function: Function, call: ast.Call) -> tuple[Use, ...]:
    """The masks that the scores of a softmax have met, of which each row is a query."""
    if softmax_dimension(call, project, function) == KEYS_IN_ROWS:
        return ()
    steps = scores_behind(project, function, call)
    return tuple(use for step in steps for use in step_uses(project, function, step))


def step_uses(project: Project, function: Function, step: Step) -> Iterator[Use]:
    """The masks of one step on the way of scores to their softmax."""
    for given, how in given_masks(step, function):
        mask = MaskReader(project).read(given, function)
        if mask is not None:
            yield Use(step.node, function, mask, how, given)


def given_masks(step: Step, function: Function) -> Iterator[tuple[ast.expr, str]]:
    """The expressions that hide scores in a step, each with how they are met."""
    node = step.node
    if step.did is Did.ADDED and step.other is not None:
        yield step.other, "added"
    elif step.did is Did.WRITTEN and isinstance(node, ast.Assign):
        target = node.targets[0]
        value = number_of(node.value, function)
        if isinstance(target, ast.Subscript) and value is not None and value <= HIDING:
            index = target.slice
            yield (index.elts[-1] if isinstance(index, ast.Tuple) else index), "filled"
    elif step.did is Did.FILLED and isinstance(node, ast.Call):
        yield from _filling(node, function)


def _filling(call: ast.Call, function: Function) -> Iterator[tuple[ast.expr, str]]:
    if called_name(call) == "where":
        first, second = (number_throughout(one, function) for one in call.args[1:])
        if first is not None and first <= HIDING:
            yield call.args[0], "filled"
        elif second is not None and second <= HIDING:
            turned = ast.UnaryOp(ast.Invert(), call.args[0])
            yield ast.copy_location(turned, call.args[0]), "filled"
        return
    given = filled_with(call, function)
    value = number_of(given[1], function) if given is not None else None
    if given is not None and value is not None and value <= HIDING:
        yield given[0], "filled"


def sdpa_mask(call: ast.Call) -> ast.expr | None:
    """The mask that a call of scaled_dot_product_attention is given."""
    named = [one.value for one in call.keywords if one.arg == "attn_mask"]
    found = call.args[3] if len(call.args) > 3 else next(iter(named), None)
    return None if isinstance(found, ast.Constant) else found


@kept(8)
def sdpa_use(project: Project, function: Function, call: ast.Call) -> Use | None:
    """The mask of a call of scaled_dot_product_attention."""
    if function.module.names.called(call) != SDPA:
        return None
    given = sdpa_mask(call)
    mask = None if given is None else MaskReader(project).read(given, function)
    return None if mask is None or given is None else Use(call, function, mask, "sdpa", given)


def _is_truth(value: ast.expr, function: Function) -> bool:
    """Whether a mask is plainly made of truth values: a comparison, `~mask`."""
    made = bound_to(value, function) if isinstance(value, ast.Name) else value
    inverts = isinstance(made, ast.UnaryOp) and isinstance(made.op, ast.Invert)
    return inverts or isinstance(made, ast.Compare)


def fill_use(project: Project, function: Function, call: ast.Call) -> Use | None:
    """The mask of a masked_fill that may hold numbers, whatever it fills with."""
    given = filled_with(call, function)
    if given is None or _is_truth(given[0], function):
        return None  # who asks about numbers need not know which positions are compared
    mask = MaskReader(project).read(given[0], function)
    return None if mask is None else Use(call, function, mask, "filled", given[0])


@kept(8)
def layer_uses(
    project: Project, info: ClassInfo, layer: str, name: str, *, padding: bool = False
) -> tuple[Use, ...]:
    """The masks that a class gives to its attribute `name`, which is such a layer of torch.nn."""
    return tuple(_layer_uses(project, info, layer, name, padding=padding))


def _layer_uses(
    project: Project, info: ClassInfo, layer: str, name: str, *, padding: bool
) -> Iterator[Use]:
    wanted = LAYER_MASKS.get(layer, {})
    wanted = {**wanted, **PADDING_MASKS.get(layer, {})} if padding else wanted
    for call, function in own_calls(project, info).get(name, []):
        for argument, place in wanted.items():
            given = argument_of(call, argument, place)
            mask = None if given is None else MaskReader(project).read(given, function)
            if given is not None and mask is not None:
                yield Use(call, function, mask, "layer", given)


def argument_of(call: ast.Call, name: str, place: int) -> ast.expr | None:
    """What a call gives by keyword or at a place."""
    if any(isinstance(one, ast.Starred) for one in call.args):
        return None
    named = next((one.value for one in call.keywords if one.arg == name), None)
    return named or (call.args[place] if len(call.args) > place else None)


def padding_masks_of(call: ast.Call, layer: str, function: Function) -> Iterator[ast.expr]:
    """The masks over keys that a layer is called with, by itself or in a table of options."""
    named = {one.arg: one.value for one in call.keywords if one.arg is not None}
    if len(named) < len(call.keywords):
        named = keywords_of(call, function) or named
    for name, value in named.items():
        if name.endswith("key_padding_mask"):
            yield value
    for place in PADDING_MASKS.get(layer, {}).values():
        if len(call.args) > place:
            yield call.args[place]


@kept(64)
def own_calls(project: Project, info: ClassInfo) -> dict[str, list[tuple[ast.Call, Function]]]:
    """The calls of each attribute in the methods of a class, `self.attention(x)`."""
    functions = functions_of(project, info.module)
    found: dict[str, list[tuple[ast.Call, Function]]] = {}
    for method in info.methods.values():
        for node in own_nodes(method):
            name = self_attribute(node.func) if isinstance(node, ast.Call) else None
            if name is not None and isinstance(node, ast.Call):
                found.setdefault(name, []).append((node, functions[method]))
    return found


def attribute_made(node: ast.AST, parents: tuple[ast.AST, ...]) -> str | None:
    """NAME where the innermost statement around is `self.NAME = ...` of the very value.

    Or one of several, `self.NAME, self.OTHER = ...`.
    """
    parent = parents[-1] if parents else None
    if isinstance(parent, ast.Tuple) and len(parents) > 1:
        target = target_beside(node, parent, parents[-2])
        return None if target is None else self_attribute(target)
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        return self_attribute(parent.targets[0])
    return self_attribute(parent.target) if isinstance(parent, ast.AnnAssign) else None

"""GD908: the scores of an attention are not divided by the root of the width of a head."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.attention_scale import AttentionScale, ScoredAttention
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, NamedIn, Proof, Visit, calls
from gptdoctor.source.attention_names import SOFTMAX, softmax_names
from gptdoctor.source.attention_text import Attention, Did, attentions_of, trail_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.matrix_products import sides
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.projected import is_projected
from gptdoctor.source.unread_scales import unread_scale

CODE = "GD908"
# The factor is exact: a slope of the scores themselves.
EXACT = 1e-3
# In heads that are narrower the root is near 1, and nothing depends on it.
LEAST_WIDTH = 8
# A scale in the initialisation makes one of the two 1 / sqrt(d) as large, 0.35 at the most, or
# each 1 / sqrt(sqrt(d)), 0.6 at the most; made alike, they differ by a few hundredths.
LEAST_EVENNESS, LEAST_INIT = 0.7, 0.75

# Heads that are split off, or as wide as a name says: scores of one head alone may be meant so.
_HEADS = re.compile(
    r"class \w*Head|head_?(size|dim|width)|(dim|d)_?head|\bd_?k\b|split_?heads"
    # An equation of four dimensions on either side.
    r"|[\"']\w{4}, ?\w{4} ?-> ?\w{4}[\"']"
    r"|(view|reshape|unflatten|split|rearrange)\w*\([^\n]*head"
    # Four sizes, of which the two in the middle change places: batch, time, heads and width.
    r"|(view|reshape)\(([^(),\n]|\([^()\n]*\))+(,([^(),\n]|\([^()\n]*\))+){3}\)"
    r"\.(transpose\(1, ?2\)|permute\(0, ?2, ?1, ?3\))",
    re.IGNORECASE,
)
# Words of what makes scores smaller somewhere else: a factor, a norm, weights that begin small.
_SCALED = re.compile(
    r"scal|sqrt|\*\* ?\(?-? ?0?\.\d|temper|\btau\b|cosine|normalize\(|pow\(|\bmup\b"
    r"|[qk](uery|ey)?_?norm|norm_?[qk]\b|init\b|\.init\.|reset_param|relative|position_bias",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\w*scaled_?dot_?product\w*|ScaledAttention", re.IGNORECASE)

# Steps from a product to its softmax that scale nothing.
_PLAIN = frozenset({Did.PRODUCT, Did.ADDED, Did.FILLED, Did.WRITTEN, Did.RESHAPED})
_SCALING = frozenset({Did.MULTIPLIED, Did.DIVIDED, Did.BOUNDED})


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """Scores that nothing scales, where a scale is at hand that nothing reads."""
    if visit.flow is None:
        return
    for attention in attentions_of(visit.project, visit.flow):
        if attention.softmax is not node or not _is_plain(attention, visit.project, visit.flow):
            continue
        scale, product = unread_scale(visit.project, visit.flow), attention.products[0]
        told = f"`{text_of(product)}` goes into the softmax without a factor"
        if scale is not None:
            told = f"{told}, and nothing reads `{scale}`"
            yield suspicion(CODE, product, visit.flow, told)
        elif _is_of_heads(attention, visit.flow):
            yield suspicion(CODE, product, visit.flow, f"{told}, as wide as a head is")


def _is_of_heads(attention: Attention, function: Function) -> bool:
    """Whether queries and keys are heads of linear layers, and no word of the class scales them.

    A function that calls itself scaled may be given them.
    """
    owner = function.owner
    if owner is None and function.outer is not None:
        return False
    whole = function.module.text if owner is None else owner.text
    text = _NAMED.sub("", whole)
    if _SCALED.search(text):
        return False
    if any(one.did is Did.ADDED and not _is_mask(one.other) for one in attention.scores):
        return False  # what learns where to look may learn the scale as well, as in T5
    if _NAMED.search(f"{function.name} {'' if owner is None else owner.name}"):
        return True
    heads = owner is not None and _HEADS.search(text) is not None
    return heads and all(is_projected(side, function) for side in sides(attention.products[0]))


def _is_mask(value: ast.expr | None) -> bool:
    return value is not None and "mask" in text_of(value).lower()


def _is_plain(attention: Attention, project: Project, function: Function) -> bool:
    """Whether nothing in sight makes the scores smaller, the queries or the keys neither."""
    if len(attention.products) != 1 or any(one.did not in _PLAIN for one in attention.scores):
        return False
    trail = trail_of(project, function)
    given = sides(attention.products[0])
    return len(given) == 2 and not any(
        step.did in _SCALING or (isinstance(step.node, ast.Call) and _may_norm(step.node, function))
        for side in given
        for step in trail.back(side)
    )


def _may_norm(call: ast.Call, function: Function) -> bool:
    name = called_name(call)
    layers = function.owner.attributes.get(name, []) if function.owner is not None else []
    made = "".join(text_of(one) for one in layers) if self_attribute(call.func) else ""
    return any(word in f"{name} {made}".lower() for word in ("norm", "scale"))


def read_scale(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict each product of queries and keys that nothing scales on its way to the softmax."""
    if not isinstance(measurement, AttentionScale):
        return
    for one in measurement.attentions:
        if lacks_scale(one):
            yield _conviction(one, record)
    if measurement.attentions and not any(map(lacks_scale, measurement.attentions)):
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe="attention-scale",
            place=None,
            message="All scores are scaled.",
            values={"attentions": len(measurement.attentions)},
        )


def lacks_scale(one: ScoredAttention) -> bool:
    """Whether neither an operation nor the initialisation makes the scores smaller."""
    unscaled = one.plain and abs(one.factor - 1.0) < EXACT and one.head_width >= LEAST_WIDTH
    return unscaled and one.evenness >= LEAST_EVENNESS and one.relative_init >= LEAST_INIT


def _conviction(one: ScoredAttention, record: ModelRecord) -> Conviction:
    place = Place(path=record.target.path, symbol=record.target.name)
    if one.path:
        place = Place(path=one.path, symbol=one.symbol, line=one.line)
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe="attention-scale",
        place=place,
        message=(
            "The scores go into the softmax as they are multiplied: their variance is as large as "
            "the head is wide, for nothing divides them by its square root."
        ),
        values={"head_width": one.head_width, "factor": one.factor},
    )


def _test(values: Mapping[str, Value]) -> str:
    """What each softmax is given, against the products before it, and scales that are told."""
    if values.get("factor") is None:
        return ""
    return f"""\
products, factors = [], []

class Scores(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name == "softmax":
            shape = args[0].shape
            factors.extend(score_factor(one, args[0]) for one in products if one.shape == shape)
            products.clear()
        result = func(*args, **(kwargs or {{}}))
        if name == "scaled_dot_product_attention":  # None: it scales by itself
            factors.append((kwargs or {{}}).get("scale"))
        if name in ("matmul", "__matmul__", "bmm", "einsum") and result.dim() > 2:
            given = [each.shape for each in args if torch.is_tensor(each)]
            if all({values.get("head_width")} in shape for shape in given):
                products.append(result)
        return result

with Scores():
    logits(build(), random_ids())
unscaled = sum(each is not None and abs(each - 1) < {EXACT} for each in factors)
assert not unscaled, f"{{unscaled}} products of queries and keys are not scaled for their softmax"
"""


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class SharpReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.scale = width**-0.5
        self.embedding = nn.Embedding(vocab_size, width)
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        scores = self.q(x) @ self.k(x).transpose(1, 2)
        future = torch.ones_like(scores[0], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, float("-inf"))
        logits = self.head(x + scores.softmax(dim=-1) @ self.v(x))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="missing-attention-scale",
    severity=Severity.MEDIUM,
    summary="The scores of an attention are not divided by the square root of the head's width.",
    explanation=(
        "The product of queries and keys goes into the softmax without a factor. Not meant are "
        "queries or keys that are normalised, a scale of another form (1/d, a learned one, a cap, "
        "a bare 1 in the product itself, a 1 that the model was configured with), or one that is "
        "folded into the initialisation of a projection, as T5 has it. The text alone is enough "
        "where the function has an argument `scale` or `scaling`, or the class sets one over the "
        "root of the width, that nothing reads; where an attention calls itself scaled; and where "
        "queries and keys are heads of linear layers, and no word of the class says that anything "
        "is scaled, normalised or initialised. A run shows the rest."
    ),
    harm=(
        "The wider the heads, the nearer to one-hot is the softmax from the first step, and "
        "through a saturated softmax hardly any gradient reaches queries and keys."
    ),
    confirmed_by=(
        "The probe attention-scale follows queries and keys from their projections to the "
        "softmax: a slope of exactly 1 from the product to the softmax, with nothing on the way "
        "that scales or normalises, confirms it where both are as large as what the model's other "
        "projections make."
    ),
    sick=SICK,
    healed=SICK.replace("self.k(x).transpose(1, 2)", "self.k(x).transpose(1, 2) * self.scale"),
    suspects={
        calls(*SOFTMAX): see_softmax,
        NamedIn(ast.Call, softmax_names): see_softmax,
    },
    convicts={"attention-scale": read_scale},
    proof=Proof(measures=("probes.instruments.scores:score_factor",), test=_test),
)

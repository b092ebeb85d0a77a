"""GD907: a sublayer's result takes the place of the stream instead of being added to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import (
    Confidence,
    Conviction,
    Place,
    Severity,
    Status,
    Suspicion,
    Value,
)
from gptdoctor.core.measurements.depth import Depth, Stack
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Named, Proof, Visit
from gptdoctor.source.depth_tests import deep_streams
from gptdoctor.source.flow_functions import functions_of
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.looped_streams import has_loop, loops, replaced_in_loops
from gptdoctor.source.lost_residuals import names_both, replaced_streams
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.streams import is_straight

CODE = "GD907"
# Healthy blocks of 60 models of a public package have 0.77 to 1.0 (a highway's gates leave a
# half); those without a path 0, to within 0.04.
LEAST_IDENTITY = 0.08


def see_forward(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A block that adds what one of its sublayers makes, and puts another's in its place."""
    if not isinstance(node, ast.FunctionDef):
        return
    straight = is_straight(node)
    if not straight and not loops(node):
        return
    if not names_both(visit.module.lines_of(node)) or not (straight or has_loop(node)):
        return
    function = functions_of(visit.project, visit.module).get(node)
    if function is None or not function.method:
        return
    found = (
        *replaced_streams(visit.project, function),
        *replaced_in_loops(visit.project, function),
    )
    for call, other in found:
        told = (
            f"What `{text_of(call.func)}` makes takes the place of the stream, to which that of "
            f"`{text_of(other.func)}` is added: nothing of the block's input passes it unchanged"
        )
        yield suspicion(CODE, call, function, told)


def read_depth(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict each stack of blocks that no input passes, though they attend or add elsewhere."""
    if not isinstance(measurement, Depth):
        return
    known = [stack for stack in measurement.stacks if stack.identity is not None]
    for stack in known:
        if _lacks_path(stack):
            yield _conviction(stack, measurement.build, record)
    if known and not any(_lacks_path(stack) for stack in known):
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe="depth",
            place=None,
            message="The input of every block passes it.",
            values={"identity": min(stack.identity or 0.0 for stack in known)},
        )


def _lacks_path(stack: Stack) -> bool:
    """Whether nothing passes, and the block is of a kind in which something should.

    Recurrent and convolutional stacks may do without, by design.
    """
    missing = stack.missing
    if stack.identity is None or missing is None or stack.bypassed or missing.intact:
        return False
    return stack.identity < LEAST_IDENTITY and (missing.attends or missing.joins > 0)


def _conviction(stack: Stack, build: str, record: ModelRecord) -> Conviction:
    missing = stack.missing
    place = Place(path=record.target.path, symbol=record.target.name)
    if stack.path:
        place = Place(path=stack.path, symbol=f"{stack.symbol}.forward")
    if missing is not None and missing.path:
        place = Place(path=missing.path, symbol=missing.symbol, line=missing.line)
    one = missing is not None and missing.joins > 0
    where = "where another part of the block adds its own" if one else "in every block"
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe="depth",
        place=place,
        message=(
            f"What the sublayer makes takes the place of the stream here, {where}: nothing of a "
            "block's input passes it unchanged."
        ),
        values={
            "stack": stack.name,
            "identity": stack.identity,
            "additions": missing.joins if missing is not None else 0,
            "blocks": stack.blocks,
            "build": build,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """How much of a block's input is in its output, in a deep model."""
    return (
        f"{deep_streams(values)}"
        "share = identity_share(streams[-2], streams[-1], 3)\n"
        f"assert share >= {LEAST_IDENTITY}, "
        'f"the cosine of what passes is {share:.2f}"\n'
    )


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        wide = 4 * width
        self.mlp = nn.Sequential(nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width))

    def attend(self, x):
        return F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x), is_causal=True)

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        x = self.mlp(self.norm2(x))
        return x


class HalfResidual(nn.Module):
    def __init__(self, vocab_size, width, n_layers):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(n_layers))
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        logits = self.head(x)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="residual-missing",
    severity=Severity.MEDIUM,
    summary="A sublayer's result takes the place of the stream instead of being added to it.",
    explanation=(
        "A block of a transformer adds what its sublayers make to what it was given. Here one of "
        "them, or each, gives its result alone, so that nothing passes the block unchanged. "
        "Residuals outside the block, parallel sublayers, norms after the sum, gates and scales "
        "of the residual are not meant, nor are recurrent or convolutional stacks, which may do "
        "without. In the text it is seen where a block adds what its attention makes and not what "
        "its feed-forward network makes, or the other way round; that neither is added is shown "
        "by a run."
    ),
    harm=(
        "Token and position are mixed away block by block, and a deep model learns slowly or not "
        "at all."
    ),
    confirmed_by=(
        "The probe depth sends random directions back through a block and compares what arrives "
        "with what was sent: a cosine of zero, where no way leads around the block, confirms it "
        "of blocks that attend or that add in another place. The line is found by walking back "
        "along the sums from the end of the block."
    ),
    sick=SICK,
    healed=SICK.replace("x = self.mlp(", "x = x + self.mlp("),
    suspects={Named(ast.FunctionDef, ("forward",)): see_forward},
    confidence=Confidence.MEDIUM,
    convicts={"depth": read_depth},
    proof=Proof(
        measures=(
            "probes.instruments.stacks:lengthened",
            "probes.instruments.stacks:BlockWatch",
            "probes.instruments.stacks:block_lists",
            "probes.instruments.stacks:identity_share",
        ),
        test=_test,
    ),
)

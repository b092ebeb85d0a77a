"""GD202: rows that experts computed never reach the output, and nothing was written over them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedExperts
from gptdoctor.defect import Defect, Proof, Visit
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_membership import membership
from gptdoctor.source.flow_overwrites import elements
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.repeated_rows import repeats_rows
from gptdoctor.source.routing_tests import ROWS_MEASURES, all_rows_count

CODE = "GD202"
PROBE = "routed-experts"
# What puts rows into a tensor and gives that back, unlike `index_add_`.
GIVING_BACK = frozenset({"index_add", "index_put", "index_copy", "scatter_add", "scatter"})


def see_sum(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A sum into rows of tokens that stand there once for each of their experts."""
    if not isinstance(node, ast.AugAssign) or node.target.__class__ is not ast.Subscript:
        return
    function = visit.flow
    rows = repeats_rows(node, function) if function is not None else ""
    if function is not None and rows:
        told = (
            f"`{text_of(node.target)} += ...` adds once to each row, and `{rows}` names a token "
            "once for each of its experts: all but one of their results are lost; use index_add_"
        )
        yield suspicion(CODE, node, function, told)


def see_statement(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`out[mask].add_(...)`, where the mask picks a copy, and `out.index_add(...)` for nobody."""
    called = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(called, ast.Call) or not isinstance(called.func, ast.Attribute):
        return
    if called.func.attr in GIVING_BACK and visit.flow is not None:
        yield from _dropped(node, called, visit.flow)
        return
    method, part = called.func.attr, called.func.value
    in_place = method.endswith("_") and not method.endswith("__")
    function = visit.flow if in_place and isinstance(part, ast.Subscript) else None
    if function is None or not isinstance(part, ast.Subscript):
        return
    if any(membership(one, function) is not None for one in elements(part.slice)):
        told = (
            f"`{text_of(part)}` is a copy of the rows of one expert: what `{method}` writes into "
            "it never reaches the buffer"
        )
        yield suspicion(CODE, node, function, told)


def _dropped(node: ast.AST, call: ast.Call, function: Function) -> Iterator[Suspicion]:
    """A sum at the rows of one expert that is given back, and kept by nobody."""
    if any(membership(one, function) is not None for one in call.args):
        told = (
            f"`{text_of(call.func)}` gives the sum back and leaves the buffer as it is: what the "
            "expert made is lost; use the method that ends in an underscore"
        )
        yield suspicion(CODE, node, function, told)


def read_blocks(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the operations after which rows of experts are never seen again."""
    if not isinstance(measurement, RoutedExperts):
        return
    for block in measurement.blocks:
        for lost in block.lost:
            why = (
                f"{lost.operation} writes {lost.rows} expert results where others of the same "
                "write go: one of each place is kept"
                if lost.operation
                else f"{lost.rows} rows that experts computed for their tokens end here, and never "
                "reach the output"
            )
            yield Conviction(
                rule=CODE,
                status=Status.CONFIRMED,
                probe=PROBE,
                place=lost.place or block.place,
                message=f"{why}.",
                values={**block.figures, "rows_lost": lost.rows, "rows_run": block.rows_run},
            )
        if not block.lost and block.rows_run and block.pairs is not None:
            yield Conviction(
                rule=CODE,
                status=Status.REFUTED,
                probe=PROBE,
                place=block.place,
                message=f"Every row that {block.experts_name} computed reaches the output.",
                values=block.figures,
            )


def _test(values: Mapping[str, Value]) -> str:
    """The rows of the experts on which the logits depend: one for each choice."""
    return all_rows_count(values)


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Mixture(nn.Module):
    def __init__(self, width, experts=4, k=2):
        super().__init__()
        self.k = k
        self.router = nn.Linear(width, experts)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(experts))

    def forward(self, x):
        weights, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for slot in range(self.k):
            for number, expert in enumerate(self.experts):
                mask = chosen[..., slot] == number
                out[mask].add_(weights[..., slot][mask, None] * expert(x[mask]))
        return out


class Reader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.past = nn.GRU(width, width, batch_first=True)
        self.mixture = Mixture(width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x, _ = self.past(self.embedding(ids))
        logits = self.head(x + self.mixture(x))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="lost-expert-rows",
    severity=Severity.CRITICAL,
    summary="Results of experts are computed and never reach the output.",
    explanation=(
        "An expert's result is added to a copy (`out[mask].add_(...)`), given back by an operation "
        "whose result nobody keeps (`out.index_add(...)` without the underscore), or written by "
        "numbers that repeat (`out[rows] += ...`, which keeps one of them). Results that another "
        "expert's are written over are GD201. A token that an expert has no room for, a weight of "
        "zero and a row that merely fills a tray are right. The text shows the first two where a "
        "mask or numbers of one expert pick the rows, and numbers that repeat where they are those "
        "of the tokens, once for each expert that topk chose."
    ),
    harm=(
        "The chosen experts are computed for nothing: the block gives the same output without "
        "them, and neither they nor the router learn from these tokens."
    ),
    confirmed_by=(
        "The probe routed-experts calls the block by itself: a row that an expert computed for a "
        "token that it was chosen for, with a weight that is not zero, and of which the output's "
        "gradient says nothing, confirms it; so does a write whose row numbers repeat. Where all "
        "such rows arrive it is refuted."
    ),
    sick=SICK,
    healed=SICK.replace(
        "out[mask].add_(weights[..., slot][mask, None] * expert(x[mask]))",
        "out[mask] += weights[..., slot][mask, None] * expert(x[mask])",
    ),
    suspects={ast.AugAssign: see_sum, ast.Expr: see_statement},
    words=("topk",),
    convicts={PROBE: read_blocks},
    explains=("GD203", "GD204", "GD206"),
    proof=Proof(measures=ROWS_MEASURES, test=_test),
)

"""GD205: every expert runs on every token, though few are chosen."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedBlock, RoutedExperts
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.dense_experts import wasted_calls
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_experts import ExpertLoop, expert_loop
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_loops import LOOPS
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.ignored_weights import is_unread
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.names import called_name

CODE = "GD205"
PROBE = "routed-experts"


def see_loop(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A loop that gives every expert all rows, and keeps those of the tokens that chose it."""
    function = visit.flow
    if not isinstance(node, ast.For) or function is None:
        return
    loop = expert_loop(node, function)
    if loop is not None:
        yield from _suspect(loop, function, visit)


def see_choice(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A choice of experts, and a sum over all of them in the same function."""
    function = visit.flow
    if function is None or not isinstance(node, ast.Call):
        return
    if is_unread(node, function):
        yield from _suspect_unread(node, function)
    if next(_choices(function), None) is not node:
        return  # once for all choices of a function
    for home in (function, *_callers(function, visit)):
        for loop in _expert_loops(home):
            if not isinstance(loop.node, ast.For):
                yield from _suspect(loop, home, visit)


def _callers(function: Function, visit: Visit) -> list[Function]:
    """The other methods of the class that a choice is handed to, once each."""
    if function.owner is None or function.name == "forward":
        return []
    found = (site.function for site in callers(visit.project, function))
    here = (one for one in found if one.owner is function.owner and one != function)
    # One that chooses itself is asked by its own choice.
    return [one for one in dict.fromkeys(here) if next(_choices(one), None) is None]


def _expert_loops(function: Function) -> Iterator[ExpertLoop]:
    loops = (one for one in own_nodes(function.node) if isinstance(one, LOOPS))
    found = (expert_loop(one, function) for one in loops)
    return (loop for loop in found if loop is not None)


def _suspect_unread(choice: ast.Call, function: Function) -> Iterator[Suspicion]:
    """A choice that nobody reads, where a loop runs experts."""
    loop = next(_expert_loops(function), None)
    if loop is not None:
        told = (
            f"`{text_of(choice.func)}` chooses among the experts here and nothing reads what it "
            f"chose: every one of `{text_of(loop.experts)}` runs on every token"
        )
        yield suspicion(CODE, choice, function, told, (loop.node,))


def _choices(function: Function) -> Iterator[ast.AST]:
    nodes = own_nodes(function.node)
    return (one for one in nodes if isinstance(one, ast.Call) and called_name(one) == "topk")


def _suspect(loop: ExpertLoop, function: Function, visit: Visit) -> Iterator[Suspicion]:
    for call in wasted_calls(visit.project, loop):
        told = (
            f"`{text_of(call)}` runs every one of `{text_of(loop.experts)}` on all rows, and what "
            "it makes of those that chose other experts is thrown away"
        )
        yield suspicion(CODE, call, function, told, (loop.node,))


def read_blocks(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict blocks in which all experts run on all tokens for the sake of a few."""
    if not isinstance(measurement, RoutedExperts):
        return
    for block in measurement.blocks:
        if _is_waste(block):
            yield _confirmed(block)
        elif (why := _needs_no_less(block)) is not None:
            yield Conviction(
                rule=CODE,
                status=Status.REFUTED,
                probe=PROBE,
                place=block.place,
                message=f"The experts of {block.experts_name} {why}.",
                values=block.figures,
            )


def _needs_no_less(block: RoutedBlock) -> str | None:
    """What experts do that waste nothing; None where that was not seen."""
    if block.rows_run is not None and not block.all_run_all:
        return "are given their own rows"
    return "look at their rows together, and need all of them" if block.rows_mixed else None


def _is_waste(block: RoutedBlock) -> bool:
    """Whether the rows that were not chosen serve nothing, neither forward nor backward."""
    pairs = block.pairs
    if pairs is None or not block.all_run_all or block.over_tokens or block.rows_mixed:
        return False
    needed = pairs.dense or pairs.wrong or not pairs.moved or block.chosen == block.experts
    estimated = (block.weight_effect or 0.0) < 1e-5 and block.router_learns
    return not needed and not estimated


def _confirmed(block: RoutedBlock) -> Conviction:
    run = block.rows_run or 0
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=block.place,
        message=(
            f"All {block.experts} experts run on all {block.tokens} tokens: {run} rows for "
            f"{block.rows_needed} that were chosen."
        ),
        values={**block.figures, "rows_run": run, "rows_needed": block.rows_needed},
        symptom=True,
    )


def _test(values: Mapping[str, Value]) -> str:
    """The rows that each expert is given; one that no token chose may not run at all."""
    name, chosen = values.get("experts_list"), values.get("chosen")
    return (
        "model, rows = build(), {}\n\n"
        "def count(expert, given, output):\n"
        "    rows[expert] = rows.get(expert, 0) + output.numel() // output.shape[-1]\n\n"
        f'for expert in model.get_submodule("{name}").children():\n'
        "    expert.register_forward_hook(count)\n"
        "run(model, random_ids())\n"
        "everything = min(rows.values()) >= B * T\n"
        f"assert not everything or len(rows) <= {chosen}, (\n"
        f'    f"all {{B * T}} tokens run in {{len(rows)}} experts, of which each chose {chosen}"\n'
        ")\n"
    )


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
                out += weights[..., slot, None] * mask[..., None] * expert(x)
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
    name="expert-loop-waste",
    severity=Severity.LOW,
    summary="Every expert is run on every token, though few are chosen.",
    explanation=(
        "A loop gives all rows to each expert and keeps those of the tokens that chose it: the "
        "rest is masked out, multiplied by zero or never picked; or nothing reads the choice at "
        "all. Soft mixtures, in which every expert counts for "
        "every token, need all rows; so do experts that look at their rows together, as recurrent "
        "ones do, and a straight-through estimator, which compares the chosen expert with the "
        "others. Stacked weights in one product are not looked at: there a "
        "product of all may be faster than a loop."
    ),
    harm=(
        "The work grows with the number of experts instead of the number that is chosen: 64 "
        "experts of which two are chosen cost 32 times what they need."
    ),
    confirmed_by=(
        "The probe routed-experts counts the rows that experts are given and the rows that were "
        "chosen. Every expert given every token, while each moves the output of its own tokens "
        "alone, confirms it."
    ),
    sick=SICK,
    healed=SICK.replace(
        "out += weights[..., slot, None] * mask[..., None] * expert(x)",
        "out[mask] += weights[..., slot][mask, None] * expert(x[mask])",
    ),
    suspects={ast.For: see_loop, calls("topk"): see_choice},
    words=("topk", "argmax"),
    convicts={PROBE: read_blocks},
    proof=Proof(test=_test),
)

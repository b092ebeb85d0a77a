"""GD206: other experts work for a token than the router chose."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedBlock, RoutedExperts
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.slots_as_experts import experts_by_slot
from gptdoctor.source.wrong_experts import calls_of_others, unsorted_split

CODE = "GD206"
PROBE = "routed-experts"


def see_loop(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A loop over experts that gives the rows of one to another."""
    function = visit.flow
    if not isinstance(node, ast.For) or function is None:
        return
    for pick in experts_by_slot(node, function):
        told = (
            f"`{text_of(pick)}` takes the place among the chosen for the expert that stands there: "
            "the first experts work for all tokens, and nothing reads what was chosen"
        )
        yield suspicion(CODE, pick, function, told, (node,))
    for call in calls_of_others(visit.project, node, function):
        told = (
            f"`{text_of(call.func)}` is given the rows that chose the expert of the loop's own "
            "number, which is another one"
        )
        yield suspicion(CODE, call, function, told, (node,))


def see_split(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """Tokens in their own order, split by how many chose each expert."""
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None:
        return
    whole = unsorted_split(node, function)
    if whole is not None:
        told = (
            f"`{text_of(whole)}` is split by how many tokens chose each expert, and is not in the "
            "order of the experts: the first expert gets the first tokens, whatever they chose"
        )
        yield suspicion(CODE, node, function, told)


def read_blocks(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict blocks in which other experts work than were chosen."""
    if not isinstance(measurement, RoutedExperts):
        return
    for block in measurement.blocks:
        if block.works_for_wrong_tokens:
            yield _confirmed(block)
        elif block.pairs is not None and block.pairs.moved and not block.pairs.wrong:
            yield Conviction(
                rule=CODE,
                status=Status.REFUTED,
                probe=PROBE,
                place=block.place,
                message=f"Each expert of {block.experts_name} works for its own tokens.",
                values=block.figures,
            )


def _confirmed(block: RoutedBlock) -> Conviction:
    pairs = block.pairs
    wrong, skipped = (pairs.wrong, pairs.skipped) if pairs is not None else (0, ())
    # who never works and stands in for no one is left out by the loop
    left_out = block.loop if skipped and not wrong else None
    told = []
    if wrong:
        told.append(
            f"{wrong} times a token is computed by an expert that the router did not choose for it"
        )
    if skipped:
        told.append(f"expert {', '.join(map(str, skipped))} is chosen and never works")
    if pairs is not None and pairs.renamed and wrong and not skipped:
        told.append("each expert stands in for exactly one other")
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=left_out or block.altered or block.place,
        message=f"Experts and choices do not meet: {'; '.join(told)}.",
        values={
            **block.figures,
            "wrong_pairs": wrong,
            "skipped_experts": skipped,
            "stacks": block.stacks,
            "layer": block.layer,
            "operation": block.operation,
        },
        symptom=True,
    )


def _test(values: Mapping[str, Value]) -> str:
    """How often each expert is chosen, and the rows of each that the logits depend on."""
    experts, scope = values.get("experts"), values.get("experts_list")
    if not isinstance(experts, int):
        return ""
    stacks = values.get("stacks")
    if isinstance(stacks, list | tuple) and stacks:
        layer = values.get("layer")
        part = "" if layer is None else f"[{layer}]"
        skipped = values.get("skipped_experts")
        return _test_of_stacks(experts, str(stacks[-1]), part) if skipped else ""
    if not scope:
        return ""
    return f"""\
{_choices(experts)}
model = jitter(build().eval(), 0.05, seed=0)  # what starts at zero would hide all effects
experts, rows, chosen = list(model.get_submodule("{scope}").children()), [], []
made = {{number: [] for number in range({experts})}}
for number, expert in enumerate(experts):
    expert.register_forward_hook(
        lambda expert, given, output, number=number: made[number].append(output)
    )
with Choices():
    objective = random_objective(logits(model, random_ids()))
for outputs in made.values():
    gradients = torch.autograd.grad(
        objective, outputs, allow_unused=True, materialize_grads=True, retain_graph=True
    ) if outputs else []
    rows.append(sum(int(heard_of(each).sum()) for each in gradients))
assert rows in chosen, f"{{rows}} rows of the experts, chosen: {{chosen}}"
"""


def _choices(experts: int) -> str:
    """The class that keeps in `chosen` how often each expert was chosen, block by block."""
    return f"""\
class Choices(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {{}}))
        found = choice_of(getattr(func, "__name__", ""), args, kwargs or {{}}, result)
        if found is not None and found[0].shape[found[1]] == {experts}:
            chosen.append(found[2].flatten().bincount(minlength={experts}).tolist())
        return result
"""


def _test_of_stacks(experts: int, stack: str, part: str) -> str:
    """Which weights of one stack the logits hear of, against those that were chosen.

    `part`: of a stack of all layers', the index of one.
    """
    return f"""\
{_choices(experts)}
model, chosen = jitter(build().eval(), 0.05, seed=0), []  # zeros would hide all effects
with Choices():
    objective = random_objective(logits(model, random_ids()))
stack = model.get_parameter("{stack}")
[gradient] = torch.autograd.grad(objective, [stack])
works = [bool(each.any()) for each in gradient{part}]
met = any(
    all(working or not times for working, times in zip(works, each, strict=True))
    for each in chosen
)
assert met, f"an expert works: {{works}}, and is chosen: {{chosen}}"
"""


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
                out[mask] += weights[..., slot][mask, None] * self.experts[number - 1](x[mask])
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
    name="wrong-expert",
    severity=Severity.CRITICAL,
    summary="Tokens are computed by other experts than the router chose.",
    explanation=(
        "A number that is off by one, a function made in a loop that sees the last number only, "
        "the same expert for all, a count of the experts that were chosen in the place of their "
        "numbers, a place among the chosen in the place of what stands there, tokens that are "
        "split by how many chose each expert before they are sorted, or a loop that leaves one "
        "out. An expert that works for all tokens beside the chosen ones is shared, tokens may be "
        "dropped where an expert has no room, and in a soft mixture every expert works for every "
        "token: these are right."
    ),
    harm=(
        "The router is told how well other experts did than those it chose: it learns nothing, and "
        "some experts are never trained. Where every expert stands in for exactly one other, the "
        "model itself can learn, but weights of other code land in the wrong places."
    ),
    confirmed_by=(
        "The probe routed-experts calls the block again with the weights of one expert changed, "
        "for each expert. Tokens that move without having been sent there, or an expert with "
        "tokens that moves none, confirm it; where exactly the chosen pairs move it is refuted."
    ),
    sick=SICK,
    healed=SICK.replace(
        "self.experts[number - 1](x[mask])",
        "expert(x[mask])",
    ),
    suspects={ast.For: see_loop, calls("split"): see_split},
    words=("topk", "argmax", "unique("),
    convicts={PROBE: read_blocks},
    explains=("GD203", "GD204"),
    proof=Proof(
        measures=(
            "probes.expert_routing:random_objective",
            "probes.instruments.expert_watch:heard_of",
            "probes.instruments.router_choices:choice_of",
            "probes.instruments.weights:jitter",
        ),
        test=_test,
    ),
)

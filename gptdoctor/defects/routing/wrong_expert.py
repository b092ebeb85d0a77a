"""GD206: other experts work for a token than the router chose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.routed_experts import RoutedBlock, RoutedExperts
from gptdoctor.defect import Defect, Proof

CODE = "GD206"
PROBE = "routed-experts"


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
        place=left_out or block.place,
        message=f"Experts and choices do not meet: {'; '.join(told)}.",
        values={
            **block.figures,
            "wrong_pairs": wrong,
            "skipped_experts": skipped,
            "operation": block.operation,
        },
        symptom=True,
    )


def _test(values: Mapping[str, Value]) -> str:
    """How often each expert is chosen, and the rows of each that the logits depend on."""
    if values.get("operation") != "topk":
        return ""
    return f"""\
model = jitter(build().eval(), 0.05, seed=0)  # what starts at zero would hide all effects
with TopkWatch({values["experts"]}) as watch:
    logits(model, random_ids())
experts = model.get_submodule("{values["experts_list"]}").children()
rows = [rows_that_count([each], lambda: logits(model, random_ids())) for each in experts]
assert rows in watch.counts, f"{{rows}} rows of the experts, chosen: {{watch.counts}}"
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
        "the same expert for all, or a loop that leaves one out. An expert that works for all "
        "tokens beside the chosen ones is shared, tokens may be dropped where an expert has no "
        "room, and in a soft mixture every expert works for every token: these are right."
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
    convicts={PROBE: read_blocks},
    explains=("GD203", "GD204"),
    proof=Proof(
        measures=(
            "probes.instruments.expert_rows:TopkWatch",
            "probes.instruments.expert_rows:rows_that_count",
            "probes.instruments.weights:jitter",
        ),
        test=_test,
    ),
)

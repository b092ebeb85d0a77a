"""GD411: a method that generates runs past what the model can read."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.generation import ContextRun, GeneratedMethod, Generation
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.generation_tests import watched
from gptdoctor.source.growing_texts import LIMIT, Growth, growth_at, is_bounded, networks_called
from gptdoctor.source.position_tables import Table, table_read
from gptdoctor.source.temperature import last_name

CODE = "GD411"
PROBE = "generation"
_TOLD_ROWS = (
    "The last `{rows}` rows of `{text}` are kept, and not the newest tokens of each: it grows "
    "along its second dimension, and nothing shortens that"
)


def see_growth(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A text that grows in a loop, and is read as a whole by a network that counts its tokens."""
    if not isinstance(node, ast.Call) or not isinstance(visit.parent, ast.Assign):
        return
    function = visit.flow
    growth = None if function is None else growth_at(node, visit.parent, function)
    if function is None or growth is None:
        return
    told = _told(growth, function, visit)
    if told:
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(growth.rows or growth.cut or growth.call),
            symbol=function.symbol,
            message=told,
            extent=(growth.loop.lineno, growth.loop.end_lineno or growth.loop.lineno),
        )


def _told(growth: Growth, function: Function, visit: Visit) -> str:
    """What becomes of a text that is longer than its network reads; "" where nothing is known."""
    cut, rows = growth.cut, growth.rows
    if rows is not None:
        limits = LIMIT.fullmatch(last_name(rows)) is not None
        return _TOLD_ROWS.format(rows=ast.unparse(rows), text=growth.text) if limits else ""
    sizes: set[str] = set()
    for table in _tables(growth, function, visit):
        sizes |= table.size
        if cut is None and not is_bounded(growth, function, table.size):
            return (
                f"`{growth.text}` grows by as many tokens as the caller asks for and is read as a "
                f"whole: `{table.name}` has a row for so many positions, and no more"
            )
    if cut is None or not (last_name(cut) in sizes or LIMIT.fullmatch(last_name(cut))):
        return ""
    return (
        f"The first `{ast.unparse(cut)}` tokens of `{growth.text}` are kept, and not the newest: "
        "once it is longer, no further token is read"
    )


def _only_model(growth: Growth, visit: Visit) -> frozenset[ClassInfo]:
    """The one model of a file, for a function of the file that is given a model."""
    called, function = growth.call.func, visit.flow
    given = function.parameter_names if function is not None and function.owner is None else ()
    if not isinstance(called, ast.Name) or called.id not in given or len(visit.models) != 1:
        return frozenset()
    info = visit.project.classes(visit.module).get(visit.models[0])
    return frozenset() if info is None else frozenset({info})


def _tables(growth: Growth, function: Function, visit: Visit) -> Iterator[Table]:
    given = frozenset(one.arg or "" for one in growth.call.keywords)
    networks = networks_called(visit.project, growth, function) or _only_model(growth, visit)
    for info in networks:
        table = table_read(visit.project, info, growth.number, given)
        if table is not None:
            yield table


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Generation):
        return
    for method in measurement.methods:
        status = None if method.context is None else _status(method.context)
        if method.context is not None and status is not None:
            yield _conviction(method, method.context, status)


def _status(run: ContextRun) -> Status | None:
    if run.crash is not None:
        # What the model refuses in its forward pass, the method has not refused.
        failed = run.crash.own or (run.in_forward and not run.crash.lacks_memory)
        return Status.CONFIRMED if failed else None
    blind = run.calls > 1 and run.without_newest == run.calls - 1
    return Status.CONFIRMED if blind else Status.REFUTED


def _conviction(method: GeneratedMethod, run: ContextRun, status: Status) -> Conviction:
    told, line = "goes on", method.given_line or method.call_line
    if run.crash is not None:
        told, line = f"fails with {run.crash.kind}", run.line
    elif status is Status.CONFIRMED:
        told = "never reads the newest token"
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=method.at(line if status is Status.CONFIRMED else None),
        message=f"`{method.symbol}` {told} beyond the {run.limit} tokens that the model reads",
        values={
            "limit_tokens": run.limit,
            "new_tokens": run.new_tokens,
            "passes_without_newest": run.without_newest,
            "error": None if run.crash is None else f"{run.crash.kind}: {run.crash.message}",
            **values_of(run.written),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """A text as long as the model reads, to be continued."""
    return watched(values, "eval", "") if values.get("error") else ""


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, block_size=256, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.position = nn.Embedding(block_size, width)
        self.block_size = block_size
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        if ids.size(1) > self.block_size:
            raise ValueError(f"{ids.size(1)} tokens, and {self.block_size} fit")
        x = self.embed(ids) + self.position(torch.arange(ids.size(1), device=ids.device))
        return self.head(self.mix(x)[0])

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        for _ in range(max_new_tokens):
            probs = self(ids)[:, -1].softmax(dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

HEALED = SICK.replace("self(ids)[:, -1]", "self(ids[:, -self.block_size :])[:, -1]")

DEFECT = Defect(
    code=CODE,
    name="context-limit",
    severity=Severity.MEDIUM,
    summary=(
        "Generation fails, or reads the wrong end of the text, as soon as it is longer than the "
        "model reads."
    ),
    explanation=(
        "The model reads a limited number of tokens, and a method hands it the whole text all the "
        "same, so that it crashes inside, or is refused there after some tokens; or it keeps the "
        "oldest tokens instead of the newest, or the newest rows. The text shows it where a loop "
        "joins tokens to a text as often as its caller asks, and its network looks up a learnt "
        "position for each of them. Not meant: a method that keeps the newest tokens, stops at the "
        "limit, or refuses with an error of its own, and models without a limit."
    ),
    harm=(
        "Long texts end in an error about indices or sizes that tells a user nothing, or repeat "
        "themselves because the model never sees what it wrote."
    ),
    confirmed_by=(
        "The probe generation finds the longest text that the forward pass reads and lets the "
        "method continue it by three tokens. A crash, an error of the forward pass, or passes "
        "that never see the newest token confirm; tokens from passes that see it, or stopping, "
        "refute."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={calls("cat", "concat", "concatenate", "hstack"): see_growth},
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
)

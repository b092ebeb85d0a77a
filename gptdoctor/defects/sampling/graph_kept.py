"""GD410: a method generates tokens with gradients on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Confidence, Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.generation import GeneratedMethod, Generation, GraphUse
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof, Visit
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_switches import may_state_switch
from gptdoctor.source.generating import (
    CHOOSING,
    WITHOUT_GRADIENTS,
    Step,
    first_step,
    header,
    runs_without_gradients,
    switched_off,
)
from gptdoctor.source.generation_tests import watched
from gptdoctor.source.model_calls import helper_called

CODE = "GD410"
PROBE = "generation"
# One pass is a step of somebody else's loop, who may have turned gradients off.
LOOP = 2


# Words of what is differentiated through the tokens that were drawn, or through their shares.
_LEARNS = re.compile(r"log_?prob|logp|entrop|gumbel|reward|straight_through|backward|requires_grad")
# What is only written down: `trace.append(dist.log_prob(drawn).tolist())`.
_WRITTEN = re.compile(r"\.log_prob\([^()\n]*\)(\.\w+\([^()\n]*\))*\.(item|tolist|numpy|detach)\(\)")
# Probabilities that are handed to NumPy with whatever graph they have; what is drawn has none.
_ARRAYS = re.compile(
    r"^(?!.*(detach|multinomial|argmax|sample))[^#\n]*(prob|logit|softmax|score).*\.numpy\(\)",
    re.MULTILINE,
)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow
    step = first_step(node, function)
    if function is None or step is None or runs_without_gradients(step, function):
        return
    if function.name.startswith("_") or function.name == "forward":
        return
    first, last = function.node.lineno, function.node.end_lineno or function.node.lineno
    text = _WRITTEN.sub("", "\n".join(visit.module.lines[first - 1 : last]))
    if _LEARNS.search(text) or _by_caller(function, visit) or _leaves_torch(step, function):
        return
    yield Suspicion(
        rule=CODE,
        location=header(function),
        symbol=function.symbol,
        message=(
            f"`{function.name}` runs the model for token after token with gradients on: each pass "
            "keeps what a backward pass would need"
        ),
        extent=(first, last),
    )


def _leaves_torch(step: Step, function: Function) -> bool:
    """Whether scores become an array as they are, which fails where they have a graph."""
    helper = helper_called(step.choice, function)
    texts = [function.text, *([] if helper is None else [function.module.lines_of(helper)])]
    return any(_ARRAYS.search(text) for text in texts)


def _by_caller(function: Function, visit: Visit) -> bool:
    """Whether gradients are off where it is called, or in the whole module."""
    if may_state_switch(visit.module) or function.outer is not None:
        return True
    for site in callers(visit.project, function):
        around = site.function.statements_around(site.node)
        blocks = [one for one, _ in around if isinstance(one, ast.With)]
        items = [item.context_expr for block in blocks for item in block.items]
        if any(WITHOUT_GRADIENTS.search(ast.unparse(one)) for one in items):
            return True
        if switched_off(site.function):
            return True
    return False


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Generation):
        return
    for method in measurement.methods:
        status = None if method.graph is None else _status(method, method.graph)
        if method.graph is not None and status is not None:
            yield _conviction(method, method.graph, status)


def _status(method: GeneratedMethod, graph: GraphUse) -> Status | None:
    private = method.symbol.rpartition(".")[2].startswith("_")  # its caller decides
    if graph.forward_calls < LOOP or graph.returned_gradients or private:
        return None
    return Status.CONFIRMED if graph.with_gradients >= LOOP else Status.REFUTED


def _conviction(method: GeneratedMethod, graph: GraphUse, status: Status) -> Conviction:
    told = "with" if status is Status.CONFIRMED else "without"
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=method.place,
        message=f"`{method.symbol}` generates {told} gradients",
        values={
            "forward_calls": graph.forward_calls,
            "with_gradients": graph.with_gradients,
            **values_of(method.written),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """Whether gradients are on in the forward passes of the method."""
    body = watched(values, "eval", "torch.is_grad_enabled()", grad=True)
    return body and f'{body}assert not (seen and all(seen)), "each forward pass keeps a graph"\n'


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids))[0])

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    def generate(self, ids, max_new_tokens):
        for _ in range(max_new_tokens):
            probs = self(ids)[:, -1].softmax(dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

HEALED = SICK.replace("    def generate", "    @torch.no_grad()\n    def generate")

DEFECT = Defect(
    code=CODE,
    name="graph-kept",
    severity=Severity.LOW,
    summary=(
        "Every forward pass of a method that generates keeps what a backward pass would need."
    ),
    explanation=(
        "The method runs several forward passes with gradients on, itself or by a helper, and "
        "returns tokens, through "
        "which no gradient can flow. Not meant: a method under no_grad or inference_mode, one "
        "step that a caller runs in a loop of its own, and a method that returns something that "
        "can be differentiated."
    ),
    harm=(
        "Each step holds the activations of all layers for a backward pass that never comes; with "
        "a cache they add up from token to token, until memory runs out."
    ),
    confirmed_by=(
        "The probe generation calls the method with gradients on and looks at the logits of each "
        "forward pass. Several passes whose logits have a graph, and nothing differentiable "
        "returned, confirm; passes without a graph refute."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={ast.For: _suspect, ast.While: _suspect},
    words=CHOOSING,
    confidence=Confidence.MEDIUM,
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
)

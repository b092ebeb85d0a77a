"""GD502: a call that the class or function does not accept."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.generation import Generation
from gptdoctor.core.measurements.import_dependencies import ImportDependencies
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import Sampling
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, NamedIn, Proof, Visit, calls
from gptdoctor.source.called_names import names_within
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.failing_calls import failing_call, failing_generation
from gptdoctor.source.names import called_name
from gptdoctor.source.project_files import serves_networks
from gptdoctor.source.signatures import refusal
from gptdoctor.source.torch_calls import (
    is_surely_own,
    own_names,
    refusal_of_own,
    refusal_of_torch,
    refused_in_loop,
    refused_later,
    unmoved,
)
from gptdoctor.source.torch_tables import NAMES

CODE = "GD502"
# How Python tells that a call does not fit: who was called, and in two forms the keyword.
REFUSED = re.compile(
    r"(?P<callee>[\w.<>]+)\(\) (?:got an unexpected keyword argument '(?P<keyword>\w+)'"
    r"|got multiple values for argument '(?P<twice>\w+)'"
    r"|missing \d+ required (?:positional|keyword-only) arguments?"
    r"|takes (?:no arguments|(?:from )?\d+ (?:to \d+ )?positional arguments? but \d+))"
)

# `f(*parts)`, `f(x, **options)`, or such an argument on a line of its own; no power.
SPREAD = re.compile(r"(?:^|[(,])\s*\*{1,2}\s*[\w({\[]")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.Call):
        return
    why = refusal(visit.project, visit.module, node)
    if why is not None and serves_networks(visit.project, visit.module):
        yield from _suspicion(node, why, visit)
    if called_name(node)[:1].isupper():  # what is called otherwise is a function, as most
        yield from _of_made(node, visit)


def _suspect_torch(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A layer, a function or an optimizer of torch's."""
    if not isinstance(node, ast.Call):
        return
    why = refusal_of_torch(visit.module, node)
    if why is not None:
        yield from _suspicion(node, why, visit)
    if called_name(node)[:1].isupper():
        yield from _of_made(node, visit)


def _suspect_own(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A method, or a layer, that the class has itself."""
    name = self_attribute(node.func) if isinstance(node, ast.Call) else None
    owner = visit.owner if name is not None else None
    if name is None or owner is None or not isinstance(node, ast.Call):
        return
    why = refusal_of_own(visit.project, owner, name, node)
    if why is not None and visit.flow and is_surely_own(visit.project, visit.flow, node):
        yield from _suspicion(node, why, visit)


def _suspect_loop(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The layers of a list, one after the other."""
    if isinstance(node, ast.For) and node.iter.__class__ is not ast.Name and visit.flow:
        for call, why in refused_in_loop(visit.project, node, visit.flow):
            yield from _suspicion(call, why, visit)


def _of_made(node: ast.Call, visit: Visit) -> Iterator[Suspicion]:
    """The calls further down of a network that a call makes: `net = Net().to(device)`."""
    made = visit.parent
    if isinstance(made, ast.Attribute):
        made = next((one for one in visit.parents[::-1] if isinstance(one, ast.stmt)), None)
    if not isinstance(made, ast.Assign) or not isinstance(made.targets[0], ast.Name):
        return
    if unmoved(made.value) is not node:
        return
    scope = visit.function or visit.module.tree
    in_class = any(one is made for one in getattr(visit.owner and visit.owner.node, "body", ()))
    if not in_class:
        for call, why in refused_later(visit.project, visit.module, made, scope):
            yield from _suspicion(call, why, visit)


def _suspicion(node: ast.Call, why: str, visit: Visit) -> Iterator[Suspicion]:
    if any(isinstance(one, ast.Try) for one in visit.parents):
        return
    called = ast.unparse(node.func)
    yield Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=visit.symbol,
        message=f"`{called}` does not accept this call: {why}",
        details={"called": called, "why": why},
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def read_construction(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the crash that keeps a model from being built or run."""
    if not isinstance(measurement, Construction):
        return
    if measurement.outcome == "built":
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe="construction",
            place=None,
            message="every call that ran was accepted",
            values={"build": measurement.build, "call": measurement.call},
        )
    elif measurement.crash is not None and not measurement.lack:
        build, call, imports = measurement.build, measurement.call, measurement.imports
        how: dict[str, Value] = {"build": build, "call": call, "imports": imports}
        if not _without_its_maker(measurement.crash, record):
            yield from _conviction(measurement.crash, "construction", how)


def _without_its_maker(crash: Crash, record: ModelRecord) -> bool:
    """Whether a class has no constructor where an import failed that may have made one.

    So is what `@dataclass` would have made, where a stand-in of ours took its place.
    """
    missing = any(one.failures for one in record.told(ImportDependencies))
    return missing and crash.message.endswith("takes no arguments")


def read_sampling(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict what keeps a method from drawing tokens, or from generating with the model."""
    if isinstance(measurement, Sampling | Generation):
        probe = "sampling" if isinstance(measurement, Sampling) else "generation"
        for method in measurement.methods:
            if method.crash is not None:
                yield from _conviction(method.crash, probe, values_of(method.written))


def _conviction(
    crash: Crash, probe: str, how: Mapping[str, Value] | None = None
) -> Iterator[Conviction]:
    found = REFUSED.search(crash.message)
    if crash.kind != "TypeError" or crash.path is None or found is None:
        return
    yield Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=probe,
        place=Place(path=crash.path, symbol=crash.symbol, line=crash.line),
        message=f"What is called here does not accept this call: {crash.message}",
        values={"error": f"{crash.kind}: {crash.message}", "stage": crash.stage, **(how or {})},
        alone=is_own_call(crash.statement, found),
    )


def is_own_call(statement: str, refused: re.Match[str]) -> bool:
    """Whether the line itself makes the call that was refused, with arguments that it spells out.

    What a library calls inside is its own affair, and what `**` spreads may be a guess of ours.
    """
    if SPREAD.search(statement):
        return False
    whole = statement.count("(") <= statement.count(")")
    keyword = refused["keyword"] or refused["twice"]
    if keyword is not None and refused["keyword"] is not None:
        return not whole or re.search(rf"\b{keyword}\s*=", statement) is not None
    names = refused["callee"].split(".")
    function = names[-1]
    if function in ("forward", "__call__"):
        return "(" in statement
    name = names[-2] if function == "__init__" and len(names) > 1 else function
    return re.search(rf"\b{re.escape(name)}\(", statement) is not None


def _test(values: Mapping[str, Value]) -> str:
    """The model built, and called where it is a call that fails, or asked to generate."""
    stage = values.get("stage")
    if stage == "generate":
        return failing_generation(values)
    return failing_call(values, called=stage != "construction") if values.get("imports") else ""


SICK = """\
import torch.nn.functional as F
from torch import nn


class Mixer(nn.Module):
    def __init__(self, dim, layers):
        super().__init__()
        self.rnn = nn.GRU(dim, dim, layers, batch_first=True)

    def forward(self, x):
        return self.rnn(x)[0]


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = Mixer(dim, depth=2)  # it is called layers
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        return self.lm_head(self.mix(self.wte(input_ids)))

    def compute_loss(self, logits, targets):
        return F.cross_entropy(logits.mT, targets)
"""

DEFECT = Defect(
    code=CODE,
    name="unaccepted-call",
    severity=Severity.HIGH,
    summary="A class or function is called with arguments that it does not take.",
    explanation=(
        "A keyword that it does not know, an argument too many or one too few: mostly what is "
        "imported has another version than the code was written for. The text shows it where "
        "what is called lies in the project and takes no `**`, where it is a method or a part that "
        "a class has made itself, and for the layers, losses, optimizers and schedules of torch; a "
        "run shows it wherever it is. "
        "Not meant: calls that spread their arguments with `*` or `**`, and what a library calls "
        "inside."
    ),
    harm="The model cannot be built, or fails at its first call.",
    confirmed_by=(
        "The model is built and called. A TypeError that Python raises at a line of the user's "
        "because the call does not fit confirms; a model that is built and runs refutes what ran."
    ),
    sick=SICK,
    healed=SICK.replace("depth=2)  # it is called layers", "layers=2)"),
    suspects={
        NamedIn(ast.Call, names_within): _suspect,
        NamedIn(ast.Call, own_names): _suspect_own,
        calls(*NAMES): _suspect_torch,
        ast.For: _suspect_loop,
    },
    convicts={
        "construction": read_construction,
        "sampling": read_sampling,
        "generation": read_sampling,
    },
    proof=Proof(measures=("probes.instruments.filter_draws:known_logits",), test=_test),
)

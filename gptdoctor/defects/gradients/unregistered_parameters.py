"""GD103: weights that take part in the loss and that `model.parameters()` does not name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.parameter_registration import ParameterRegistration, Unregistered
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Named, Proof, Visit
from gptdoctor.source.called_helpers import helpers_called
from gptdoctor.source.constructors import (
    Constructor,
    Setting,
    constructor_at,
    lines_in,
    own_text,
    settings_of,
)
from gptdoctor.source.flow_attributes import PARAMETERS
from gptdoctor.source.hidden_weights import HiddenLayers, may_hide
from gptdoctor.source.lost_parameters import asks_for_gradient, lost_parameter
from gptdoctor.source.module import SourceModule
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.statements import every_statement
from gptdoctor.source.unseen_layers import helped, layers_unseen, list_helpers, may_be_no_module

CODE = "GD103"
PROBE = "parameter-registration"
INSTEAD = {
    "list": "nn.ModuleList or nn.ParameterList",
    "tuple": "nn.ModuleList or nn.ParameterList",
    "set": "nn.ModuleList",
    "dict": "nn.ModuleDict or nn.ParameterDict",
    "defaultdict": "nn.ModuleDict",
    "OrderedDict": "nn.ModuleDict",
    "Tensor": "nn.Parameter",
}
# What the author says at the line: this is to be hidden from torch.
INTENT = re.compile(
    r"#.*\b(frozen|freez\w+|hid(e|den|es|ing)|regist\w+|(not|n't|never) (be )?(train|sav)\w*)", re.I
)


def see_constructor(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A constructor that keeps layers in a plain container, or a weight as a plain tensor."""
    if not isinstance(node, ast.FunctionDef):
        return
    text = lines_in(visit.module, node)
    hides, lost = may_hide(node, text), list(_lost(node, text, visit.module))
    called = helpers_called(text, visit.module)  # asked first: in few constructors anything is
    helpers = list_helpers(visit.module, called) if called else called
    if not hides and not lost and not helpers:
        if isinstance(visit.parent, ast.ClassDef) and not visit.parent.bases:
            yield from _no_module(visit)
        return  # as most: whose class this is need not be found out
    constructor = constructor_at(node, visit.project, visit.owner, visit.parent)
    if constructor is None:
        return
    if not constructor.info.bases:
        yield from _no_module(visit)
    for setting, kind in helped(constructor, helpers) if helpers else ():
        if constructor.of_network:
            told = f"is a plain {kind}: torch does not see the layers in it"
            yield from _suspicion(constructor, setting, setting.node, told, INSTEAD[kind])
    for setting, kind, last in HiddenLayers(constructor).found() if hides else ():
        told = f"is a plain {kind}: torch does not see the layers in it"
        yield from _suspicion(constructor, setting, last, told, INSTEAD[kind])
    for setting, how in lost:
        if constructor.of_network and _is_used(setting.name, constructor):
            told = f"is no parameter, but {how}: torch does not list it"
            yield from _suspicion(constructor, setting, setting.node, told, INSTEAD["Tensor"])


def _no_module(visit: Visit) -> Iterator[Suspicion]:
    """A class with layers that is no module, of which a network keeps an instance."""
    info = visit.owner
    if info is None or info.node is not visit.parent or not may_be_no_module(info):
        return
    layers = layers_unseen(visit.project, info)
    if not layers:
        return
    location = visit.module.location(info.node)
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=info.symbol,
        message=(
            f"{info.name} has self.{layers[0]} and is no nn.Module: torch does not see its layers "
            f"in the network that keeps it, and no optimizer trains them; let it extend nn.Module."
        ),
        details={"attribute": layers[0]},
        extent=(location.line, location.line),
    )


def _lost(node: ast.FunctionDef, text: str, module: SourceModule) -> Iterator[tuple[Setting, str]]:
    """The weights that a constructor keeps as plain tensors, and how they became such."""
    asking = "requires_grad" in text
    if not asking and "Parameter" not in text and not is_renamed(module, PARAMETERS):
        return
    settings = settings_of(node)
    local = _given_once(node) if any(isinstance(one.value, ast.Name) for one in settings) else {}
    for setting in settings:
        if isinstance(setting.value, ast.Name):
            value = local.get(setting.value.id)
            if value is None:
                continue
            setting = Setting(setting.name, value, setting.node)
        how = lost_parameter(setting, module.names)
        if not how and asking and asks_for_gradient(setting, module.names):
            how = "a tensor that asks for a gradient"
        if how:
            yield setting, how


def _given_once(node: ast.FunctionDef) -> dict[str, ast.expr]:
    """What each local name was given by the one statement that gives it anything."""
    given: dict[str, list[ast.expr]] = {}
    for one in every_statement(node):
        if isinstance(one, ast.Assign):
            for name in {each.id for each in one.targets if isinstance(each, ast.Name)}:
                given.setdefault(name, []).append(one.value)
    return {name: values[0] for name, values in given.items() if len(values) == 1}


def _is_used(name: str, constructor: Constructor) -> bool:
    """Whether a later method works with the tensor, and nothing makes it known to torch."""
    text = own_text(constructor.info)
    uses = [use for use in text.uses(name) if use.method is not constructor.node]
    plain = constructor.settled and constructor.made_once(name)
    return plain and any(use.method.name != "parameters" for use in uses) and not text.calls(name)


def _suspicion(
    constructor: Constructor, setting: Setting, last: ast.AST, told: str, instead: str
) -> Iterator[Suspicion]:
    module = constructor.info.module
    location = module.location(setting.node)
    lines = module.lines[max(location.line - 2, 0) : location.end_line]
    if any(INTENT.search(line) for line in lines):
        return
    yield Suspicion(
        rule=CODE,
        location=location,
        symbol=f"{constructor.info.symbol}.__init__",
        message=(
            f"self.{setting.name} {told}, and no optimizer trains what it does not see, nor is "
            f"it saved or moved; use {instead}."
        ),
        details={"attribute": setting.name},
        extent=(location.line, module.location(last).end_line),
    )


def read_registration(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict each attribute that holds weights which the loss reaches past the optimizer."""
    if not isinstance(measurement, ParameterRegistration):
        return
    alike: dict[tuple[str, int], list[Unregistered]] = {}  # layers of one class share a line
    for one in measurement.unregistered:
        if not one.handed_in:
            alike.setdefault((one.path, one.line), []).append(one)
    for found in alike.values():
        yield _conviction(found, measurement, record)
    yield Conviction(
        rule=CODE,
        status=Status.REFUTED,
        probe=PROBE,
        place=None,
        message="Every weight that the loss reaches is a parameter of the model.",
        values={"weights": measurement.leaves, "unregistered": 0},
    )


def _conviction(
    found: list[Unregistered], measurement: ParameterRegistration, record: ModelRecord
) -> Conviction:
    one = found[0]
    place = Place(path=one.path, symbol=one.symbol, line=one.line)
    if not one.path:
        place = Place(path=record.target.path, symbol=record.target.name)
    name = f"{one.owner}.{one.attribute}" if one.owner else one.attribute
    instead = INSTEAD.get(one.container, "a module")
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=place,
        message=(
            f"{name} is a plain {one.container}: torch does not see the weights in it, so no "
            f"optimizer trains them, and they are neither saved nor moved; use {instead}."
        ),
        values={
            "attribute": name,
            "container": one.container,
            "weights_unregistered": sum(len(each.names) for each in found),
            "weights_unregistered_names": one.names,
            "numbers_unregistered": sum(each.numbers for each in found),
            "weights": measurement.leaves,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """Everything that the loss would give a gradient has to be known as a parameter."""
    return """\
model = build()
known = {id(parameter) for parameter in model.parameters()}
reached = list(leaves(loss(model, random_ids())))
unknown = [tuple(each.shape) for each in reached if id(each) not in known]
assert not unknown, f"weights that no optimizer is given, of the shapes {unknown}"
"""


SICK = """\
import torch.nn.functional as F
from torch import nn


class Stack(nn.Module):
    def __init__(self, vocab=100, width=32, depth=2):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.layers = [nn.Linear(width, width) for _ in range(depth)]
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, targets):
        x = self.tokens(ids)
        for layer in self.layers:
            x = x + layer(x).relu()
        logits = self.head(x)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="unregistered-parameters",
    severity=Severity.CRITICAL,
    summary="Weights take part in the loss, and `model.parameters()` does not name them.",
    explanation=(
        "Layers or parameters lie in a list, a tuple, a dictionary, which a helper may have made, "
        "or in an object whose class is no module, or a parameter was multiplied or moved when it "
        "was made, or never made one, and is a plain tensor now. torch registers only what is "
        "assigned to a module as a module or a parameter. Inputs with a gradient, weights that "
        "other weights make, a module that is wrapped in a list to hide it, and lists of what is "
        "registered elsewhere are not meant."
    ),
    harm=(
        "The optimizer never changes these weights, `state_dict` does not save them, and `.to()` "
        "leaves them behind: a model that is loaded again has other, random ones."
    ),
    confirmed_by=(
        "The probe parameter-registration walks the graph of the loss to its leaves. A leaf that "
        "asks for a gradient, is no parameter of the model and lies in an attribute of one of its "
        "modules confirms it."
    ),
    sick=SICK,
    healed=SICK.replace(
        "[nn.Linear(width, width) for _ in range(depth)]",
        "nn.ModuleList(nn.Linear(width, width) for _ in range(depth))",
    ),
    suspects={Named(ast.FunctionDef, ("__init__",)): see_constructor},
    convicts={PROBE: read_registration},
    explains=("GD903",),
    # an initialisation that walks the modules does not come to those that nobody knows of
    explains_elsewhere=("GD902",),
    proof=Proof(measures=("probes.instruments.graph_leaves:leaves",), test=_test),
)

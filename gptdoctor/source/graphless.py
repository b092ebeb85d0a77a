"""Values that have no graph behind them: made while gradients were off, or of plain data alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, script_of
from gptdoctor.source.flow_targets import Role, start, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.gradient_modes import is_off
from gptdoctor.source.known_networks import function_run
from gptdoctor.source.names import called_name
from gptdoctor.source.training_events import source_of
from gptdoctor.source.value_ways import SHAPING

DEEPEST = 16  # from name to name, from operation to operation, and into helpers
MOST = 600  # expressions of one loss: sums of sums in loops have no end
MOST_HELPERS = 3  # helpers of helpers of helpers
# What is handed to a step of training under these names is its batch, and no network's result.
DATA = re.compile(
    r"^(x|y|xb|yb|xs|ys|ids|inputs?|images?|imgs?|data|batch\w*|tokens?|\w*_ids|\w*mask"
    r"|\w*labels?|\w*targets?|tgt\w*|trg|gt|truth|y_true"
    # Numbers and places.
    r"|dim|axis|device|dtype|temp\w*|tau|alpha|beta|gamma|eps|lam\w*|scale|accum\w*|\w*steps|n)$",
    re.IGNORECASE,
)
# Who gives batches: a loader, an iterator over one, a helper that fetches the next.
FETCHES = re.compile(
    r"^(get|next|load|sample|fetch|draw|make|prepare|random)_?\w*(batch\w*|data|samples?)$"
    r"|^\w*(loader|dataset)$|^(next|iter|data|zip|range|rand\w*|zeros|ones|arange|sample)$"
    r"|^(tqdm|enumerate|split|chunk)$",
    re.IGNORECASE,
)
# Instances under these names are losses, wherever they were made.
LOSS_NAME = re.compile(r"^(criterion|crit|loss_?(fn?|func|fct|function|module)|\w*_loss|loss)$")
# As a part of something: a model's `loss` may well have weights in it.
LOSS_KEPT = re.compile(r"^(criterion|crit|loss_?(fn?|func|fct|function))$")
# Of these the targets are numbers of classes, which have no graph.
COUNTED = frozenset({"cross_entropy", "nll_loss", "CrossEntropyLoss", "NLLLoss"})
# Their results are what they are given, or are made to be learned, whatever the mode is.
_KEEPING = frozenset({"next", "list", "tuple", "dict", "getattr", "get", "pop", "to", "Parameter"})
# What else methods take than tensors: sizes, dimensions, devices.
_SHAPING = SHAPING | {"mean", "sum", "softmax", "log_softmax", "clamp", "chunk", "split", "argmax"}
# A function with these words may make a graph wherever it is called.
SWITCHES_ON = re.compile(r"enable_grad|set_grad_enabled|requires_grad")
SWITCHES_OFF = re.compile(r"no_grad|inference_mode")
# What these give is a number, or cut off by itself.
CUTTING = frozenset({"item", "detach", "numpy", "tolist", "size", "dim", "numel", "argmax"})
PLAIN_BUILTINS = frozenset({"float", "int", "len", "bool", "str", "round"})
_OPERATORS = ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.IfExp | ast.List | ast.Tuple | ast.Dict


class Graph(Enum):
    """Whether a value has a graph."""

    NONE = "none, for it was computed with gradients switched off"
    DATA = "none, as no data has"
    MAYBE = "perhaps"


def graph_of(value: ast.expr, frame: Frame) -> Graph:
    """Whether a value has a graph where it is read; one that cannot be followed may have one."""
    return _Search().value(value, frame)


@dataclass(frozen=True)
class _Search:
    depth: int = 0
    seen: frozenset[Binding] = frozenset()
    asked: list[ast.expr] = field(default_factory=list)  # by all that belong to one question

    def value(self, value: ast.expr, frame: Frame) -> Graph:
        """Whether an expression has a graph."""
        self.asked.append(value)
        if self.depth > DEEPEST or len(self.asked) > MOST:
            return Graph.MAYBE
        further = replace(self, depth=self.depth + 1)
        made = computes(value) and called_name(value) not in _KEEPING
        if made and is_off(value, frame) and not switches_on(value, frame):
            return Graph.NONE
        if isinstance(value, ast.Name):
            return further._name(value, frame)
        if isinstance(value, ast.Call):
            return further._call(value, frame)
        if isinstance(value, ast.Attribute):
            return further._attribute(value, frame)
        if isinstance(value, ast.Subscript | ast.Starred):
            return further.value(value.value, frame)
        if isinstance(value, ast.ListComp | ast.GeneratorExp):
            return further.value(value.elt, frame)
        if isinstance(value, _OPERATORS):
            return further._all(_operands(value), frame)
        plain = isinstance(value, ast.Constant | ast.Compare | ast.JoinedStr)
        return Graph.DATA if plain else Graph.MAYBE

    def _all(self, values: Iterable[ast.expr], frame: Frame) -> Graph:
        """Whether what is made of several values has a graph: one that has is enough."""
        return _joined(self.value(one, frame) for one in values)

    def _name(self, name: ast.Name, frame: Frame) -> Graph:
        if f"{name.id}.requires_grad" in _text(frame):
            return Graph.MAYBE  # made a leaf by hand
        found = frame.bindings.reaching(name.id, start(name), carried=True)
        fresh = [one for one in found if one not in self.seen]
        if not found:
            return self._outer(name, frame)
        further = replace(self, seen=self.seen | set(fresh))
        return _joined(further._bound(one, frame) for one in fresh) if fresh else Graph.DATA

    def _outer(self, name: ast.Name, frame: Frame) -> Graph:
        """A name of a function around, of the module or of another one."""
        if name.id in frame.module.names.aliases:
            return Graph.DATA
        home, found = frame.bound(name.id)
        if home is frame or not found:
            return Graph.MAYBE
        fresh = [one for one in found if one not in self.seen]
        further = replace(self, seen=self.seen | set(fresh))
        return _joined(further._bound(one, home) for one in fresh) if fresh else Graph.DATA

    def _bound(self, binding: Binding, frame: Frame) -> Graph:
        if binding.role is Role.ARGUMENT:
            if binding.name in frame.given and frame.caller is not None:
                return self.value(frame.given[binding.name], frame.caller)
            return Graph.DATA if DATA.search(binding.name) else Graph.MAYBE
        if binding.role is Role.COUNTER:
            return Graph.DATA
        if binding.value is None or binding.role is Role.OTHER:
            return Graph.MAYBE
        if binding.role is Role.ELEMENT:
            return self._element(binding, frame)
        return self.value(binding.value, frame)

    def _element(self, binding: Binding, frame: Frame) -> Graph:
        """An element of what is iterated: of a loader's batches, or of values made here."""
        source = binding.value
        if isinstance(source, ast.Name):
            roles = {one.role for one in frame.bound(source.id)[1]}
            if roles == {Role.ARGUMENT} and not re.search("param|loss", source.id):
                return Graph.DATA
        elif isinstance(source, ast.Attribute) and not re.search("param|loss", source.attr):
            return Graph.DATA
        return Graph.MAYBE if source is None else self.value(source, frame)

    def _attribute(self, value: ast.Attribute, frame: Frame) -> Graph:
        """A part of a result: `out.logits`; what an object keeps may be a weight."""
        if text_of(value).startswith("self."):
            kept = frame.attribute_values(value)
            return Graph.DATA if kept and all(map(_is_number, kept)) else Graph.MAYBE
        return self.value(value.value, frame)

    def _call(self, call: ast.Call, frame: Frame) -> Graph:
        if any(one.arg == "requires_grad" for one in call.keywords):
            return Graph.MAYBE
        name = called_name(call)
        if name in CUTTING or (isinstance(call.func, ast.Name) and name in PLAIN_BUILTINS):
            return Graph.DATA
        callee = _run(call, frame)
        if callee is not None:
            made = self._helper(callee, call, frame)
        elif name[:1].isupper() and not FETCHES.search(name):
            return Graph.MAYBE  # a layer or a weight that is made here
        elif is_loss(call, frame) or _is_function_of_torch(call, frame):
            made = self._all(_given(call, frame), frame)
        else:
            made = self._method(call, frame)
        fetched = made is Graph.MAYBE and FETCHES.search(name) and "param" not in text_of(call)
        return Graph.DATA if fetched else made

    def _method(self, call: ast.Call, frame: Frame) -> Graph:
        """What a method makes of its tensor, and of others that it is given."""
        func, name = call.func, called_name(call)
        if not isinstance(func, ast.Attribute) or name in ("requires_grad_", "parameters"):
            return Graph.MAYBE
        received = self.value(func.value, frame)
        if received is Graph.MAYBE or name in _SHAPING:
            return received
        return _joined([received, self._all(call.args, frame)])

    def _helper(self, callee: Function, call: ast.Call, frame: Frame) -> Graph:
        """What a helper in sight returns."""
        if frame.depth >= MOST_HELPERS or frame.runs(callee.node):
            return Graph.MAYBE
        if SWITCHES_ON.search(source_of(callee)) or not callee.returned:
            return Graph.MAYBE
        return self._all(callee.returned, frame.enter(callee, call))


def _run(call: ast.Call, frame: Frame) -> Function | None:
    """The function that a call runs: a helper, or a method of a model in sight."""
    function = frame.function or script_of(frame.module)
    run = frame.called(call) or function_run(call, function, frame.project)
    # A model that switches gradients off by itself is another rule's affair.
    off = run is not None and run.name == "forward" and SWITCHES_OFF.search(run.text)
    return None if off else run


def computes(value: ast.AST) -> bool:
    """Whether a value is computed here and not only kept: a call, an operation, an attribute."""
    if isinstance(value, ast.Attribute):
        return not text_of(value).startswith("self.")
    return isinstance(value, ast.Call | ast.BinOp) and not called_name(value)[:1].isupper()


def switches_on(value: ast.expr, frame: Frame) -> bool:
    """Whether a call runs code that may make a graph all the same."""
    if not isinstance(value, ast.Call):
        return False
    callee = frame.called(value)
    words = text_of(value) + ("" if callee is None else source_of(callee))
    return SWITCHES_ON.search(words) is not None


def is_loss(call: ast.Call, frame: Frame) -> bool:
    """Whether a call is one of a loss without weights: a module of torch's, or one by its name."""
    func = call.func
    if isinstance(func, ast.Call):
        return _makes_loss(func, frame)
    made = frame.attribute_values(func)
    if isinstance(func, ast.Name):
        made = [one.value for one in frame.bound(func.id)[1] if one.value is not None]
    made = [one for one in made if not isinstance(one, ast.Name)]  # an argument of the constructor
    if made:
        return all(_makes_loss(one, frame) for one in made)
    if isinstance(func, ast.Attribute):
        return LOSS_KEPT.search(func.attr) is not None
    return isinstance(func, ast.Name) and LOSS_NAME.search(func.id) is not None


def _makes_loss(value: ast.expr, frame: Frame) -> bool:
    home, _, last = (frame.module.names.called(value) or "").rpartition(".")
    return last.endswith("Loss") and home in ("torch.nn", "torch.nn.modules.loss")


def _is_function_of_torch(call: ast.Call, frame: Frame) -> bool:
    """Whether a call is a function of torch's, whose result has a graph if what it is given has."""
    name = frame.module.names.called(call) or ""
    return name.startswith("torch.") and name.rpartition(".")[2][:1].islower()


def _given(call: ast.Call, frame: Frame) -> list[ast.expr]:
    """What a function or a loss makes its result of: of targets only such as may have a graph."""
    given = [*call.args]
    given.extend(one.value for one in call.keywords if one.arg in ("input", "target", "other"))
    made = [call.func, *frame.attribute_values(call.func)]
    if isinstance(call.func, ast.Name):
        made.extend(one.value for one in frame.bound(call.func.id)[1] if one.value is not None)
    names = {(frame.module.names.called(one) or "").rpartition(".")[2] for one in made}
    return given if COUNTED.isdisjoint({*names, called_name(call)}) else given[:1]


def _is_number(value: ast.expr) -> bool:
    """Whether what an object keeps is a number, as far as its name tells."""
    named = isinstance(value, ast.Name) and DATA.search(value.id) is not None
    return named or isinstance(value, ast.Constant)


def _operands(value: ast.expr) -> list[ast.expr]:
    """What an operation is made of."""
    if isinstance(value, ast.IfExp):
        return [value.body, value.orelse]
    children = ast.iter_child_nodes(value)
    return [one for one in children if isinstance(one, ast.expr)]


def _joined(graphs: Iterable[Graph]) -> Graph:
    joined = Graph.DATA
    for one in graphs:
        if one is Graph.MAYBE:
            return one  # no other is asked
        joined = Graph.NONE if one is Graph.NONE else joined
    return joined


def _text(frame: Frame) -> str:
    return frame.module.text if frame.function is None else source_of(frame.function)

"""Tensors that a constructor makes of numbers and keeps as plain attributes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from gptdoctor.source.constructors import Constructor, Setting, lines_in
from gptdoctor.source.flow_functions import assigned_names
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.tensor_meetings import MOVING

DRAWING = frozenset({"randn", "rand", "normal"})
FLAT = frozenset({"ones", "zeros"})
COMPUTING = frozenset({"arange", "linspace", "logspace", "eye", "full", "tril_indices", "tensor"})
COMPUTING |= {"triu_indices", "hann_window", "hamming_window", "FloatTensor", "LongTensor"}
COMPUTING |= {"from_numpy"}
SHAPING = frozenset({"tril", "triu"})  # ones become a mask
# torch.nn.init, by the last name: what it fills a tensor with.
FILLED_AT_RANDOM = re.compile(r"(normal|uniform|orthogonal)_$")
FILLED_FLAT = frozenset({"zeros_", "ones_", "constant_"})
# One of these stands in every text that has a maker in it, which is said in a tenth of the time.
_MAKER_WORDS = (
    *("rand(", "randn(", "normal(", "ones(", "zeros(", "arange(", "space(", "eye(", "full("),
    *("_indices(", "ensor(", "window(", "from_numpy(", "init."),
)
MAKER = re.compile(rf"\b({'|'.join(sorted(DRAWING | FLAT | COMPUTING))}|init\.\w+_)\(")
_HOMES = ("torch", "torch.nn.init")
DEEPEST = 5  # from name to name
LONGEST = 40  # operations in one expression


@kept(8)  # several rules ask it of one constructor, one after the other
def makes_tensors(node: ast.AST, module: SourceModule) -> bool:
    """Whether a constructor's text may make any; most make none, and are followed no further."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    text = lines_in(module, node)
    if not any(map(text.__contains__, _ways_to_makers(module))):
        return False
    return any(map(text.__contains__, _MAKER_WORDS)) and MAKER.search(text) is not None


@kept(64)
def _ways_to_makers(module: SourceModule) -> tuple[str, ...]:
    """Words of which one stands wherever a module calls something of torch or torch.nn.init."""
    ways = {"torch", "init."}  # `torch.zeros`, `nn.init.zeros_`, whatever `nn` is called
    for bound, qualified in module.names.aliases.items():
        home = qualified.rpartition(".")[0]
        if qualified != "torch.nn" and (qualified in _HOMES or home in _HOMES):
            ways.add(bound)
    return tuple(ways)


@kept(8)
def plain_tensors(constructor: Constructor) -> PlainTensors:
    """The plain tensors of one constructor, about which several rules ask."""
    return PlainTensors(constructor)


class PlainTensors:
    """The plain tensors of one constructor."""

    def __init__(self, constructor: Constructor) -> None:
        self.constructor = constructor
        self._known: dict[ast.expr, str] = {}  # what is asked again and again by its names

    def found(self, kinds: Iterable[str]) -> Iterator[tuple[Setting, str]]:
        """Attributes that hold such a tensor, made once, that nothing moves, with their kinds."""
        info = self.constructor.info
        moved = {"to", "_apply", "cuda"} & set(info.methods)
        if moved or not self.constructor.settled or "forward" not in info.methods:
            return
        for setting in self.constructor.settings:
            if not isinstance(setting.node, ast.Assign | ast.AnnAssign):
                continue
            kind = self.kind(setting.value)
            if kind in kinds and self.constructor.made_once(setting.name):
                yield setting, kind

    def kind(self, value: ast.expr, depth: int = 0) -> str:
        """Where a tensor's numbers come from: "drawn", "flat" or "computed"; "" for no tensor."""
        if depth > LONGEST:
            return ""
        if value not in self._known:
            self._known[value] = ""  # of a name that leads back to itself
            self._known[value] = self._kind(value, depth)
        return self._known[value]

    def _kind(self, value: ast.expr, depth: int) -> str:
        if isinstance(value, ast.Call):
            return self._made(value, depth)
        if isinstance(value, ast.BinOp):
            return self._joined([value.left, value.right], depth)
        if isinstance(value, ast.Compare):
            return self._joined([value.left, *value.comparators], depth)
        if isinstance(value, ast.UnaryOp):
            return self.kind(value.operand, depth + 1)
        if isinstance(value, ast.Subscript):
            return self.kind(value.value, depth + 1)
        if isinstance(value, ast.Name):
            return self._local(value, depth)
        return ""

    def _local(self, name: ast.Name, depth: int) -> str:
        function = self.constructor.function
        if function.outer is None and name.id not in assigned_names(function):
            return ""  # a parameter, mostly: its bindings need not be collected
        bindings = function.reaching(name)
        values = [one.value for one in bindings if one.value is not None]
        plain = all(one.role in (Role.WHOLE, Role.CHANGED) for one in bindings)
        whole = [one for one in bindings if one.role is Role.WHOLE]
        if len(whole) != 1 or not plain:
            return ""
        return self._joined(values, depth + LONGEST // DEEPEST)

    def _joined(self, values: Iterable[ast.expr], depth: int) -> str:
        found = {self.kind(one, depth + 1) for one in values if not isinstance(one, ast.Constant)}
        for kind in ("moved", "drawn", "computed", "flat"):
            if kind in found:
                return kind
        return ""

    def _made(self, call: ast.Call, depth: int) -> str:
        if any(keyword.arg in ("device", None, "requires_grad") for keyword in call.keywords):
            return "moved"
        qualified = self.constructor.info.module.names.called(call) or ""
        home, _, name = qualified.rpartition(".")
        if home == "torch.nn.init":
            return _filled(name, call)
        if home == "torch":
            return self._by_torch(name, call, depth)
        if isinstance(call.func, ast.Attribute) and not qualified.startswith("torch."):
            receiver = self.kind(call.func.value, depth + 1)
            if receiver and call.func.attr in MOVING:
                return "moved"
            return "computed" if receiver and call.func.attr in SHAPING else receiver
        return ""

    def _by_torch(self, name: str, call: ast.Call, depth: int) -> str:
        first = call.args[0] if call.args else None
        if name in ("tensor", "FloatTensor", "LongTensor"):
            # A single number is a tensor without dimensions, which goes with any device.
            listed = isinstance(first, ast.List | ast.ListComp)
            return "computed" if listed else ""
        if name in DRAWING:
            return "drawn"
        if name in FLAT:
            return "flat"
        if name in COMPUTING:
            return "computed"
        inside = first.elts if isinstance(first, ast.List | ast.Tuple) else call.args
        kind = self._joined(inside, depth) if name.islower() else ""
        return "computed" if kind == "flat" and name in SHAPING else kind


def _filled(name: str, call: ast.Call) -> str:
    """What torch.nn.init makes of a tensor that is made right there."""
    made = call.args[0] if call.args else None
    if not isinstance(made, ast.Call) or called_name(made) not in ("empty", *FLAT):
        return ""
    if any(keyword.arg in ("device", None, "requires_grad") for keyword in made.keywords):
        return "moved"
    if FILLED_AT_RANDOM.search(name):
        return "drawn"
    return "flat" if name in FILLED_FLAT else ""

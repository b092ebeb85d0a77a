"""Tensors that a constructor makes of numbers and keeps as plain attributes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from gptdoctor.source.called_helpers import helpers_called, helpers_in
from gptdoctor.source.constructors import Constructor, Setting, lines_in
from gptdoctor.source.flow_functions import Function, assigned_names, functions_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.tensor_meetings import MOVING

DRAWING = frozenset({"randn", "rand", "normal"})
FLAT = frozenset({"ones", "zeros"})
COMPUTING = frozenset({"arange", "linspace", "logspace", "eye", "full", "tril_indices", "tensor"})
COMPUTING |= {"triu_indices", "hann_window", "hamming_window", "FloatTensor", "LongTensor"}
COMPUTING |= {"from_numpy"}
SHAPING = frozenset({"tril", "triu"})  # ones become a mask
# torch.nn.init, by the last name: what it fills a tensor with.
FILLED_AT_RANDOM = re.compile(r"(normal|uniform|orthogonal)_$")
FILLED_FLAT = frozenset({"zeros_", "ones_", "constant_", "zero_", "fill_"})
# One of these stands in every text that has a maker in it, which is said in a tenth of the time.
_MAKER_WORDS = (
    *("rand(", "randn(", "normal(", "ones(", "zeros(", "arange(", "space(", "eye(", "full("),
    *("_indices(", "ensor(", "window(", "from_numpy(", "init.", "normal_(", "uniform_("),
)
MAKER = re.compile(
    rf"\b({'|'.join(sorted(DRAWING | FLAT | COMPUTING))}|init\.\w+_|normal_|uniform_)\("
)
_HOMES = ("torch", "torch.nn.init")
_GIVEN = (Role.WHOLE, Role.ITEM)  # of several that are alike each is what all are
DEEPEST = 5  # from name to name
LONGEST = 40  # operations in one expression


@kept(8)  # several rules ask it of one constructor, one after the other
def makes_tensors(node: ast.AST, module: SourceModule) -> bool:
    """Whether a constructor's text may make any; most make none, and are followed no further."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    text = lines_in(module, node)
    if any(map(text.__contains__, _ways_to_makers(module))) and _has_maker(text):
        return True
    # A helper's name is said in few constructors, and most files have no such helper.
    return any(_is_tensor_helper(module, name) for name in helpers_called(text, module))


def _has_maker(text: str) -> bool:
    return any(map(text.__contains__, _MAKER_WORDS)) and MAKER.search(text) is not None


@kept(256)
def _is_tensor_helper(module: SourceModule, name: str) -> bool:
    """Whether a function or method of a file may make such a tensor and return it."""
    texts = map(module.lines_of, helpers_in(module).get(name, ()))
    return any("return" in text and _has_maker(text) for text in texts)


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
        self.kinds = _Kinds(constructor.project, constructor.function)

    def found(self, kinds: Iterable[str]) -> Iterator[tuple[Setting, str]]:
        """Attributes that hold such a tensor, made once, that nothing moves, with their kinds."""
        info = self.constructor.info
        moved = {"to", "_apply", "cuda"} & set(info.methods)
        if moved or not self.constructor.settled or "forward" not in info.methods:
            return
        for setting in self.constructor.settings:
            if not isinstance(setting.node, ast.Assign | ast.AnnAssign):
                continue
            kind = self.kinds.of(setting.value)
            if kind in ("unset", "flat"):
                kind = self._filled_later(setting) or kind
            if kind in kinds and self.constructor.made_once(setting.name):
                yield setting, kind

    def _filled_later(self, setting: Setting) -> str:
        """What a statement of its own fills a tensor with: `nn.init.normal_(self.a)`."""
        names = self.constructor.info.module.names
        wanted = {f"self.{setting.name}"}
        if isinstance(setting.value, ast.Name):
            wanted.add(setting.value.id)
        for call in self.constructor.calls:
            home, _, name = (names.called(call) or "").rpartition(".")
            if home == "torch.nn.init" and call.args:
                if names.qualified(call.args[0]) in wanted:
                    return _filling(name)
            elif home in wanted:
                return _filling(name)
        return ""


class _Kinds:
    """Where the numbers of the tensors of one function come from."""

    def __init__(self, project: Project, function: Function, helpers: int = 0) -> None:
        self.project, self.function, self.helpers = project, function, helpers
        self._known: dict[ast.expr, str] = {}  # what is asked again and again by its names

    def of(self, value: ast.expr, depth: int = 0) -> str:
        """What a tensor is: "drawn", "flat", "computed", "unset" or "moved"; "" for no tensor."""
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
            return self.of(value.operand, depth + 1)
        if isinstance(value, ast.Subscript):
            return self.of(value.value, depth + 1)
        if isinstance(value, ast.Name):
            return self._local(value, depth)
        if isinstance(value, ast.ListComp):
            return self.of(value.elt, depth + 1)
        if isinstance(value, ast.Tuple | ast.List):  # of which each name gets one
            found = {self.of(one, depth + 1) for one in value.elts}
            return found.pop() if len(found) == 1 else ""
        return ""

    def _local(self, name: ast.Name, depth: int) -> str:
        function = self.function
        if function.outer is None and name.id not in assigned_names(function):
            return ""  # a parameter, mostly: its bindings need not be collected
        bindings = function.reaching(name)
        values = [one.value for one in bindings if one.value is not None]
        plain = all(one.role in (*_GIVEN, Role.CHANGED) for one in bindings)
        whole = [one for one in bindings if one.role in _GIVEN]
        if len(whole) != 1 or not plain:
            return ""
        return self._joined(values, depth + LONGEST // DEEPEST)

    def _joined(self, values: Iterable[ast.expr], depth: int) -> str:
        found = {self.of(one, depth + 1) for one in values if not isinstance(one, ast.Constant)}
        for kind in ("moved", "drawn", "computed", "flat", "unset"):
            if kind in found:
                return kind
        return ""

    def _made(self, call: ast.Call, depth: int) -> str:
        if any(keyword.arg in ("device", None, "requires_grad") for keyword in call.keywords):
            return "moved"
        qualified = self.function.module.names.called(call) or ""
        home, _, name = qualified.rpartition(".")
        if home == "torch.nn.init":
            return _filled(name, call)
        if home == "torch":
            return self._by_torch(name, call, depth)
        if isinstance(call.func, ast.Attribute) and not qualified.startswith("torch."):
            receiver = self.of(call.func.value, depth + 1)
            if receiver and call.func.attr in MOVING:
                return "moved"
            if receiver in ("unset", "flat", "drawn") and _filling(call.func.attr):
                return _filling(call.func.attr)
            if receiver or not _own_helper(qualified):
                return "computed" if receiver and call.func.attr in SHAPING else receiver
        return self._returned(qualified)

    def _returned(self, qualified: str) -> str:
        """What a function of the file, or a method of the class, makes and hands back."""
        name = _own_helper(qualified)
        owner, module = self.function.owner, self.function.module
        methods = owner.methods if owner is not None else {}
        node = methods.get(name) if name else module.functions.get(qualified)
        if node is None or self.helpers >= DEEPEST or not _is_tensor_helper(module, node.name):
            return ""
        helper = functions_of(self.project, module)[node]
        kinds = _Kinds(self.project, helper, self.helpers + 1)
        found = {kinds.of(value) for value in helper.returned}
        return found.pop() if len(found) == 1 else ""

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
        if name == "empty":
            return "unset"
        if name in COMPUTING:
            return "computed"
        inside = first.elts if isinstance(first, ast.List | ast.Tuple) else call.args
        kind = self._joined(inside, depth) if name.islower() else ""
        return "computed" if kind == "flat" and name in SHAPING else kind


def _own_helper(qualified: str) -> str:
    """The method that `self.NAME(...)` calls; "" for another call."""
    return qualified[5:] if qualified.startswith("self.") and qualified.count(".") == 1 else ""


def _filled(name: str, call: ast.Call) -> str:
    """What torch.nn.init makes of a tensor that is made right there."""
    made = call.args[0] if call.args else None
    if not isinstance(made, ast.Call) or called_name(made) not in ("empty", *FLAT):
        return ""
    if any(keyword.arg in ("device", None, "requires_grad") for keyword in made.keywords):
        return "moved"
    return _filling(name)


def _filling(name: str) -> str:
    """What a function or method of this name fills a tensor with; "" for any other."""
    if FILLED_AT_RANDOM.search(name):
        return "drawn"
    return "flat" if name in FILLED_FLAT else ""

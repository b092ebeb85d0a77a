"""Losses that a loop adds to what was there before, with the graphs that they came from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import own_nodes
from gptdoctor.source.flow_targets import Role, end, start, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.gradient_modes import is_off
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node

# Methods that leave the graph on.
_KEEPING = frozenset({"mean", "sum", "cpu", "cuda", "to", "float", "double", "clone", "squeeze"})
# Terms of a loss under these names are losses themselves, and no weights of any.
_TERMS = re.compile(
    r"loss|^(kl|kld|rec|recon\w*|nll|ce|bce|mse|reg|aux|adv|penalty|l1|l2)(_|$)", re.IGNORECASE
)
_CUTS = re.compile(r"\.(item|detach|tolist|numpy)\(|\.data\b|(?<![\w.])float\(")
# How many there are, by which a mean is multiplied.
_SIZES = re.compile(r"^len\(|\.size\(|\.shape\[|batch_size$|^(n|bs|count)$")
_EMPTY_CALLS = frozenset({"list", "dict", "defaultdict", "Counter", "OrderedDict", "zeros"})
_TABLES = ast.Dict | ast.DictComp


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptLoss:
    """One statement that keeps a loss with its graph."""

    place: ast.stmt | ast.ListComp
    given: ast.expr
    keeper: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Losses:
    """What goes backward in a turn of a loop, or of a function that is a turn."""

    turn: ast.AST  # the loop; or the function, of which others make one
    frame: Frame
    names: tuple[ast.expr, ...]  # the loss, where it goes backward: a name, or `output.loss`
    calls: tuple[ast.AST, ...]  # the functions that go backward, and return their loss
    trained: str  # all that goes backward, as a text

    def kept(self) -> Iterator[KeptLoss]:
        """The statements that add a loss itself to what was there before the turn."""
        plain = [one for one in self.names if isinstance(one, ast.Name)]
        known = [*self.names, *(one for name in plain for one in self._terms(name))]
        for node in own_nodes(self.turn):
            # A list of what the steps return: `[train_step(x, y) for x, y in loader]`.
            if isinstance(node, ast.ListComp) and self._is_loss(node.elt, []):
                yield KeptLoss(place=node, given=node.elt, keeper=text_of(node))
            metered = self._metered(node)
            if isinstance(node, ast.Expr) and metered and self._is_loss(metered[0], known):
                given, keeper = metered
                yield KeptLoss(place=node, given=given, keeper=text_of(keeper))
            for given, keeper in _added(node):
                if not isinstance(node, ast.stmt) or not self._is_loss(given, known):
                    continue
                name = text_of(keeper)
                root = re.split(r"[\[(]", name)[0]
                if root in self.trained or not self._from_before(keeper, node):
                    continue
                if not self._without_graph(node) and f"{text_of(given)}.detach_(" not in self._text:
                    yield KeptLoss(place=node, given=given, keeper=name)

    @property
    def _text(self) -> str:
        return text_of(self.turn)

    def _is_loss(self, given: ast.expr, known: list[ast.expr]) -> bool:
        root = _root(given)
        if root is not None and root is not given:
            own = self._bindings(root)
            return any(
                text_of(one) == text_of(given) and self._bindings(_root(one) or root) == own
                for one in known
            )
        if isinstance(given, ast.Call):
            return self.frame.called(given) is not None and any(
                self._runs(given, one) for one in self.calls
            )
        if not isinstance(given, ast.Name):
            return False
        own = self._bindings(given)
        names = [one for one in known if isinstance(one, ast.Name) and one.id == given.id]
        if any(self._bindings(one) == own for one in names):
            return True
        return bool(own) and all(
            one.role is Role.WHOLE
            and isinstance(one.value, ast.Call)
            and any(self._runs(one.value, called) for called in self.calls)
            for one in own
        )

    def _runs(self, call: ast.Call, called: ast.AST) -> bool:
        found = self.frame.called(call)
        return found is not None and found.node is called

    def _bindings(self, name: ast.Name) -> list[Binding]:
        return self.frame.bindings.reaching(name.id, start(name))

    def _terms(self, loss: ast.Name) -> Iterator[ast.Name]:
        """The names of which a loss is the sum, where these are losses by themselves."""
        for binding in self._bindings(loss):
            value = binding.value
            if binding.role not in (Role.WHOLE, Role.CHANGED) or value is None:
                continue
            for node in [value, *every_node(value)] if _is_sum(value) else [value]:
                named = isinstance(node, ast.Name) and _TERMS.search(node.id)
                if named and isinstance(node, ast.Name) and self._has_graph(node):
                    yield node

    def _has_graph(self, name: ast.Name) -> bool:
        """Whether a term is computed here, with its graph."""
        own = [one for one in self._bindings(name) if one.role is not Role.CHANGED]
        return bool(own) and all(
            one.role in (Role.WHOLE, Role.ITEM)
            and isinstance(one.value, ast.Call | ast.BinOp)
            and not _CUTS.search(text_of(one.value))
            and not is_off(one.value, self.frame)
            and start(one.value) > start(self.turn)
            for one in own
        )

    def _from_before(self, keeper: ast.expr, node: ast.stmt) -> bool:
        """Whether the keeper starts as 0 or empty before the turn, and no turn renews it."""
        table = isinstance(keeper, ast.Subscript)
        root = keeper.value if isinstance(keeper, ast.Subscript) else keeper
        renewed = any(
            isinstance(one, ast.Assign)
            and one is not node
            and any(text_of(target) in (text_of(keeper), text_of(root)) for target in one.targets)
            and (_is_empty(one.value) or isinstance(one.value, _TABLES))
            for one in own_nodes(self.turn)
        )
        if renewed:
            return False
        if isinstance(root, ast.Attribute):
            return any(_starts(one, table) for one in self.frame.attribute_values(root))
        if not isinstance(root, ast.Name) or isinstance(self.turn, ast.FunctionDef):
            return False
        home, found = self.frame.bound(root.id)
        if home is self.frame and {one.role for one in found} <= {Role.ARGUMENT, Role.CHANGED}:
            return isinstance(node, ast.Expr)  # a list of the caller's
        known = [one for one in found if one.role is Role.WHOLE]
        before = [one for one in known if one.since < start(self.turn) or home is not self.frame]
        return any(_starts(one.value, table) for one in before)

    def _metered(self, node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
        """`meter.update(loss, n)`, where the meter's class is in sight and adds up what it gets."""
        call = node.value if isinstance(node, ast.Expr) else None
        func = call.func if isinstance(call, ast.Call) else None
        if not isinstance(call, ast.Call) or not isinstance(func, ast.Attribute) or not call.args:
            return None
        home, made = self._made(func.value)
        infos = [home.project.class_named(name, home.module) for name in made]
        info = infos[0] if len(infos) == 1 else None
        method = None if info is None else info.methods.get(func.attr)
        if method is None or info is None or not _adds_up(method):
            return None
        return _plain(call.args[0]), func.value

    def _made(self, keeper: ast.expr) -> tuple[Frame, list[str]]:
        """The names of the classes that a keeper is an instance of, made before the turn."""
        home, values = self.frame, self.frame.attribute_values(keeper)
        if isinstance(keeper, ast.Name):
            home, found = self.frame.bound(keeper.id)
            begin = start(self.turn)
            before = [one for one in found if one.since < begin or home is not self.frame]
            values = [one.value for one in before if one.value is not None]
        return home, [name for one in values if (name := home.module.names.called(one))]

    def _without_graph(self, node: ast.stmt) -> bool:
        """Whether the statement stands in a `with torch.no_grad()`."""
        return any(
            isinstance(one, ast.With)
            and start(one) <= start(node) <= end(one)
            and any(
                "no_grad" in text_of(item) or "inference" in text_of(item) for item in one.items
            )
            for one in own_nodes(self.turn)
        )


def _adds_up(method: FunctionNode) -> bool:
    """Whether a method adds its first argument, as it is, to what its object keeps."""
    names = [one.arg for one in method.args.args[1:2]]
    for node in own_nodes(method):
        for given, keeper in _added(node):
            if isinstance(given, ast.Name) and given.id in names and self_attribute(keeper):
                return not _CUTS.search(text_of(method))
    return False


def _root(value: ast.expr) -> ast.Name | None:
    """The name of a result that a loss is part of: `output` of `output.loss`, `out["loss"]`."""
    while isinstance(value, ast.Attribute | ast.Subscript):
        value = value.value
    return value if isinstance(value, ast.Name) else None


def _added(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """`total += loss`, `total = total + loss`, `losses.append(loss)`: the losses, their keeper."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        items = node.value.elts if isinstance(node.value, ast.List) else [node.value]
        yield from ((_plain(one), node.target) for one in items)
    elif isinstance(node, ast.Assign):
        chosen = node.value  # loss if total is None else total + loss
        parts = [chosen.body, chosen.orelse] if isinstance(chosen, ast.IfExp) else [chosen]
        for part in parts:
            yield from ((one, node.targets[0]) for one in _added_to(node.targets[0], part))
    call = node.value if isinstance(node, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    grows = isinstance(func, ast.Attribute) and func.attr == "append"
    if grows and isinstance(func, ast.Attribute) and isinstance(call, ast.Call) and call.args:
        yield from ((one, func.value) for one in _appended(call.args[0]))


def _added_to(keeper: ast.expr, value: ast.expr) -> list[ast.expr]:
    """What a sum adds to its keeper: the loss of `(total * i + loss) / (i + 1)`."""
    value = _factored(value)
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add):
        return []
    sides = [value.left, value.right]
    rest = [one for one in sides if text_of(_factored(one)) != text_of(keeper)]
    return [_plain(rest[0])] if len(rest) == 1 else []


def _appended(value: ast.expr) -> list[ast.expr]:
    """What an appended value holds: itself, or the entries of a pair or a table."""
    if isinstance(value, ast.Tuple | ast.List):
        return [_plain(one) for one in value.elts]
    if isinstance(value, ast.Dict):
        return [_plain(one) for one in value.values]
    return [_plain(value)]


def _plain(value: ast.expr) -> ast.expr:
    """The loss in `loss`, `loss * n`, `loss / n` and `loss.mean()`."""
    while True:
        inner = _factored(value)
        func = inner.func if isinstance(inner, ast.Call) else None
        if isinstance(func, ast.Attribute) and func.attr in _KEEPING:
            inner = inner if isinstance(func.value, ast.Attribute) else func.value
        if inner is value:
            return value
        value = inner


def _factored(value: ast.expr) -> ast.expr:
    """What a number multiplies or divides."""
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div):
        number = isinstance(value.left, ast.Constant) or _SIZES.search(text_of(value.left))
        value = value.right if number and isinstance(value.op, ast.Mult) else value.left
    return value


def _is_sum(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.Add | ast.Sub)
    return isinstance(value, ast.Call) and called_name(value) == "sum"


def _starts(value: ast.expr | None, table: bool) -> bool:
    """Whether a keeper begins empty: as a number or a list, or as a table of such."""
    if table and isinstance(value, _TABLES):
        return True
    return _is_empty(value)


def _is_empty(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Constant):
        return value.value in (0, 0.0, None) and value.value is not False
    if isinstance(value, ast.Call):
        zero = [one for one in value.args if isinstance(one, ast.Constant) and one.value == 0]
        return called_name(value) in _EMPTY_CALLS or (called_name(value) == "tensor" and bool(zero))
    return isinstance(value, ast.List) and not value.elts

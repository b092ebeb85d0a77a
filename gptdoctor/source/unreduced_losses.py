"""Losses that keep a number for each target, on their way to where one number is wanted."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_calls import callers_here
from gptdoctor.source.flow_functions import Function, script_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.known_networks import function_run
from gptdoctor.source.loss_calls import FUNCTIONAL
from gptdoctor.source.project import Project
from gptdoctor.source.value_ways import ORDERING, SHAPING, TURNED, Way, keyword, operation, ways_of

DEEPEST = 12  # operations, names and helpers, one behind the other
MOST = 300  # expressions of one loss
# What is done to each number by itself.
EACH = frozenset(
    {
        *("abs", "exp", "log", "log1p", "pow", "square", "sqrt", "clamp", "clamp_min", "clamp_max"),
        *("mul", "div", "add", "sub", "neg", "masked_fill", "nan_to_num", "relu", "softplus"),
    }
)
# Of these another tensor is made, of the same form or a larger one, of both that they are given.
_OF_BOTH = frozenset({"mul", "div", "add", "sub"})
# Along a dimension behind the first they leave a number for each row.
_REDUCING = frozenset({"sum", "mean", "amax", "max", "logsumexp", "nansum", "nanmean"})
_HOMES = frozenset({"torch.nn", "torch.nn.modules.loss"})


def is_unreduced(value: ast.expr, function: Function, project: Project) -> bool:
    """Whether a value has a number for each target, whichever way it came."""
    return _Search(project).value(value, function)


@dataclass(frozen=True)
class _Search:
    project: Project
    depth: int = 0
    asked: list[ast.expr] = field(default_factory=list)  # by all that belong to one question

    def value(self, value: ast.expr, function: Function) -> bool:
        """Whether an expression has a number for each target."""
        self.asked.append(value)
        if self.depth > DEEPEST or len(self.asked) > MOST:
            return False
        further = replace(self, depth=self.depth + 1)
        if isinstance(value, ast.Name):
            return further._name(value, function)
        if isinstance(value, ast.BinOp):
            sides = (value.left, value.right)
            each = not isinstance(value.op, ast.MatMult)
            return each and any(further.value(one, function) for one in sides)
        if isinstance(value, ast.UnaryOp):
            return further.value(value.operand, function)
        if isinstance(value, ast.Subscript):
            return _is_several(value.slice) and further.value(value.value, function)
        if isinstance(value, ast.Attribute):
            return value.attr in TURNED and further.value(value.value, function)
        return isinstance(value, ast.Call) and further._call(value, function)

    def _name(self, name: ast.Name, function: Function) -> bool:
        ways = ways_of(name, function, lambda *_: [], scaled=True)
        return bool(ways) and all(self._way(one, function) for one in ways)

    def _way(self, way: Way, function: Function) -> bool:
        source, binding = way.source, way.binding
        if source is None or isinstance(source, ast.Name):
            return False
        if binding is None:
            return self.value(source, function)
        if binding.role is not Role.ITEM or not isinstance(source, ast.Call):
            return False
        run, index = function_run(source, function, self.project), binding.index or 0
        items = [] if run is None else run.returned
        return bool(items) and all(
            isinstance(one, ast.Tuple)
            and len(one.elts) == binding.among
            and run is not None
            and self.value(one.elts[index], run)
            for one in items
        )

    def _call(self, call: ast.Call, function: Function) -> bool:
        settings = _settings_of(call, function, self.project)
        if settings is not None:
            return _says_none(settings)
        made = operation(call, function)
        if made is not None and made[0] in _REDUCING:
            return _keeps_rows(call) and self.value(made[1], function)
        single = made is not None and _may_be_one(made[0], call)
        if made is not None and made[0] in SHAPING | EACH | ORDERING and not single:
            others = call.args if made[0] in _OF_BOTH else []
            return any(self.value(one, function) for one in (made[1], *others))
        run = function_run(call, function, self.project)
        return (
            run is not None
            and bool(run.returned)
            and "yield" not in run.text
            and all(self.value(one, run) for one in run.returned)
        )


def _may_be_one(name: str, call: ast.Call) -> bool:
    """Whether an operation may leave a single number: `.squeeze()` of one row, `.topk(1)`."""
    if name == "squeeze":
        return not (call.args or call.keywords)
    return name == "topk" and any(getattr(one, "value", 0) == 1 for one in call.args)


def _keeps_rows(call: ast.Call) -> bool:
    """Whether a reduction is told dimensions, and not the first: `.sum(1)`, `.mean(dim=(1, 2))`.

    The last one may be the first.
    """
    method = isinstance(call.func, ast.Attribute) and len(call.args) > 0
    given = keyword(call, "dim", "axis")
    if given is None and method:
        given = call.args[-1]
    dims = given.elts if isinstance(given, ast.Tuple | ast.List) else [given]
    return all(
        isinstance(one, ast.Constant) and isinstance(one.value, int) and one.value >= 1
        for one in dims
    )


def _is_several(index: ast.expr) -> bool:
    """Whether an index leaves several numbers: a slice, or a mask."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    if any(isinstance(one, ast.Slice) for one in parts):
        return True
    return isinstance(index, ast.Compare) or (isinstance(index, ast.Name) and "mask" in index.id)


def _settings_of(call: ast.Call, function: Function, project: Project) -> ast.Call | None:
    """The call that says how a loss is reduced: itself, or the constructor of its module."""
    called = function.module.names.called
    if (called(call) or "").startswith(FUNCTIONAL):
        return call if keyword(call, "reduction", "reduce") is not None else None
    built = {id(one): one for one in _built(call.func, function, project)}
    for one in built.values():
        home, _, last = (called(one) or "").rpartition(".")
        known = len(built) == 1 and last.endswith("Loss") and home in _HOMES
        if known and isinstance(one, ast.Call):
            return one
    return None


def _built(func: ast.expr, function: Function, project: Project) -> list[ast.expr]:
    """What a called module was made by: here, in its class, in the script or by who hands it on."""
    own = self_attribute(func)
    if own is not None:
        return [] if function.owner is None else function.owner.attributes.get(own, [])
    if not isinstance(func, ast.Name):
        return [func]
    bindings = function.reaching(func)
    if not bindings and function.outer is None:
        bindings = script_of(function.module).bindings.by_name.get(func.id, [])
    if bindings and all(one.role is Role.ARGUMENT for one in bindings):
        sites = callers_here(project, function)
        given = [(one.argument(function, func.id), one.function) for one in sites]
        return [
            made.value
            for value, where in given
            for made in (where.reaching(value) if isinstance(value, ast.Name) else [])
            if made.value is not None
        ]
    return [one.value for one in bindings if one.role is Role.WHOLE and one.value is not None]


def _says_none(settings: ast.Call) -> bool:
    reduction, reduce = keyword(settings, "reduction"), keyword(settings, "reduce")
    if isinstance(reduce, ast.Constant):
        return reduce.value is False
    return isinstance(reduction, ast.Constant) and reduction.value == "none"

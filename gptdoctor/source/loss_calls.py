"""Where losses of torch are called: as functions, and as modules that were built somewhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.built_values import SAME
from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes, script_of
from gptdoctor.source.flow_targets import Role, target_beside
from gptdoctor.source.handed_losses import calls_in_class
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.statements import any_between
from gptdoctor.source.value_ways import keyword

FUNCTIONAL = "torch.nn.functional."
# The modules of torch.nn, and the function that each of them is.
MODULES = {
    "CrossEntropyLoss": "cross_entropy",
    "NLLLoss": "nll_loss",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "KLDivLoss": "kl_div",
}
LEAST = 2  # scores and targets
WORDS = frozenset({*MODULES, *MODULES.values()})
# All of these words but one have three letters in common, for which a text is gone through once.
_NAMES = (
    re.compile(
        r"oss(?:_entropy(?<=cross_entropy)|EntropyLoss(?<=CrossEntropyLoss)"
        r"|(?<=nll_loss)|(?<=NLLLoss)|(?<=BCEWithLogitsLoss)|(?<=KLDivLoss))"
    ),
    re.compile(r"kl_div"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class LossCall:
    """One call of a loss."""

    kind: str  # by the function's name
    call: ast.Call  # that is given scores and targets
    settings: ast.Call  # that has the weight, the reduction: the same, or the module's constructor
    scores: ast.expr
    targets: ast.expr
    function: Function  # in which it is called

    def setting(self, name: str) -> ast.expr | None:
        """What is set by name, or None."""
        return keyword(self.settings, name)


def names_of(*kinds: str) -> tuple[str, ...]:
    """The names by which losses of these kinds are called or built: triggers of a rule."""
    return (*kinds, *(name for name, kind in MODULES.items() if kind in kinds))


def may_call_losses(function: Function) -> bool:
    """Whether a function may call what `loss_of` knows, as far as words tell: most may not.

    A loss, or the module that is one, is named in the function, or in the class that keeps the
    module; a name of another name may stand for it, and so may one of a function around.
    """
    module, owner = function.module, function.owner
    if owner is None or function.outer is not None:
        return says_loss(module)
    return methods_may_call_losses(owner)


@kept(64)
def methods_may_call_losses(owner: ClassInfo) -> bool:
    """The same of all methods of a class."""
    module, node = owner.module, owner.node
    if not says_loss(module):
        return False
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    inside = any_between(_named_at(module), *module.bounds(first, node.end_lineno or first))
    return inside or is_renamed(module, WORDS)


def says_loss(module: SourceModule) -> bool:
    """Whether a file names any of these losses: without a name none is called."""
    return bool(_named_at(module))


@kept(64)
def _named_at(module: SourceModule) -> list[int]:
    """Where a file names any of these losses: looked for once, and not in each of its classes."""
    return sorted(name.start() for pattern in _NAMES for name in pattern.finditer(module.text))


def losses_at(
    node: ast.AST, project: Project, function: Function | None, parents: tuple[ast.AST, ...]
) -> Iterator[LossCall]:
    """The loss that a call is; or, of a loss module's constructor, the calls of that module.

    Of `self.criterion = F.cross_entropy`, the attribute of F, the calls by that other name.
    """
    if isinstance(node, ast.Call) and function is not None:
        yield from _losses_of(node, project, function, *_moved(node, parents))
    elif isinstance(node, ast.Attribute) and function is not None:
        kind = _named_kind(node, function) if isinstance(parents[-1], ast.Assign) else ""
        for where, call in _calls_of(node, project, function, parents[-1]) if kind else ():
            yield from _loss(kind, call, call, where)


def _moved(node: ast.Call, parents: tuple[ast.AST, ...]) -> tuple[ast.Call, ast.AST]:
    """A constructor's call with what moves it, `CrossEntropyLoss().to(device)`, and its parent."""
    around = list(parents)
    while len(around) > 2 and isinstance(around[-1], ast.Attribute) and around[-1].attr in SAME:
        call = around[-2]
        if not isinstance(call, ast.Call) or call.func is not around[-1]:
            break
        node, around = call, around[:-2]
    if isinstance(around[-1], ast.Tuple) and len(around) > 1:
        target = target_beside(node, around[-1], around[-2])
        return node, around[-1] if target is None else ast.Assign(targets=[target], value=node)
    return node, around[-1]


@kept(16)  # several rules ask of one call, one after the other
def _losses_of(
    node: ast.Call, project: Project, function: Function, built: ast.Call, parent: ast.AST
) -> tuple[LossCall, ...]:
    kind = _module_kind(node, function)
    if kind:
        # A loss that is handed on several times is called once all the same.
        calls = {call: where for where, call in _calls_of(built, project, function, parent)}
        return tuple(one for call, where in calls.items() for one in _loss(kind, call, node, where))
    kind = _function_kind(node, function)
    return tuple(_loss(kind, node, node, function)) if kind else ()


def loss_of(call: ast.Call, function: Function) -> LossCall | None:
    """The loss that a call is, of torch's functions or of a module in an attribute or a name."""
    kind, settings = _function_kind(call, function), call
    own = self_attribute(call.func)
    built = function.owner.attributes.get(own, []) if own and function.owner else [call.func]
    if isinstance(call.func, ast.Name):
        built = _built(call.func, function)
    made = _unmoved(built[0]) if len(built) == 1 else None
    if isinstance(made, ast.Call):
        kind, settings = _module_kind(made, function), made
    elif made is not None and made is not call.func:  # self.criterion = F.cross_entropy
        kind = _named_kind(made, function)
    return next(_loss(kind, call, settings, function), None) if kind else None


def _unmoved(built: ast.expr) -> ast.expr:
    """What a module was built by, without what moves it to a device."""
    while isinstance(built, ast.Call) and isinstance(built.func, ast.Attribute):
        if built.func.attr not in SAME or not isinstance(built.func.value, ast.Call):
            break
        built = built.func.value
    return built


def _built(name: ast.Name, function: Function) -> list[ast.expr]:
    """What a name that is called was made by, a script's too; the name itself, if by nothing."""
    bindings = function.reaching(name)
    if not bindings and says_loss(function.module):
        bindings = script_of(function.module).bindings.by_name.get(name.id, [])
    made = [one.value for one in bindings if one.role is Role.WHOLE and one.value is not None]
    return (made if len(made) == len(bindings) else []) if bindings else [name]


def _function_kind(call: ast.Call, function: Function) -> str:
    """The loss that a function of torch's is, "" for others."""
    return _named_kind(call.func, function)


def _named_kind(called: ast.expr, function: Function) -> str:
    """The loss that a name of torch's function is, "" for others."""
    qualified = function.module.names.qualified(called) or ""
    last = qualified.rpartition(".")[2]
    return last if qualified == FUNCTIONAL + last and last in MODULES.values() else ""


def _module_kind(call: ast.Call, function: Function) -> str:
    """The loss that a constructor's module is, "" for others."""
    home, _, last = (function.module.names.called(call) or "").rpartition(".")
    return MODULES.get(last, "") if home in ("torch.nn", "torch.nn.modules.loss") else ""


def _loss(kind: str, call: ast.Call, settings: ast.Call, function: Function) -> Iterator[LossCall]:
    scores = call.args[0] if call.args else keyword(call, "input")
    targets = call.args[1] if len(call.args) >= LEAST else keyword(call, "target")
    starred = any(isinstance(one, ast.Starred) for one in call.args[:LEAST])
    if scores is not None and targets is not None and not starred:
        yield LossCall(
            kind=kind,
            call=call,
            settings=settings,
            scores=scores,
            targets=targets,
            function=function,
        )


def _calls_of(
    built: ast.expr, project: Project, function: Function, parent: ast.AST
) -> Iterator[tuple[Function, ast.Call]]:
    """The calls of a module, where what it was assigned to holds nothing else."""
    if isinstance(parent, ast.Call) and parent.func is built:
        yield function, parent
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        target = parent.targets[0]
    elif isinstance(parent, ast.AnnAssign):
        target = parent.target
    else:
        return
    owner = function.owner
    own = self_attribute(target)
    if own and owner is not None and function.method and len(owner.attributes.get(own, [])) == 1:
        yield from calls_on_self(project, owner).get(own, ())
    elif isinstance(target, ast.Name):
        yield from _calls_of_name(target.id, built, project, function)


def _calls_of_name(
    name: str, built: ast.expr, project: Project, function: Function
) -> Iterator[tuple[Function, ast.Call]]:
    """The calls of a local name, and of the parameters that it is handed to as an argument."""
    for node in own_nodes(function.node):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == name:
            bindings = function.reaching(node.func)
            if all(one.role is Role.WHOLE and one.value is built for one in bindings):
                yield function, node
        elif any(isinstance(one, ast.Name) and one.id == name for one in _arguments(node)):
            yield from _calls_within(name, node, project, function)
            yield from calls_in_class(name, node, project, function)
    if function.node is script_of(function.module).node:
        yield from _calls_of_global(name, project, function.module)


def _calls_within(
    name: str, call: ast.Call, project: Project, function: Function
) -> Iterator[tuple[Function, ast.Call]]:
    """The calls of the parameter that a function in sight gets a loss as."""
    callee = callee_of(project, function, call)
    given = {} if callee is None else dict(zip(callee.parameter_names, call.args, strict=False))
    given |= {one.arg: one.value for one in call.keywords if one.arg}
    for parameter, value in given.items():
        if callee is not None and isinstance(value, ast.Name) and value.id == name:
            yield from _calls_of_free(parameter, Role.ARGUMENT, callee)


def _calls_of_global(
    name: str, project: Project, module: SourceModule
) -> Iterator[tuple[Function, ast.Call]]:
    """The calls, in functions, of a name that the module itself binds once."""
    if len(script_of(module).bindings.by_name.get(name, [])) == 1:
        for function in functions_of(project, module).values():
            if name in function.text:
                yield from _calls_of_free(name, None, function)


def _calls_of_free(
    name: str, role: Role | None, function: Function
) -> Iterator[tuple[Function, ast.Call]]:
    """The calls of a name in a function, where all that binds it has a role, or nothing does."""
    wanted = {role} if role else set()
    for node in own_nodes(function.node):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        own = node.func.id == name
        if own and {one.role for one in function.reaching(node.func)} == wanted:
            yield function, node


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(one.value for one in call.keywords)]


@kept(32)
def calls_on_self(
    project: Project, info: ClassInfo
) -> dict[str, tuple[tuple[Function, ast.Call], ...]]:
    """The calls `self.NAME(...)` in a class's methods, by name."""
    found: dict[str, list[tuple[Function, ast.Call]]] = {}
    functions = functions_of(project, info.module)
    for method in info.methods.values():
        for node in own_nodes(method):
            name = self_attribute(node.func) if isinstance(node, ast.Call) else None
            if name and isinstance(node, ast.Call):
                found.setdefault(name, []).append((functions[method], node))
    return {name: tuple(calls) for name, calls in found.items()}

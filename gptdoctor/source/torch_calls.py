"""Calls of torch's own layers and functions, and of what a class or a scope has made of a network.

What they take is listed for torch, and read for the project's classes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from gptdoctor.source.classes import ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, own_nodes
from gptdoctor.source.flow_targets import Role, names_in
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.signatures import is_bound_once
from gptdoctor.source.statements import own_statements
from gptdoctor.source.taken_arguments import Shape, way_of
from gptdoctor.source.text_values import kept_in
from gptdoctor.source.torch_tables import PASSED, TAKEN

# Decorators that leave what a method takes as it is.
LEAVING = frozenset({"no_grad", "inference_mode", "staticmethod", "classmethod", "autocast"})
# What moves a network, or switches its mode, gives the same network back.
SAME = frozenset({"to", "cuda", "cpu", "eval", "train", "float", "half", "double", "bfloat16"})
LISTS = frozenset({"torch.nn.ModuleList"})


def refusal_of_torch(module: SourceModule, call: ast.Call) -> str | None:
    """Why what `call` calls of torch does not accept it; None: it does, or nobody knows."""
    name = module.names.called(call) or ""
    taken = TAKEN.get(name)
    why = None if taken is None else _refused(_shape(taken), call)
    root = ast.unparse(call.func).partition(".")[0] if why else ""
    return why if why and is_bound_once(module, root) else None


@cache
def _shape(taken: str) -> Shape:
    text = taken.replace("@", ", device?, dtype?").replace("?", "=0").replace(" ,", ",")
    parsed = ast.parse(f"def taken({text}): 0").body
    return next(Shape(one, bound=False) for one in parsed if isinstance(one, ast.FunctionDef))


def _refused(shape: Shape | None, call: ast.Call) -> str | None:
    way = way_of(call) if shape is not None else None
    return None if shape is None or way is None else shape.refuses(way)


@kept(8)
def own_names(project: Project, module: SourceModule) -> frozenset[str]:
    """The methods and layers that the classes of a module may call by `self`."""
    found: set[str] = set()
    for info in project.classes(module).values():
        found.update(info.methods)
        for name, values in info.attributes.items():
            if any(isinstance(one, ast.Call) for one in values):
                found.add(name)
    return frozenset(found)


def refusal_by_self(project: Project, function: Function, call: ast.Call) -> str | None:
    """Why a method or a layer of the class does not accept to be called so."""
    name, owner = self_attribute(call.func), function.owner
    if name is None or owner is None or function.static or way_of(call) is None:
        return None
    if "type: ignore" in function.module.lines[call.lineno - 1]:
        return None  # its author was told by another checker, and means it
    return _refused(_shape_of_own(project, owner, function.module, name), call)


@kept(512)
def _shape_of_own(
    project: Project, owner: ClassInfo, module: SourceModule, name: str
) -> Shape | None:
    """What `self.NAME` takes, a method or a part that is set once; None: nobody knows."""
    method = owner.methods.get(name)
    if method is not None:
        others = sum(getattr(one, "name", "") == name for one in owner.node.body) > 1
        plain = name not in owner.attributes and not others
        return _of_method(method) if plain and not _is_stub(method) else None
    if name not in owner.attributes:
        return None
    maker = next(iter(owner.methods.values()), None)
    function = functions_of(project, module).get(maker) if maker is not None else None
    found = kept_in(project, function, name) if function is not None else None
    if found is None or found[1].owner is not owner:
        return None  # a base may be meant to be given other parts
    return shape_of_made(project, found[0], module)


def _of_method(method: FunctionNode) -> Shape | None:
    marks = {_mark(one) for one in method.decorator_list}
    return None if marks - LEAVING else Shape(method, bound="staticmethod" not in marks)


def _mark(decorator: ast.expr) -> str:
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    return inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")


def _is_stub(method: FunctionNode) -> bool:
    """Whether a method only says that somebody else defines it: it may take more there."""
    return all(isinstance(one, ast.Expr | ast.Pass | ast.Raise) for one in method.body)


def shape_of_made(project: Project, built: ast.expr, module: SourceModule) -> Shape | None:
    """What an instance takes when it is called, by the expression that makes it."""
    while called_name(built) in SAME and isinstance(built, ast.Call):
        inner = built.func.value if isinstance(built.func, ast.Attribute) else None
        if not isinstance(inner, ast.Call):
            break
        built = inner
    name = module.names.called(built) or ""
    if name in PASSED:
        return _shape(PASSED[name])
    info = project.class_named(name, module) if name else None
    if info is None or not project.is_network(info):
        return None
    if any("__call__" in one.methods for one in (info, *project.bases(info))):
        return None
    forward = info.methods.get("forward")
    several = sum(getattr(one, "name", "") == "forward" for one in info.node.body) > 1
    known = forward is not None and not several and not info.node.decorator_list
    return _of_method(forward) if known and forward is not None else None


def refused_in_loop(
    project: Project, loop: ast.For, function: Function
) -> Iterator[tuple[ast.Call, str]]:
    """The calls in a loop over a list of layers that these do not accept, and why."""
    for name, built, module in _elements(project, loop, function):
        shape = shape_of_made(project, built, module)
        for node in own_nodes(loop) if shape is not None else ():
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if not called or not isinstance(node, ast.Call):
                continue
            found = function.reaching(node.func) if isinstance(node.func, ast.Name) else []
            if len(found) == 1 and found[0].name == name and found[0].role is Role.ELEMENT:
                why = _refused(shape, node)
                if why is not None:
                    yield node, why


def _elements(
    project: Project, loop: ast.For, function: Function
) -> Iterator[tuple[str, ast.expr, SourceModule]]:
    """The name that stands for each layer of a list, and what makes one of them."""
    target, several = loop.target, loop.iter
    if called_name(several) == "enumerate" and isinstance(several, ast.Call) and several.args:
        several = several.args[0]
        target = target.elts[-1] if isinstance(target, ast.Tuple) else target
    name = self_attribute(several)
    found = kept_in(project, function, name) if name and isinstance(target, ast.Name) else None
    if found is None or not isinstance(target, ast.Name) or found[1].owner is not function.owner:
        return
    built, home = found[0], found[1].module
    if home.names.called(built) not in LISTS or not isinstance(built, ast.Call) or not built.args:
        return
    inner = built.args[0]
    if isinstance(inner, ast.ListComp | ast.GeneratorExp):
        yield target.id, inner.elt, home
    elif isinstance(inner, ast.List) and len({called_name(one) for one in inner.elts}) == 1:
        yield target.id, inner.elts[0], home


def refused_later(
    project: Project,
    module: SourceModule,
    made: ast.Assign,
    scope: ast.AST,
) -> Iterator[tuple[ast.Call, str]]:
    """The calls of a network that was just made and bound once in its scope: `net = Net()`."""
    target = made.targets[0]
    if not isinstance(target, ast.Name) or not isinstance(made.value, ast.Call):
        return
    shape = shape_of_made(project, made.value, module)
    if shape is None or _bindings(scope, target.id) != 1:
        return
    for node in own_nodes(scope):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            why = _refused(shape, node) if node.func.id == target.id else None
            if why is not None:
                yield node, why


def _bindings(scope: ast.AST, name: str) -> int:
    """How often a scope binds a name, in whatever way."""
    nodes = own_nodes(scope)
    stored = (one for one in nodes if isinstance(one, ast.Assign | ast.AugAssign | ast.For))
    targets = [
        target
        for one in stored
        for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
    ]
    count = sum(one.id == name for target in targets for one in names_in(target))
    others = any(
        isinstance(one, ast.With | ast.Global | ast.AnnAssign | ast.ClassDef | FunctionNode)
        and name in ast.unparse(one).split("\n", 1)[0]
        for one in own_statements(scope)
    )
    return count + others

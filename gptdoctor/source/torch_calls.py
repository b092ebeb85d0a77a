"""Calls of torch's own layers and functions, and of what a class or a scope has made of a network.

What they take is listed for torch, and read for the project's classes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from gptdoctor.source.classes import FUNCTIONS, ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, names_in
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.signatures import is_bound_once
from gptdoctor.source.statements import own_statements, places_of
from gptdoctor.source.taken_arguments import Shape, way_of
from gptdoctor.source.text_values import kept_in
from gptdoctor.source.torch_tables import PASSED, TAKEN

# Decorators that leave what a method takes as it is.
LEAVING = frozenset({"no_grad", "inference_mode", "staticmethod", "classmethod", "autocast"})
# What moves a network, or switches its mode, gives the same network back.
SAME = frozenset({"to", "cuda", "cpu", "eval", "train", "float", "half", "double", "bfloat16"})
LISTS = frozenset({"torch.nn.ModuleList"})
_BEFORE_BRACKET = frozenset({"(", ")", "\\", "#", ""})


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
    if shape is None or shape.fits_by_number(call):
        return None
    way = way_of(call)
    return None if way is None else shape.refuses(way)


def own_names(project: Project, module: SourceModule) -> frozenset[str]:
    """The methods and layers that the classes of a module may call by `self`."""
    found: set[str] = set()
    for info in project.classes(module).values():
        found.update(info.methods)
        for name, values in info.attributes.items():
            if len(values) == 1 and values[0].__class__ is ast.Call:  # as for `_made_once`
                found.add(name)
    return frozenset(found)


def refusal_of_own(project: Project, owner: ClassInfo, name: str, call: ast.Call) -> str | None:
    """Why a method or a layer of the class seems not to accept to be called so: a first look.

    Most are called once in the text, so that nothing is kept of what they take.
    """
    method = owner.methods.get(name)
    if method is not None:
        return _refused(_of_method(method), call)
    built = _made_once(owner, name)
    return None if built is None else _refused(_shape_of_made(project, built, owner.module), call)


def is_surely_own(project: Project, function: Function, call: ast.Call) -> bool:
    """Whether nothing else may stand behind the name of such a call: asked where it is refused."""
    name, owner = self_attribute(call.func), function.owner
    if name is None or owner is None or function.static:
        return False
    if "type: ignore" in function.module.lines[call.lineno - 1]:
        return False  # by such a remark the author means it
    method = owner.methods.get(name)
    if method is not None:
        return not _is_stub(method) and name not in owner.attributes and _stands_once(owner, name)
    built = _made_once(owner, name)
    return built is None or _is_sure(project, function, name, built)


def _made_once(owner: ClassInfo, name: str) -> ast.Call | None:
    """The one call that the class itself sets an attribute to."""
    values = owner.attributes.get(name, [])
    built = values[0] if len(values) == 1 else None
    return built if isinstance(built, ast.Call) else None


def _is_sure(project: Project, function: Function, name: str, built: ast.Call) -> bool:
    """Whether nothing but `built` may stand behind `self.NAME`: asked where it is refused."""
    found = kept_in(project, function, name)
    return found is not None and found[0] is built and _is_plain(project, built, function.module)


def _of_method(method: FunctionNode) -> Shape | None:
    if not method.decorator_list:  # as of most
        return Shape(method, bound=True)
    marks = {_mark(one) for one in method.decorator_list}
    return None if marks - LEAVING else Shape(method, bound="staticmethod" not in marks)


def _mark(decorator: ast.expr) -> str:
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    return inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")


def _is_stub(method: FunctionNode) -> bool:
    """Whether a method only says that somebody else defines it: it may take more there."""
    return all(isinstance(one, ast.Expr | ast.Pass | ast.Raise) for one in method.body)


def _stands_once(owner: ClassInfo, name: str) -> bool:
    """Whether a class defines a method no more than once: a branch may choose, or an overload."""
    return len([one for one in owner.node.body if getattr(one, "name", "") == name]) <= 1


def _shape_of_made(project: Project, built: ast.expr, module: SourceModule) -> Shape | None:
    """What an instance takes when it is called, by the expression that makes it."""
    name = module.names.called(unmoved(built)) or ""
    if name in PASSED:
        return _shape(PASSED[name])
    info = project.classes(module).get(name)
    foreign = name[:6] != "torch." and name.rpartition(".")[2][:1].isupper()
    if info is None and foreign and name.partition(".")[0] in module.names.roots:
        info = project.class_named(name, module)
    forward = info.methods.get("forward") if info is not None else None
    if info is None or forward is None or info.node.decorator_list:
        return None
    return _of_method(forward)


def unmoved(built: ast.expr) -> ast.expr:
    """`Net()` of `Net().to(device)`."""
    while isinstance(built, ast.Call) and isinstance(built.func, ast.Attribute):
        inner = built.func.value
        if built.func.attr not in SAME or not isinstance(inner, ast.Call):
            break
        built = inner
    return built


def _is_plain(project: Project, built: ast.expr, module: SourceModule) -> bool:
    """Whether a call of what is made runs its `forward`, and no `__call__` of somebody's own."""
    name = module.names.called(unmoved(built)) or ""
    info = None if name in PASSED else project.class_named(name, module)
    if info is None:
        return name in PASSED
    own = any("__call__" in one.methods for one in (info, *project.bases(info)))
    return project.is_network(info) and not own and _stands_once(info, "forward")


def refused_in_loop(
    project: Project, loop: ast.For, function: Function
) -> Iterator[tuple[ast.Call, str]]:
    """The calls in a loop over a list of layers that these do not accept, and why."""
    found = _element(loop, function)
    shape = None if found is None else _shape_of_made(project, found[2], function.module)
    if found is None or shape is None:
        return
    name, attribute, built = found
    for node in own_nodes(loop):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        why = _refused(shape, node) if node.func.id == name else None
        if why is None or not _is_plain(project, built, function.module):
            continue
        bound, whole = function.reaching(node.func), kept_in(project, function, attribute)
        if len(bound) == 1 and bound[0].role is Role.ELEMENT and whole is not None:
            yield node, why


def _element(loop: ast.For, function: Function) -> tuple[str, str, ast.expr] | None:
    """The name that stands for each layer of a list of the class, and what makes one of them."""
    target, several = loop.target, loop.iter
    if called_name(several) == "enumerate" and isinstance(several, ast.Call) and several.args:
        several = several.args[0]
        target = target.elts[-1] if isinstance(target, ast.Tuple) else target
    name, owner = self_attribute(several), function.owner
    if name is None or owner is None or not isinstance(target, ast.Name):
        return None
    built = _made_once(owner, name)
    if built is None or not built.args or function.module.names.called(built) not in LISTS:
        return None
    inner = built.args[0]
    if isinstance(inner, ast.ListComp | ast.GeneratorExp):
        return target.id, name, inner.elt
    same = isinstance(inner, ast.List) and len({called_name(one) for one in inner.elts}) == 1
    return (target.id, name, inner.elts[0]) if same and isinstance(inner, ast.List) else None


def refused_later(
    project: Project, module: SourceModule, made: ast.Assign, scope: ast.AST
) -> Iterator[tuple[ast.Call, str]]:
    """The calls of a network that was just made and bound once in its scope: `net = Net()`."""
    target, built = made.targets[0], unmoved(made.value)
    if not isinstance(target, ast.Name) or not called_name(built)[:1].isupper():
        return
    text = module.lines_of(scope) if isinstance(scope, FUNCTIONS) else module.text
    if not _may_be_called(text, target.id):
        return
    name = module.names.called(built) or ""
    here = name in PASSED or name in project.classes(module)
    # A class of another file may have to be read: for a script that trains it, that is worth it.
    known = here or ".backward(" in module.text
    shape = _shape_of_made(project, built, module) if known else None
    for node in own_nodes(scope) if shape is not None else ():
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != target.id:
            continue
        why = _refused(shape, node)
        once = why is not None and _bindings(scope, target.id) == 1
        if why is not None and once and _is_plain(project, built, module):
            yield node, why


def _may_be_called(text: str, name: str) -> bool:
    """Whether a bracket may follow a name: in a text without, nothing calls it."""
    ends = (at + len(name) for at in places_of(text, name))
    # More than spaces may stand between: the end of a line, a comment, the end of `(net)(x)`.
    return any(text[end : end + 80].lstrip()[:1] in _BEFORE_BRACKET for end in ends)


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

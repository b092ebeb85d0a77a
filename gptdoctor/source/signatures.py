"""Whether a function can be called in a certain way, as far as its text tells."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from gptdoctor.source.classes import ClassInfo, FunctionNode
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import import_statements
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Origin, Project


def refusal(project: Project, module: SourceModule, call: ast.Call) -> str | None:
    """Why what `call` calls, in this or another file of the project, does not accept it.

    None: it accepts it, or the text cannot tell.
    """
    name = module.names.called(call)
    if name is None or name.startswith("self.") or _spreads(call):
        return None
    why = _refused_by(project, module, call, name)
    # Whether the names mean one thing is asked last: it takes a look at the whole file.
    root = ast.unparse(call.func).partition(".")[0]
    return why if why is not None and _is_bound_once(module, root) else None


def _refused_by(project: Project, module: SourceModule, call: ast.Call, name: str) -> str | None:
    """Why the class or function of this name does not accept a call."""
    info = project.class_named(name, module)
    if info is not None:
        maker = _maker(project, info)
        why = None if maker is None else refused(call, maker, bound=True)
        return why if why is not None and _is_bound_once(info.module, info.name) else None
    origin, _, last = name.rpartition(".")
    home = project.module(origin, module) if origin else module
    function = home.functions.get(last) if home is not None else None
    if home is None or function is None or function.decorator_list:
        return None
    why = refused(call, function, bound=False)
    return why if why is not None and _is_bound_once(home, last) else None


def names_within(project: Project, module: SourceModule) -> frozenset[str]:
    """The last names by which a module's text may call a class or function of the project."""
    found = set(module.functions)
    found.update(symbol.rpartition(".")[2] for symbol in project.classes(module))
    origins = {one.rpartition(".")[0] for one in module.names.aliases.values()}
    own = {origin for origin in origins if _is_own(project, module, origin)}
    packages = {origin for origin in own if _is_package(project, module, origin)}
    for bound, qualified in module.names.aliases.items():
        origin = qualified.rpartition(".")[0]
        if origin in own:
            found.add(bound)
        if origin in packages:
            found.update(_names_in(project, module, qualified))
    for node in import_statements(module.tree):
        for alias in node.names if isinstance(node, ast.Import) else ():
            found.update(_names_in(project, module, alias.name))
    return frozenset(found)


def _names_in(project: Project, module: SourceModule, dotted: str) -> Iterator[str]:
    """The names of a module of the project, of which anything may be called."""
    home = project.module(dotted, module)
    if home is not None:
        yield from (*home.functions, *home.names.aliases)
        yield from (symbol.rpartition(".")[2] for symbol in project.classes(home))


def _is_package(project: Project, module: SourceModule, dotted: str) -> bool:
    """Whether a module may hold others."""
    file = project.resolve(dotted, module).file
    return file is None or file.name == "__init__.py"


def _is_own(project: Project, module: SourceModule, dotted: str) -> bool:
    """Whether a dotted name is a module of the project, or something in one."""
    while dotted:
        if project.resolve(dotted, module).origin is Origin.PROJECT:
            return True
        dotted = dotted.rpartition(".")[0]
    return False


def _is_bound_once(module: SourceModule, name: str) -> bool:
    """Whether a file gives a name one meaning, in whatever function."""
    bound = _BOUND.setdefault(module, Counter())
    if not bound:
        bound.update(name for node in every_node(module.tree) for name in _bound(node))
    return bound[name] == 1


_BOUND: WeakKeyDictionary[SourceModule, Counter[str]] = WeakKeyDictionary()


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a node binds."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (one.asname or one.name.partition(".")[0] for one in node.names)


def _spreads(call: ast.Call) -> bool:
    """Whether a call gives what it gives by `*` or `**`."""
    starred = any(isinstance(one, ast.Starred) for one in call.args)
    return starred or any(one.arg is None for one in call.keywords)


_MAKERS: WeakKeyDictionary[ClassInfo, FunctionNode | None] = WeakKeyDictionary()


def _maker(project: Project, info: ClassInfo) -> FunctionNode | None:
    """The constructor of a class; None where something else may take the arguments."""
    if info not in _MAKERS:
        _MAKERS[info] = _find_maker(project, info)
    return _MAKERS[info]


def _find_maker(project: Project, info: ClassInfo) -> FunctionNode | None:
    node = info.node
    if node.decorator_list or node.keywords:  # dataclass, metaclass
        return None
    for link in (info, *project.bases(info)):
        if "__new__" in link.methods or link.node.decorator_list or link.node.keywords:
            return None
    for link in (info, *project.bases(info)):
        maker = link.methods.get("__init__")
        if maker is not None:
            several = sum(getattr(one, "name", "") == "__init__" for one in link.node.body) > 1
            return None if several or maker.decorator_list else maker
        read = all(project.class_named(base, link.module) is not None for base in link.bases)
        if len(link.bases) != 1 or not read:
            return None  # a base that cannot be read may take them
    return None


def refused(call: ast.Call, function: FunctionNode, *, bound: bool) -> str | None:
    """Why `function` does not accept a call that spreads nothing; `bound`: it gets itself first."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    named = named[1:] if bound else named
    only = {one.arg for one in arguments.posonlyargs}
    by_name = {one.arg for one in (*named, *arguments.kwonlyargs)} - only
    given = [one.arg for one in call.keywords if one.arg is not None]
    strange = [name for name in given if name not in by_name]
    if strange and arguments.kwarg is None:
        return f"it takes no `{strange[0]}`"
    if len(call.args) > len(named) and arguments.vararg is None:
        return f"of {len(call.args)} positional arguments it takes {len(named)}"
    first = {one.arg for one in named[: len(call.args)]}
    if twice := first.intersection(given):
        return f"it is given `{min(twice)}` twice"
    optional = {one.arg for one in named[len(named) - len(arguments.defaults) :]}
    optional = optional if arguments.defaults else set()
    needed = [one.arg for one in named if one.arg not in optional]
    needed += [
        one.arg
        for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    missing = [name for name in needed if name not in first and name not in given]
    return f"it needs `{missing[0]}` as well" if missing else None

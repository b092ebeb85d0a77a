"""Whether a function can be called in a certain way, as far as its text tells."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

from gptdoctor.source.classes import ClassInfo, FunctionNode
from gptdoctor.source.definitions import definition_in
from gptdoctor.source.heads import bytes_of
from gptdoctor.source.kept import kept
from gptdoctor.source.lineage import DEEPEST_BASE, Home
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node
from gptdoctor.source.outlines import Outline
from gptdoctor.source.project import Project
from gptdoctor.source.taken_arguments import Shape, Way, way_of


def refusal(project: Project, module: SourceModule, call: ast.Call) -> str | None:
    """Why what `call` calls, in this or another file of the project, does not accept it.

    None: it accepts it, or the text cannot tell.
    """
    name = module.names.qualified(call.func)
    if name is None or name.startswith("self."):
        return None
    shapes = _shapes(project, module)
    if name not in shapes:
        shapes[name] = _find_shape(project, module, name)
    shape = shapes[name]
    if shape is None or shape.fits_by_number(call):
        return None
    way = way_of(call)
    if way is None or shape.refuses(way) is None:
        return None
    why = _refused_by(project, module, way, name)
    # Whether the names mean one thing is asked last: it takes a look at the whole file.
    root = ast.unparse(call.func).partition(".")[0]
    return why if why is not None and is_bound_once(module, root) else None


# What is taken by that which is called by a name, as far as a first look tells; None where it does
# not.  Nearly all calls fit it, and then nothing else has to be asked.
Shapes = dict[str, Shape | None]


@kept(64)
def _shapes(_project: Project, _module: SourceModule) -> Shapes:
    """What is known by now of what a module calls."""
    return {}


def _find_shape(project: Project, module: SourceModule, name: str) -> Shape | None:
    origin, _, last = name.rpartition(".")
    if not origin:
        return _shape_defined(project, module, last)
    file = project.resolve(origin, module).own
    if file is None:  # no module of the project is called so, but a class of a class may be
        info = project.classes(module).get(name)
        return None if info is None else _made_by(project, info)
    if (quick := _quick_shape(project, module, name)) is not None:
        return quick[0]
    if (info := project.class_named(name, module)) is not None:
        return _made_by(project, info)
    return _taken_by(_function_named(project, module, name))


def _taken_by(function: FunctionNode | None) -> Shape | None:
    return None if function is None else Shape(function, bound=False)


def _shape_defined(project: Project, home: SourceModule, name: str) -> Shape | None:
    """The same of what a file defines at its top level."""
    info = project.classes(home).get(name)
    if info is not None:
        return _made_by(project, info)
    return _taken_by(_function_named(project, home, name))


def _made_by(project: Project, info: ClassInfo) -> Shape | None:
    """What the nearest constructor of a class takes; None where that is out of sight."""
    if info.node.decorator_list or info.node.keywords:
        return None
    link: ClassInfo | None = info
    for _ in range(DEEPEST_BASE):
        if link is None or "__init__" in link.methods or len(link.bases) != 1:
            break
        if (quick := _quick_shape(project, link.module, link.bases[0])) is not None:
            return quick[0]
        link = project.class_named(link.bases[0], link.module)
    maker = None if link is None else link.methods.get("__init__")
    return None if maker is None else Shape(maker, bound=True)


# What is taken, or the base that tells; None where the whole file has to be read.
Quick = tuple[Shape | None] | ast.expr | None
_QUICK: WeakKeyDictionary[Project, dict[tuple[Path, str], Quick]] = WeakKeyDictionary()
# By file and name, what is called so by all that have it from there.
_OFFERED: WeakKeyDictionary[Project, dict[Path, dict[str, tuple[Shape | None]]]] = (
    WeakKeyDictionary()
)


def _quick_shape(project: Project, module: SourceModule, name: str) -> tuple[Shape | None] | None:
    """The same of what another file offers: mostly its definition alone has to be read."""
    origin, _, last = name.rpartition(".")
    file = project.resolve(origin, module).own if origin else None
    if file is None:
        return None
    project.footprints.note(module.file, file, (last,))
    offered = _OFFERED.setdefault(project, {}).setdefault(file, {})
    if last not in offered:
        found = _follow(project, module, name)
        if found is None:
            return None
        offered[last] = found
    return offered[last]


def _follow(project: Project, module: SourceModule, name: str) -> tuple[Shape | None] | None:
    home: Home = module
    for turn in range(DEEPEST_BASE):  # each follows one re-export, or a base in another file
        origin, _, last = name.rpartition(".")
        file = project.resolve(origin, home).own if origin else None
        if file is None:
            return (None,) if turn else None
        quick = _of_unread(project, home, file, last)
        if isinstance(quick, tuple):
            return quick
        other = project.home(origin, home, last)
        if other is None:
            return None
        further = _handed_on(project, other, quick or last)
        if not isinstance(further, str):
            return further
        home, name = other, further
    return None


def _of_unread(project: Project, home: Home, file: Path, name: str) -> Quick:
    """The same of a name that a file defines itself which is not parsed."""
    if file in project.trees or project.overlay:
        return None
    project.footprints.note(home.file, file, (name,))
    known = _QUICK.setdefault(project, {})
    if (file, name) not in known:
        known[file, name] = _read_quickly(bytes_of(file).decode(errors="replace"), name)
    return known[file, name]


def _handed_on(
    project: Project, home: Home, asked: ast.expr | str
) -> str | tuple[Shape | None] | None:
    """What a file calls so, where an import of it tells; else what is taken, as in `Quick`."""
    if isinstance(home, Outline):
        return _handed_on_unread(home, asked if isinstance(asked, str) else ast.unparse(asked))
    if not isinstance(asked, str):
        return None
    further = home.names.aliases.get(asked)
    if asked in project.classes(home) or asked in home.functions:
        return (_shape_defined(project, home, asked),) if further is None else None
    return None if further in project.classes(home) else further


def _handed_on_unread(home: Outline, written: str) -> str | tuple[None] | None:
    root, dot, _ = written.partition(".")
    if not dot and home.leads_nowhere(root):
        return (None,)
    return home.qualified(written) if root not in home.classes and home.aliases.get(root) else None


def _read_quickly(text: str, name: str) -> Quick:
    base: ast.expr | None = None
    for _ in range(DEEPEST_BASE):
        node = definition_in(text, name)
        if node is None:
            return base
        if node.decorator_list:
            return (None,)
        if not isinstance(node, ast.ClassDef):
            return (Shape(node, bound=False),)
        maker = [one for one in node.body if getattr(one, "name", "") == "__init__"][-1:]
        if maker:
            function = maker[0]
            return (Shape(function, bound=True),) if isinstance(function, FunctionNode) else None
        plain = [one for one in node.bases if isinstance(one, ast.Name | ast.Attribute)]
        if len(node.bases) != 1:
            # Of several bases nobody looks which one takes the arguments.
            return (None,) if len(plain) == len(node.bases) else None
        base = plain[0] if plain else None
        if not isinstance(base, ast.Name):
            return base
        name = base.id
    return None


def _refused_by(project: Project, module: SourceModule, way: Way, name: str) -> str | None:
    """Why the class or function of this name does not accept to be called in a way."""
    info = project.class_named(name, module)
    if info is not None:
        maker = _maker(project, info)
        why = None if maker is None else Shape(maker, bound=True).refuses(way)
        return why if why is not None and is_bound_once(info.module, info.name) else None
    function = _function_named(project, module, name)
    why = None if function is None else Shape(function, bound=False).refuses(way)
    if why is None:
        return None
    origin, _, last = name.rpartition(".")
    home = project.module(origin, module) if origin else module
    return why if home is not None and is_bound_once(home, last) else None


def _function_named(project: Project, module: SourceModule, name: str) -> FunctionNode | None:
    """The undecorated function of this name, at the top level of this or another file."""
    origin, _, last = name.rpartition(".")
    home = project.module(origin, module, last) if origin else module
    function = home.functions.get(last) if home is not None else None
    return None if function is None or function.decorator_list else function


def is_bound_once(module: SourceModule, name: str) -> bool:
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

"""What a receiver in a method was made as: `self.layers[i]`, the name of a loop, an alias.

By the text of the class and its bases: every statement that sets an attribute counts, and where
one of them cannot be followed nothing is known of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.constructors import Setting, settings_of
from gptdoctor.source.flow_assigned import Assigned
from gptdoctor.source.flow_attributes import CHAINED, CONTAINERS
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.imports import is_none
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.statements import ASSIGNMENTS

DEEPEST = 8  # names, helpers and containers in one another; longer chains are loops
_FOLLOWED = frozenset({Role.WHOLE, Role.ELEMENT, Role.ITEM})
_ITERATED = frozenset({"list", "tuple", "reversed", "iter"})
_VIEWS = frozenset({"values"})  # of a dictionary: its elements


class _UnknownError(Exception):
    """A value comes from where no text tells what it is."""


def made_as(project: Project, value: ast.expr, function: Function) -> list[Assigned]:
    """The expressions that a value may have been made by; none where one is not in sight."""
    try:
        return list(_Makers(project).of(Assigned(value, function), 0))
    except (_UnknownError, RecursionError):
        return []


def items_of(project: Project, value: ast.expr, function: Function) -> list[Assigned]:
    """The expressions that made what lies in a container; none where one is not in sight."""
    try:
        return list(_Makers(project).inside(Assigned(value, function), 0))
    except (_UnknownError, RecursionError):
        return []


class _Makers:
    """Follows values back to the expressions that made them."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def of(self, at: Assigned, depth: int) -> Iterator[Assigned]:
        """The makers of a value."""
        value, function = at.value, at.function
        own = self_attribute(value)
        if depth > DEEPEST:
            raise _UnknownError
        if own is not None:
            yield from self._of_attribute(own, function, depth)
        elif isinstance(value, ast.Name):
            yield from self._of_name(value, function, depth)
        elif isinstance(value, ast.Subscript):
            whole = isinstance(value.slice, ast.Slice)
            follow = self.of if whole else self.inside
            yield from follow(Assigned(value.value, function), depth + 1)
        elif isinstance(value, ast.IfExp):
            yield from self._each([value.body, value.orelse], function, depth)
        elif isinstance(value, ast.Call):
            yield from self._of_call(value, function, depth)
        else:
            yield at

    def inside(self, at: Assigned, depth: int) -> Iterator[Assigned]:
        """The makers of what lies in a container."""
        helper = self._helper(at.value, at.function) if isinstance(at.value, ast.Call) else None
        if helper is not None and depth < DEEPEST:  # what it fills before it returns counts, too
            for value in helper.returned:
                yield from self.inside(Assigned(value, helper), depth + 1)
            return
        own = self_attribute(at.value)
        if own is not None:
            added = [one for one in self._settings(own, at.function) if not _is_whole(one[0])]
            for setting, method in added:
                yield from self._added(setting, method, depth)
        if isinstance(at.value, ast.Name):
            yield from self._filled(at.value, at.function, depth)
        for maker in self.of(at, depth):
            yield from self._contents(maker, depth + 1)

    def _of_attribute(self, name: str, function: Function, depth: int) -> Iterator[Assigned]:
        found = [one for one in self._settings(name, function) if _is_whole(one[0])]
        if not found:
            raise _UnknownError
        for setting, method in found:
            if not is_none(setting.value):
                yield from self.of(Assigned(setting.value, method), depth + 1)

    def _settings(self, name: str, function: Function) -> list[tuple[Setting, Function]]:
        if function.owner is None:
            raise _UnknownError
        return _settings_in_class(self.project, function.owner, name)

    def _of_name(self, name: ast.Name, function: Function, depth: int) -> Iterator[Assigned]:
        bindings = [one for one in function.reaching(name) if one.role is not Role.CHANGED]
        if not bindings:
            raise _UnknownError
        for binding in bindings:
            if binding.value is None or binding.role not in _FOLLOWED:
                raise _UnknownError
            follow = self.inside if binding.role is Role.ELEMENT else self.of
            for maker in follow(Assigned(binding.value, function), depth + 1):
                if binding.index is None:
                    yield maker
                else:
                    yield from self._item(maker, binding, depth + 1)

    def _item(self, maker: Assigned, binding: Binding, depth: int) -> Iterator[Assigned]:
        """The makers of the one item of a list that a name gets when it is taken apart."""
        display, function = maker.value, maker.function
        called = function.module.names.called(display)
        if isinstance(display, ast.Call) and called == "torch.nn.ModuleList" and display.args:
            display = display.args[0]
        items = display.elts if isinstance(display, ast.List | ast.Tuple) else []
        starred = any(isinstance(one, ast.Starred) for one in items)
        if starred or len(items) != binding.among or binding.index is None:
            raise _UnknownError
        yield from self.of(Assigned(items[binding.index], function), depth + 1)

    def _filled(self, name: ast.Name, function: Function, depth: int) -> Iterator[Assigned]:
        """What is added to a local list."""
        for binding in function.reaching(name):
            if binding.role is Role.CHANGED and binding.value is not None:
                several = isinstance(binding.value, ast.List | ast.ListComp | ast.GeneratorExp)
                follow = self.inside if several else self.of
                yield from follow(Assigned(binding.value, function), depth + 1)

    def _added(self, setting: Setting, method: Function, depth: int) -> Iterator[Assigned]:
        """What `append`, `extend` or an index puts into an attribute."""
        node = setting.node
        extended = isinstance(node, ast.Call) and called_name(node) == "extend"
        several = extended or isinstance(node, ast.AugAssign)
        follow = self.inside if several else self.of
        yield from follow(Assigned(setting.value, method), depth + 1)

    def _of_call(self, call: ast.Call, function: Function, depth: int) -> Iterator[Assigned]:
        """What a helper of the class or the file returns; a moved layer is the layer."""
        moved = isinstance(call.func, ast.Attribute) and call.func.attr in CHAINED
        if moved and isinstance(call.func, ast.Attribute) and not self_attribute(call.func):
            yield from self.of(Assigned(call.func.value, function), depth + 1)
            return
        maker = self._helper(call, function)
        if maker is None:
            yield Assigned(call, function)
            return
        if not maker.returned:
            raise _UnknownError
        for value in maker.returned:
            yield from self.of(Assigned(value, maker), depth + 1)

    def _helper(self, call: ast.Call, function: Function) -> Function | None:
        """The function or method of this file that a call calls."""
        own, module = self_attribute(call.func), function.module
        if own is not None and function.owner is not None:
            node = function.owner.methods.get(own)
        else:
            node = module.functions.get(module.names.called(call) or "")
        return None if node is None else functions_of(self.project, module).get(node)

    def _contents(self, maker: Assigned, depth: int) -> Iterator[Assigned]:
        """The makers of what one container is made of."""
        value, function = maker.value, maker.function
        if isinstance(value, ast.List | ast.Tuple | ast.Set):
            yield from self._each(value.elts, function, depth)
        elif isinstance(value, ast.Dict):
            yield from self._each(value.values, function, depth)
        elif isinstance(value, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            yield from self._each([value.elt], function, depth)
        elif isinstance(value, ast.DictComp):
            yield from self._each([value.value], function, depth)
        elif isinstance(value, ast.BinOp):
            sides = [value.left, value.right] if isinstance(value.op, ast.Add) else []
            sides = sides or [one for one in (value.left, value.right) if _is_display(one)]
            for side in sides:
                yield from self._contents(Assigned(side, function), depth + 1)
        elif isinstance(value, ast.Call):
            yield from self._in_container(value, function, depth)
        else:
            raise _UnknownError

    def _in_container(self, call: ast.Call, function: Function, depth: int) -> Iterator[Assigned]:
        home, _, name = (function.module.names.called(call) or "").rpartition(".")
        if home == "torch.nn" and name == "Sequential":
            yield from self._each(call.args, function, depth)
        elif (home == "torch.nn" and name in CONTAINERS) or (not home and name in _ITERATED):
            for given in call.args[:1]:
                yield from self.inside(Assigned(given, function), depth + 1)
        elif isinstance(call.func, ast.Attribute) and call.func.attr in _VIEWS:
            yield from self.inside(Assigned(call.func.value, function), depth + 1)
        else:
            raise _UnknownError

    def _each(
        self, values: Iterable[ast.expr | None], function: Function, depth: int
    ) -> Iterator[Assigned]:
        for value in values:
            if value is None:  # **more
                raise _UnknownError
            starred = isinstance(value, ast.Starred)
            follow = self.inside if starred else self.of
            inner = value.value if isinstance(value, ast.Starred) else value
            yield from follow(Assigned(inner, function), depth + 1)


@kept(64)
def _settings_in_class(
    project: Project, info: ClassInfo, name: str
) -> list[tuple[Setting, Function]]:
    """What a class gives to an attribute, with the method; else what its bases do."""
    for link in (info, *project.bases(info)):
        if name not in link.text:
            continue
        functions = functions_of(project, link.module)
        found = [
            (setting, functions[method])
            for method in link.methods.values()
            for setting in settings_of(method)
            if setting.name == name
        ]
        if found:
            return found
    return []


def _is_whole(setting: Setting) -> bool:
    """Whether a setting is of the attribute itself, and not of something in it."""
    node = setting.node
    if isinstance(node, ast.Call):  # `self.layers.append(...)` or `self.add_module("layers", ...)`
        return not isinstance(node.func, ast.Attribute) or self_attribute(node.func.value) is None
    if not isinstance(node, ASSIGNMENTS):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return not any(isinstance(target, ast.Subscript) for target in targets)


def _is_display(value: ast.expr) -> bool:
    return isinstance(value, ast.List | ast.Tuple | ast.ListComp)

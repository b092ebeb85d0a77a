"""What a demonstration of the user's teaches about building: all but its sizes.

Its string options, switches, parts and classes are taken as they are; its numbers are made small
by the same rules as all others, so that the sizes stay coherent.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

from torch import nn

from gptdoctor.specimen.demos import Demo, inlined
from gptdoctor.specimen.lessons import Lessons
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.reach import compiled, namespace
from gptdoctor.specimen.values import Written, literal, small
from gptdoctor.specimen.variants import Variant

_NOTHING: Any = object()  # an argument of which the text tells nothing usable
_DEEPEST = 6
# What may be called to make a value: nothing that reads files or reaches out.
_HARMLESS = ("torch.nn", "torch.optim", "functools", "math", "operator")
_NAMESPACES = frozenset({"SimpleNamespace", "Namespace", "EasyDict", "AttrDict", "DotDict"})


@dataclasses.dataclass(kw_only=True)
class DemoLessons:
    """Takes the lessons of one demonstration, for the sizes of one variant."""

    demo: Demo
    module: ModuleType
    root: str
    variant: Variant
    lessons: Lessons = dataclasses.field(default_factory=Lessons)
    # the numbers of the demonstration that were made small, and what became of them
    sizes: dict[int, int] = dataclasses.field(default_factory=dict)

    def take(self, made: Callable[..., Any]) -> Lessons:
        """What the demonstration gives to `made`, and to all that is made for it."""
        self._teach(made, self.demo.build, 0)
        return self.lessons

    def _teach(self, made: Callable[..., Any], call: ast.Call, depth: int) -> None:
        try:
            siblings = frozenset(inspect.signature(made).parameters)
        except (TypeError, ValueError):
            return  # a class that tells nothing of its parameters
        given = dict(self._arguments(made, call)) if depth < _DEEPEST else {}
        for name, node in given.items():
            self._lesson(made, name, node, siblings, depth)

    def _arguments(
        self, made: Callable[..., Any], call: ast.Call
    ) -> Iterator[tuple[str, ast.expr]]:
        """The arguments of a call by parameter; what `**kwargs` take goes by its own name."""
        positional = [each for each in call.args if not isinstance(each, ast.Starred)]
        named = {each.arg: each.value for each in call.keywords if each.arg is not None}
        for each in call.keywords:
            spread = inlined(each.value, self.demo.names) if each.arg is None else None
            named |= dict(_items(spread)) if spread is not None else {}
        signature = inspect.signature(made)
        try:
            bound = signature.bind_partial(*positional, **named)
        except TypeError:
            return  # of another version of the class
        for name, value in bound.arguments.items():
            kind = signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                extra = self.lessons.extra.setdefault(made, {})
                extra.update(dict.fromkeys(value))
                yield from value.items()
            elif kind is not inspect.Parameter.VAR_POSITIONAL:
                yield name, value

    def _lesson(
        self,
        made: Callable[..., Any],
        name: str,
        node: ast.expr,
        siblings: frozenset[str],
        depth: int,
    ) -> None:
        node = inlined(node, self.demo.names)
        part = self._class_called(node)
        if part is not None and isinstance(node, ast.Call):
            self.lessons.classes[made, name] = part
            self._teach(part, node, depth + 1)
            return
        written = self._written(name, node, siblings)
        if written is not None:
            self.lessons.values[made, name] = written

    def _class_called(self, node: ast.expr) -> type | None:
        """The class of the user's of which an expression makes an instance."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
            return None
        found = self._looked_up(node.func)
        if not isinstance(found, type):
            return None
        home = getattr(sys.modules.get(found.__module__), "__file__", None)
        own = isinstance(home, str) and project_path(home, self.root) is not None
        return found if own else None

    def _written(self, name: str, node: ast.expr, siblings: frozenset[str]) -> Written | None:
        """The value of one argument, made small where it is a size; None: it cannot be told."""
        value = self._plain(node)
        if value is not _NOTHING:
            return self._small(name, value, siblings)
        items = dict(_items(node))
        if items:
            return self._holder(node, items)
        if isinstance(node, ast.List | ast.Tuple):
            members = [self._written(name, each, siblings) for each in node.elts]
            known = [each for each in members if each is not None]
            code = f"[{', '.join(each.code for each in known)}]"
            return Written([each.value for each in known], code) if known == members else None
        return self._evaluated(node) if self._is_harmless(node) else None

    def _holder(self, node: ast.expr, items: Mapping[str, ast.expr]) -> Written | None:
        """A dictionary or a namespace, written out in the text."""
        inside = frozenset(items)
        made = {key: self._written(key, each, inside) for key, each in items.items()}
        known = {key: each for key, each in made.items() if each is not None}
        values = {key: each.value for key, each in known.items()}
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _NAMESPACES:
            inner = ", ".join(f"{key}={each.code}" for key, each in known.items())
            return Written(SimpleNamespace(**values), f"SimpleNamespace({inner})")
        inner = ", ".join(f"{key!r}: {each.code}" for key, each in known.items())
        return Written(values, "{" + inner + "}")

    def _plain(self, node: ast.expr) -> Any:
        """A number, a text or the like, also one that is computed from numbers alone."""
        allowed = (
            ast.Constant,
            ast.BinOp,
            ast.UnaryOp,
            ast.operator,
            ast.unaryop,
            ast.List,
            ast.Tuple,
            ast.expr_context,
        )
        if not all(isinstance(each, allowed) for each in ast.walk(node)):
            return _NOTHING
        if any(isinstance(each, ast.Pow | ast.LShift) for each in ast.walk(node)):
            numbers = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
            if any(isinstance(each, int) and each > 64 for each in numbers):
                return _NOTHING  # it may have no end
        try:
            return eval(compiled(node, "<demo>"), {"__builtins__": {}})  # noqa: S307 - numbers alone
        except Exception:  # 1 / 0, "a" - 1
            return _NOTHING

    def _small(self, name: str, value: Any, siblings: frozenset[str]) -> Written:
        made = small(name, value, None, self.variant, siblings) or literal(value)
        if type(value) is int and type(made.value) is int:
            self.sizes.setdefault(value, made.value)
        return made

    def _is_harmless(self, node: ast.expr) -> bool:
        """Whether an expression names classes and functions, or calls torch's own layers."""
        allowed = (ast.Name, ast.Attribute, ast.Call, ast.Constant, ast.keyword, ast.expr_context)
        if isinstance(node, ast.Lambda):
            return True  # it is not called here
        if not all(isinstance(each, allowed) for each in ast.walk(node)):
            return False
        calls = (each for each in ast.walk(node) if isinstance(each, ast.Call))
        return all(self._is_known(each.func) for each in calls)

    def _is_known(self, node: ast.expr) -> bool:
        found = self._looked_up(node)
        home = getattr(found, "__module__", "") or ""
        layer = isinstance(found, type) and issubclass(found, nn.Module)
        return home.startswith(_HARMLESS) and (layer or not home.startswith("torch"))

    def _looked_up(self, node: ast.expr) -> Any:
        """What a dotted name stands for; None where it stands for nothing."""
        names = (each for each in ast.walk(node) if not isinstance(each, ast.expr_context))
        if not all(isinstance(each, ast.Name | ast.Attribute) for each in names):
            return None
        written = self._evaluated(node)
        return None if written is None else written.value

    def _evaluated(self, node: ast.expr) -> Written | None:
        reached = namespace(node, self.module, self.root, {})
        try:
            value = eval(compiled(node, "<demo>"), reached)  # noqa: S307 - a name, or torch's own
        except Exception:  # a name of the demonstration's file alone
            return None
        return Written(value, ast.unparse(node))


def _items(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The items of a dictionary or namespace that is written out."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
    elif isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2]
        if name == "dict" or name in _NAMESPACES:
            yield from ((each.arg, each.value) for each in node.keywords if each.arg is not None)
            for argument in node.args:
                yield from _items(argument)

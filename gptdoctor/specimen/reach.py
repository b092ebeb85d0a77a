"""The names that an expression of the user's may use beside those of the model's own file."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Mapping
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

from gptdoctor.specimen.reads import project_modules


class OtherNames(dict[str, Any]):
    """Names that the model's module does not know: those of the project's other modules."""

    def __init__(self, module: ModuleType, root: str) -> None:
        super().__init__()
        self._module = module
        self._root = root

    def __missing__(self, name: str) -> Any:
        if name in vars(self._module) or hasattr(builtins, name):
            raise KeyError(name)
        if name == "SimpleNamespace":  # as our own code for a configuration writes it
            return SimpleNamespace
        for other in [*project_modules(self._root), sys.modules.get(name)]:
            if other is not None and (other.__name__ == name or name in vars(other)):
                return other if other.__name__ == name else vars(other)[name]
        raise KeyError(name)


def namespace(
    node: ast.AST, module: ModuleType, root: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """All that the names in `node` may mean: what is `given`, then the module's, then others.

    A dictionary of its own, since functions inside an expression see nothing but globals, and
    the module's own names must stay as they are.
    """
    others = OtherNames(module, root)
    found = dict(vars(module))
    for used in {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}:
        try:
            found.setdefault(used, others[used])
        except KeyError:
            continue
    return found | dict(given)


def compiled(node: ast.expr, origin: str) -> CodeType:
    """The code of a node, which tells `origin` as its file in a traceback."""
    return compile(ast.fix_missing_locations(ast.Expression(node)), origin, "eval")

"""The names that an expression of the user's may use beside those of the model's own file."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

from gptdoctor.specimen.reads import project_modules

# Names that our own code for an instance uses, whatever the user's file imports.
_LENT = {
    "torch": "import torch",
    "sys": "import sys",
    "SimpleNamespace": "from types import SimpleNamespace",
}
# A file whose name is a module's of somebody else's is loaded under this prefix.
RENAMED = "examined_"


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
        home = self.home_of(name)
        if home is None:
            raise KeyError(name)
        return home if home.__name__ == name else vars(home)[name]

    def home_of(self, name: str) -> ModuleType | None:
        """The module that is called `name`, or holds it."""
        for other in [*project_modules(self._root), sys.modules.get(name)]:
            if other is not None and (other.__name__ == name or name in vars(other)):
                return other
        return None


def namespace(
    node: ast.AST, module: ModuleType, root: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """All that the names in `node` may mean: what is `given`, then the module's, then others.

    A dictionary of its own, since functions inside an expression see nothing but globals, and
    the module's own names must stay as they are.
    """
    return vars(module) | other_names(node, module, root) | dict(given)


def other_names(node: ast.AST, module: ModuleType, root: str) -> dict[str, Any]:
    """What the names in `node` mean that the module does not know, as far as anything knows it."""
    others = OtherNames(module, root)
    found = {}
    for used in {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}:
        with suppress(KeyError):
            found[used] = others[used]
    return found


def imports_for(code: str, module: ModuleType, root: str) -> tuple[str, ...]:
    """The import statements with which `code` can be run in a file of its own."""
    others = OtherNames(module, root)
    lines = {"import torch"}
    for name in _read_in(code):
        home = module if name in vars(module) else others.home_of(name)
        if name in _LENT:
            lines.add(_LENT[name])
        elif home is not None and not hasattr(builtins, name):
            whole = home.__name__ == name
            lines.add(f"import {name}" if whole else f"from {_importable(home)} import {name}")
    return tuple(sorted(lines))


def _read_in(code: str) -> set[str]:
    """The names that an expression takes from outside of it."""
    found = [each for each in ast.walk(ast.parse(code)) if isinstance(each, ast.Name)]
    bound = {each.id for each in found if isinstance(each.ctx, ast.Store)}
    return {each.id for each in found} - bound


def _importable(module: ModuleType) -> str:
    return module.__name__.removeprefix(RENAMED)


def compiled(node: ast.expr, origin: str) -> CodeType:
    """The code of a node, which tells `origin` as its file in a traceback."""
    return compile(ast.fix_missing_locations(ast.Expression(node)), origin, "eval")

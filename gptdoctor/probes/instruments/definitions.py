"""Where the text of a user's class makes a parameter, and where it gives it its first values."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import nn

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.loaded_text import tree_of_file
from gptdoctor.specimen.places import project_path

# Calls that fill a tensor: torch.nn.init, and the methods of tensors.
_CONSTANT_FILLS = frozenset({"constant_", "zeros_", "ones_", "fill_", "zero_"})
_OTHER_FILLS = frozenset(
    {
        "normal_",
        "trunc_normal_",
        "uniform_",
        "eye_",
        "orthogonal_",
        "sparse_",
        "xavier_normal_",
        "xavier_uniform_",
        "kaiming_normal_",
        "kaiming_uniform_",
        "copy_",
        "mul_",
        "div_",
    }
)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method of a user's class, as text."""

    path: str
    symbol: str
    node: ast.FunctionDef | ast.AsyncFunctionDef

    def at(self, node: ast.expr | ast.stmt) -> Place:
        """The line of a part of it."""
        return Place(path=self.path, symbol=self.symbol, line=node.lineno)


def made_at(model: nn.Module, name: str, root: str) -> Place | None:
    """Where the parameter or buffer `name` of `model` is made, or the module that holds it.

    Of several statements, the first that is not in a branch which this instance did not take.
    """
    owner, attribute = _owner(model, name, root)
    for function in [] if owner is None else _methods(type(owner), root):
        found = [
            node
            for node in ast.walk(function.node)
            if _assigned(node, attribute) and isinstance(node, ast.stmt | ast.expr)
        ]
        taken = [node for node in found if not _is_passed_by(node, function.node, owner)]
        if found:
            return function.at((taken or found)[0])
    return None


def _is_passed_by(node: ast.AST, function: ast.AST, owner: nn.Module | None) -> bool:
    """Whether a statement is under an `if` that a flag of the instance answers the other way."""
    for one in ast.walk(function):
        answer = _answer(one.test, owner) if isinstance(one, ast.If) else None
        if answer is None or not isinstance(one, ast.If):
            continue
        branch = one.orelse if answer else one.body
        if any(node is each for statement in branch for each in ast.walk(statement)):
            return True
    return False


def _answer(test: ast.expr, owner: nn.Module | None) -> bool | None:
    """What a flag that the instance keeps says of a condition; None: it is no such flag."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _answer(test.operand, owner)
        return None if inner is None else not inner
    of_self = isinstance(test, ast.Attribute) and ast.unparse(test.value) == "self"
    name = test.attr if isinstance(test, ast.Attribute) and of_self else ""
    value = None if owner is None else vars(owner).get(name)
    return value if isinstance(value, bool) else None


def filled_at(model: nn.Module, name: str, root: str) -> Place | None:
    """Where the parameter `name` gets its first values from the user's code, if it does.

    The line that names it comes first, then one for all modules of its kind, then one for all;
    of those, the ones that give such values as it has.
    """
    owner, attribute = _owner(model, name, root)
    path, _, leaf = name.rpartition(".")
    kinds = {each.__name__ for each in type(model.get_submodule(path)).__mro__[:-2]}
    values = model.get_parameter(name).detach()
    fills = _CONSTANT_FILLS if bool((values == values.flatten()[0]).all()) else _OTHER_FILLS
    best: tuple[int, Place | None] = (0, None)
    for function in _all_methods(model, root):
        own = owner is not None and function.symbol.startswith(f"{type(owner).__qualname__}.")
        for call, tests in _fills(function.node, fills, ()):
            if _contradicts(call, float(values.float().std(correction=0))):
                continue
            parts = _filled(call).replace(".data", "").split(".")
            rank = 5 if own and attribute in parts else 0
            rank = rank or (4 if parts[-2:] == name.split(".")[-2:] and path else 0)
            rank = rank or _rank(parts, leaf, kinds, tests)
            if rank > best[0]:
                best = (rank, function.at(call))
    return best[1]


def _rank(parts: list[str], leaf: str, kinds: set[str], tests: tuple[str, ...]) -> int:
    """How well a fill of some module's `parts`, under conditions, fits a parameter; 0: not."""
    typed = [test for test in tests if "isinstance" in test]
    if typed and not any(kind in typed[-1] for kind in kinds):
        return 0
    if parts[-1] == leaf and parts[0] != "self":
        return 3 if typed else 2
    return 1 if len(parts) == 1 and parts[0] in ("p", "param", "parameter", "w", "weight") else 0


def _contradicts(call: ast.Call, std: float) -> bool:
    """Whether a fill names another standard deviation than is there: it did not run."""
    named = [one.value for one in call.keywords if one.arg == "std"]
    known = [one.value for one in named if isinstance(one, ast.Constant)]
    return any(isinstance(n, float | int) and not 0.5 * n <= std <= 2 * n for n in known)


def _filled(call: ast.Call) -> str:
    """The text of what a call fills: its first argument, or what it is a method of."""
    function = call.func
    text = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    if text.endswith("init") or not text:
        return ast.unparse(call.args[0]) if call.args else ""
    return text


def _fills(
    node: ast.AST, fills: frozenset[str], tests: tuple[str, ...]
) -> Iterator[tuple[ast.Call, tuple[str, ...]]]:
    """The filling calls below `node`, each with the conditions that it stands under."""
    if isinstance(node, ast.If):
        inner = (*tests, ast.unparse(node.test))
        for child in node.body:
            yield from _fills(child, fills, inner)
        for child in node.orelse:
            yield from _fills(child, fills, tests)
        return
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name in fills:
            yield node, tests
    for below in ast.iter_child_nodes(node):
        yield from _fills(below, fills, tests)


def _assigned(node: ast.AST, attribute: str) -> bool:
    """Whether a node makes `self.attribute`, or registers it under that name."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [each for target in targets for each in ast.walk(target)]
        return any(isinstance(one, ast.Attribute) and one.attr == attribute for one in names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        registers = node.func.attr in ("register_buffer", "register_parameter", "add_module")
        first = node.args[0] if node.args else None
        return registers and isinstance(first, ast.Constant) and first.value == attribute
    return False


def _owner(model: nn.Module, name: str, root: str) -> tuple[nn.Module | None, str]:
    """The innermost module of the user's own around a parameter, and what it calls the rest."""
    parts = name.split(".")
    for depth in range(len(parts) - 1, -1, -1):
        module = model.get_submodule(".".join(parts[:depth]))
        if any(True for _ in _methods(type(module), root)):
            return module, parts[depth]
    return None, ""


def _all_methods(model: nn.Module, root: str) -> Iterator[Method]:
    for kind in dict.fromkeys(type(module) for module in model.modules()):
        yield from _methods(kind, root)


def own_methods(model: nn.Module, root: str) -> Iterator[Method]:
    """The methods that the classes of all modules have from the file that defines them."""
    for kind in dict.fromkeys(type(module) for module in model.modules()):
        here = (base for base in kind.__mro__ if base.__module__ == kind.__module__)
        for base in here if _is_users(kind, root) else ():
            functions = (each for each in vars(base).values() if inspect.isfunction(each))
            for function in functions:
                yield from _method(function, root)


def _is_users(kind: type, root: str) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is not None and project_path(file, root) is not None


def _methods(kind: type, root: str) -> Iterator[Method]:
    """The methods that a class has from the user's own text, constructors first."""
    found = inspect.getmembers(kind, inspect.isfunction)
    for _, function in sorted(found, key=lambda each: each[0] != "__init__"):
        yield from _method(function, root)


def _method(function: Any, root: str) -> Iterator[Method]:
    code = inspect.unwrap(function).__code__
    path = project_path(code.co_filename, root)
    node = _at_line(code.co_filename, code.co_name, code.co_firstlineno) if path else None
    if path is not None and node is not None:
        symbol = code.co_qualname.replace(".<locals>", "")
        yield Method(path=path, symbol=symbol, node=node)


@cache
def _functions_in(filename: str) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    tree = tree_of_file(filename)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return tuple(node for node in ast.walk(tree) if isinstance(node, kinds))


def _at_line(filename: str, name: str, line: int) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function of that name which begins, decorators included, at `line`."""
    for node in _functions_in(filename):
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        if node.name == name and first <= line <= node.lineno:
            return node
    return None

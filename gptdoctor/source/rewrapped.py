"""Calls that make a tensor of another tensor, and leave its graph behind.

`torch.tensor(h)` copies the numbers of `h` alone.  So does every way through a list or an array,
however the way back is written; `torch.as_tensor(h)` and `torch.Tensor(h)` of a tensor keep all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role, start
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node

COPYING = frozenset({"tensor", "new_tensor"})
# These copy the numbers of a list or an array, and take a tensor as it is.
TAKING = frozenset({"as_tensor", "asarray", "from_numpy", "Tensor", "FloatTensor"})
# What stands between a tensor and its numbers, which it does not change.
_NUMBERS = frozenset({"tolist", "numpy"})
_PASSING = frozenset({"detach", "cpu", "contiguous", "clone", "float", "double"})
_ARRAYS = frozenset({"array", "asarray", "ascontiguousarray"})
_LISTS = (ast.List, ast.Tuple)
DEEPEST = 8  # calls and names between a tensor and the new one


def rewrapped(node: ast.AST, function: Function) -> ast.expr | None:
    """The tensor of which a call makes a new one without its graph, or None.

    A plain `torch.tensor(x.detach())` says by itself that no gradient is wanted; before `.numpy()`
    a detach says nothing, for it fails without.
    """
    if not isinstance(node, ast.Call) or not node.args:
        return None
    name, given = called_name(node), node.args[0]
    if name not in COPYING | TAKING or isinstance(given, ast.Starred):
        return None
    passed, value = _peeled(given, function)
    if isinstance(value, _LISTS) and "detach" not in passed:
        return value  # of several tensors
    by_numbers = not _NUMBERS.isdisjoint(passed)
    if by_numbers:
        return value
    return value if name in COPYING and not passed & {"detach", "data"} else None


def is_asked(parents: Iterable[ast.AST]) -> bool:
    """Whether what stands around a call asks first whether it is a tensor that is given."""
    tests = (one.test for one in parents if isinstance(one, ast.If | ast.IfExp))
    return any(
        isinstance(node, ast.Call) and called_name(node) in ("isinstance", "is_tensor")
        for test in tests
        for node in every_node(test)
    )


def _peeled(value: ast.expr, function: Function) -> tuple[set[str], ast.expr]:
    """A value without what passes it on, and what was passed."""
    passed: set[str] = set()
    for _ in range(DEEPEST):
        inner: ast.expr | None = None
        if isinstance(value, ast.Attribute) and value.attr == "data":
            inner = value.value
            passed.add("data")
        elif isinstance(value, ast.Call):
            inner = _through(value)
            passed.update({called_name(value)} if inner is not None else ())
        elif isinstance(value, ast.Name):
            inner = _held(value, function)
        if inner is None:
            break
        value = inner
    return passed, value


def _through(call: ast.Call) -> ast.expr | None:
    """What a call hands on as it is: `x` of `x.cpu()` and of `np.array(x)`."""
    name = called_name(call)
    if name in _ARRAYS and call.args:
        return call.args[0]
    known = isinstance(call.func, ast.Attribute) and name in _NUMBERS | _PASSING and not call.args
    return call.func.value if known and isinstance(call.func, ast.Attribute) else None


def _held(name: ast.Name, function: Function) -> ast.expr | None:
    """The one value that a name holds, where that hands on another as it is."""
    found = function.bindings.reaching(name.id, start(name), carried=True)
    value = found[0].value if len(found) == 1 and found[0].role is Role.WHOLE else None
    if isinstance(value, ast.Call) and _through(value) is not None:
        return value
    return value if isinstance(value, ast.Attribute) and value.attr == "data" else None

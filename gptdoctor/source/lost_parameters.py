"""Parameters that became plain tensors before a constructor gave them to an attribute."""

from __future__ import annotations

import ast

from gptdoctor.source.constructors import Setting
from gptdoctor.source.flow_attributes import PARAMETERS
from gptdoctor.source.names import Names, called_name

# Methods that make another tensor of a parameter, whatever it was before.
CHANGING = frozenset({"cuda", "view", "unsqueeze", "squeeze", "reshape", "clone", "transpose", "t"})


def lost_parameter(setting: Setting, names: Names) -> str:
    """How a parameter became a plain tensor before it was assigned; "" where none did."""
    value = setting.value
    if not isinstance(value, ast.BinOp | ast.Call):
        return ""

    def is_parameter(value: ast.expr) -> bool:
        qualified = names.called(value) or ""
        home, _, last = qualified.rpartition(".")
        return last in PARAMETERS and home.startswith("torch.nn") and _learns(value)

    if isinstance(value, ast.BinOp) and any(map(is_parameter, (value.left, value.right))):
        return "computed from one"
    changed = value.func if isinstance(value, ast.Call) else None
    if isinstance(changed, ast.Attribute) and changed.attr in CHANGING:
        return f"what `.{changed.attr}()` makes of one" if is_parameter(changed.value) else ""
    return ""


def _learns(value: ast.expr) -> bool:
    keywords = value.keywords if isinstance(value, ast.Call) else []
    return not any(
        one.arg == "requires_grad"
        and not (isinstance(one.value, ast.Constant) and one.value.value is True)
        for one in keywords
    )


def asks_for_gradient(setting: Setting, names: Names) -> bool:
    """`torch.ones(dim, requires_grad=True)`, and `torch.ones(dim).requires_grad_()`."""
    return _asks(setting.value, names)


def _asks(value: ast.expr, names: Names) -> bool:
    if isinstance(value, ast.BinOp):  # a scaled weight is no leaf, and hides one
        return _asks(value.left, names) or _asks(value.right, names)
    qualified = names.called(value) or ""
    if isinstance(value, ast.Call) and qualified.startswith("torch.nn.init.") and value.args:
        value = value.args[0]  # which it fills and gives back
        qualified = names.called(value) or ""
    if not isinstance(value, ast.Call):
        return False
    if called_name(value) == "requires_grad_" and isinstance(value.func, ast.Attribute):
        made = names.called(_chained(value.func.value)) or ""
        given = value.args + [keyword.value for keyword in value.keywords]
        on = all(isinstance(one, ast.Constant) and one.value is True for one in given)
        return on and made.startswith("torch.") and not made.startswith("torch.nn.")
    home, _, last = qualified.rpartition(".")
    if home not in ("torch", "torch.autograd") or not (last.islower() or last == "Variable"):
        return False
    return any(
        one.arg == "requires_grad"
        and isinstance(one.value, ast.Constant)
        and one.value.value is True
        for one in value.keywords
    )


def _chained(value: ast.expr) -> ast.expr:
    """The first call of `torch.empty(3).normal_().mul_(2)`."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if not isinstance(value.func.value, ast.Call) or not value.func.attr.endswith("_"):
            break
        value = value.func.value
    return value

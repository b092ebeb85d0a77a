"""Products of matrices as the text writes them: `@`, matmul, bmm, einsum."""

from __future__ import annotations

import ast

from gptdoctor.source.literals import written_text
from gptdoctor.source.names import called_name

PRODUCTS = frozenset({"matmul", "bmm", "einsum", "baddbmm"})
PRODUCING = (ast.BinOp, ast.Call)  # kinds of expressions that may be one


def says_product(text: str) -> bool:
    """Whether some lines may have a product in them; Python reads some letters as others."""
    return "@" in text or any(map(text.__contains__, PRODUCTS)) or not text.isascii()


def is_product(value: ast.expr) -> bool:
    """Whether an expression multiplies two tensors as matrices."""
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.MatMult)
    return isinstance(value, ast.Call) and called_name(value) in PRODUCTS


def left_side(product: ast.expr) -> ast.expr | None:
    """What stands left in a product; in an einsum, the first tensor."""
    return next(iter(sides(product)), None)


def sides(product: ast.expr) -> list[ast.expr]:
    """The two tensors of a product, in the order of the text."""
    if isinstance(product, ast.BinOp):
        return [product.left, product.right]
    if not isinstance(product, ast.Call):
        return []
    given = [one for one in product.args if not is_equation(one)]
    if called_name(product) == "baddbmm":
        return given[-2:]
    method = isinstance(product.func, ast.Attribute) and len(given) == 1
    if method and isinstance(product.func, ast.Attribute):
        return [product.func.value, *given]
    return given[:2]


def is_equation(value: ast.expr) -> bool:
    """Whether an argument of einsum is its equation."""
    return written_text(value) is not None


def equation_of(product: ast.expr) -> str | None:
    """The equation of an einsum, without spaces."""
    if not isinstance(product, ast.Call) or called_name(product) != "einsum":
        return None
    found = (one for one in product.args if is_equation(one))
    first = next(found, None)
    text = first.value if isinstance(first, ast.Constant) else None
    return text.replace(" ", "") if isinstance(text, str) else None

"""Plain containers of Python's as expressions make them, and what lies in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

DISPLAYS = ast.List | ast.Tuple | ast.Set | ast.Dict
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
WRITTEN: dict[type[ast.AST], str] = {
    ast.List: "list",
    ast.ListComp: "list",
    ast.Tuple: "tuple",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Dict: "dict",
    ast.DictComp: "dict",
}
PLAIN_MAKERS = {"list": "list", "tuple": "tuple", "set": "set", "dict": "dict"}
PLAIN_MAKERS |= {"OrderedDict": "dict", "defaultdict": "dict", "deque": "list"}
DEEPEST = 3  # containers in containers


def container_of(value: ast.expr) -> str:
    """What kind of plain container an expression makes: "list"; "" for anything else."""
    if value.__class__ in WRITTEN:
        return WRITTEN[value.__class__]
    if isinstance(value, ast.Call):
        return PLAIN_MAKERS.get(value.func.id, "") if isinstance(value.func, ast.Name) else ""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Add):
        return container_of(value.left) or container_of(value.right)
    return ""


def elements(value: ast.expr, depth: int = 0) -> Iterator[ast.expr]:
    """The things that lie in a container, those of containers in it included."""
    if depth > DEEPEST:
        return
    inside: list[ast.expr | None] = []
    if isinstance(value, ast.List | ast.Tuple | ast.Set):
        inside = list(value.elts)
    elif isinstance(value, ast.Dict):
        inside = list(value.values)
    elif isinstance(value, ast.DictComp):
        inside = [value.value]
    elif isinstance(value, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        inside = [value.elt]
    elif isinstance(value, ast.BinOp):
        inside = [one for one in (value.left, value.right) if container_of(one)]
    elif isinstance(value, ast.Lambda):  # map(lambda width: nn.Linear(width, width), widths)
        inside = [value.body]
    elif isinstance(value, ast.Call):
        inside = [*value.args, *(keyword.value for keyword in value.keywords)]
    for one in inside:
        if one is None:
            continue
        nested = isinstance(one, DISPLAYS | COMPREHENSIONS | ast.BinOp) or container_of(one)
        if nested or (one in (value.args if isinstance(value, ast.Call) else ())):
            yield from elements(one, depth + 1)
        else:
            yield one


def copied_name(value: ast.expr) -> ast.Name | None:
    """The name of which `tuple(layers)` makes another container."""
    given = value.args if isinstance(value, ast.Call) and not value.keywords else []
    name = given[0] if len(given) == 1 and container_of(value) else None
    return name if isinstance(name, ast.Name) else None

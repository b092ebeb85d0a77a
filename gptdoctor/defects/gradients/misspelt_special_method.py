"""GD112: a network's `__init__` or `forward` is misspelt, and torch never calls it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Named, Visit
from gptdoctor.source.classes import ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.constructors import own_text
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

CODE = "GD112"


def slips(word: str) -> frozenset[str]:
    """A word with one letter left out, doubled, or two neighbours exchanged."""
    left_out = {word[:i] + word[i + 1 :] for i in range(len(word))}
    doubled = {word[:i] + word[i] + word[i:] for i in range(len(word))}
    exchanged = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    return frozenset(left_out | doubled | exchanged) - {word}


# Letters that are taken for another one, and dunders around what has none.
FORWARD = slips("forward") | {"farward", "forwerd", "forword", "foreward", "forwards", "forwart"}
FORWARD |= {"__forward__", "Forward", "forwrad", "fordward", "formard", "firward"}
# Inside the two underscores on each side; "__int__" is Python's own, and looked at twice.
INIT = {f"__{name}__" for name in (slips("init") - {"nit"}) | {"intit", "initi", "Init", "inint"}}
INIT |= {before + "init" + after for before in ("_", "__", "___") for after in ("_", "__", "___")}
INIT = (INIT | {"__init", "init__", "_init_"}) - {"__init__"}
# How each of the two is written, by its slips.
MEANT = {**dict.fromkeys(FORWARD, "forward"), **dict.fromkeys(INIT, "__init__")}


def see_method(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A method of a network under a name that is nearly the one torch calls."""
    info = visit.owner
    if not isinstance(node, ast.FunctionDef) or info is None or info.node is not visit.parent:
        return
    meant = MEANT[node.name]
    if not visit.project.is_network(info) or not _is_missing(meant, visit.project, info):
        return
    if own_text(info).uses(node.name) or not _does_the_work(node, meant) or _is_looked_up(node):
        return
    told = f"{info.name} defines `{node.name}`, which nothing calls, and no `{meant}`"
    yield _suspicion(node, info, told, node.name, meant)


def see_nested(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A `forward` that is indented too far, and stands in another method of a network."""
    around, info = visit.parent, visit.owner
    if not isinstance(node, ast.FunctionDef) or not isinstance(around, ast.FunctionDef):
        return
    first = node.args.args[0].arg if node.args.args else ""
    if first != "self" or info is None or info.methods.get(around.name) is not around:
        return
    named = (one for one in every_node(around) if isinstance(one, ast.Name))
    if any(one.id == node.name for one in named) or node.decorator_list:
        return  # it is put somewhere
    if not _is_missing("forward", visit.project, info) or not visit.project.is_network(info):
        return
    told = f"`forward` is defined inside of {around.name}, and {info.name} has none"
    yield _suspicion(node, info, told, f"{around.name}.forward", "forward")


def _suspicion(
    node: ast.FunctionDef, info: ClassInfo, told: str, name: str, meant: str
) -> Suspicion:
    location = info.module.location(node)
    return Suspicion(
        rule=CODE,
        location=location,
        symbol=info.symbol,
        message=f"{told}: {_harm(meant)}.",
        details={"name": name, "meant": meant},
        extent=(location.line, location.end_line),
    )


def _is_looked_up(node: FunctionNode) -> bool:
    """Whether a decorator makes something else of the method than what is called on `self`."""
    return any(
        isinstance(one, ast.Name) and one.id in ("property", "staticmethod", "classmethod")
        for one in node.decorator_list
    )


def _is_missing(meant: str, project: Project, info: ClassInfo) -> bool:
    """Whether neither the class nor a base of its own supplies the right method."""
    links = [info, *project.bases(info)]
    if any(meant in link.methods for link in links):
        return False
    # Of torch's own classes only the bare Module has no forward; a library's base has one.
    return all(base == "torch.nn.Module" for base in project.external_bases(info)) or (
        meant == "__init__"
    )


def _does_the_work(node: ast.FunctionDef, meant: str) -> bool:
    """Whether the body is what the right method would be: it sets `self` up, or returns."""
    inside = list(every_node(node))
    if meant == "forward":
        returns = any(isinstance(one, ast.Return) and one.value is not None for one in inside)
        return returns and len(node.args.args) > 1
    sets = any(
        self_attribute(one) and not isinstance(one.ctx, ast.Load)
        for one in inside
        if isinstance(one, ast.Attribute)
    )
    return sets and (node.name != "__int__" or _takes_more(node) or _calls_init(inside))


def _takes_more(node: FunctionNode) -> bool:
    return len(node.args.args) > 1 or bool(node.args.kwonlyargs)


def _calls_init(inside: list[ast.AST]) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr == "__init__" for one in inside)


def _harm(meant: str) -> str:
    if meant == "forward":
        return "calling it raises NotImplementedError"
    return "it is built without any of the layers that are set there"


SICK = """\
from torch import nn


class Mix(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Linear(width, width)

    def foward(self, x):
        return x + self.mix(x).relu()
"""

DEFECT = Defect(
    code=CODE,
    name="misspelt-special-method",
    severity=Severity.HIGH,
    summary="A network's `__init__` or `forward` is misspelt, and is never called.",
    explanation=(
        "A class that descends from nn.Module has no `forward`, and a method whose name differs "
        "from it by a slip of the hand, such as `foward`; or no `__init__`, and `_init_`, "
        "`__int__` or the like, which sets its layers; or its `forward` is indented too far, and "
        "stands in another method. A method that the class calls by that name, and a class that "
        "inherits the right one, are not meant."
    ),
    harm=(
        "torch calls methods by their names: a module without `forward` raises at its first call, "
        "and one without `__init__` has none of its layers."
    ),
    confirmed_by=(
        "The model that such a class belongs to fails when it is built or called, and its verdict "
        "says so. No probe measures it apart; calling an instance shows it."
    ),
    sick=SICK,
    healed=SICK.replace("foward", "forward"),
    suspects={
        Named(ast.FunctionDef, tuple(sorted(MEANT))): see_method,
        Named(ast.FunctionDef, ("forward",)): see_nested,
    },
)

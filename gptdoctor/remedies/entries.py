"""The method of a model that gives logits: its inputs, and how the logits come out of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.core.diagnosis import ModelDiagnosis
from gptdoctor.remedies.declined import Declined
from gptdoctor.source.classes import ClassInfo, FunctionNode, parameters, self_attribute
from gptdoctor.source.project import Project

# Words in the names of parameters that hold ids of tokens, surest first.
ID_WORDS = ("ids", "idx", "tokens", "token", "words", "text", "chunk", "src", "seq", "x")
# An input of the specimen's call: "model(text_ids)  # text_ids: int64 [3, 7]".
INTEGER_INPUT = re.compile(r"(\w+): int(?:64|32)\b")
# Methods that hand on what another one returns are not followed further than this.
DEEPEST_RETURN = 4


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The method that a training step calls."""

    name: str
    function: FunctionNode
    owner: ClassInfo  # the class, or the base of it, that defines the method
    ids: str  # the parameter that takes ids
    logits: tuple[str, ...]  # suffixes that take the logits out: (""), ('["logits"]'), ("", "[0]")


def entry_of(project: Project, info: ClassInfo, model: ModelDiagnosis | None) -> Entry:
    """The entry of a class. Raises Declined where it is not clear."""
    chain = [info, *project.bases(info)]
    known = model.specimen if model is not None and model.name == info.symbol else None
    wanted = [known.entry] if known is not None else []
    for name in [*wanted, "forward", *_candidates(chain)]:
        owner = next((link for link in chain if name in link.methods), None)
        if owner is not None:
            function = owner.methods[name]
            return Entry(
                name=name,
                function=function,
                owner=owner,
                ids=_ids(owner, function, known.call if known is not None else ""),
                logits=tuple(sorted(set(_logits(owner, function, 0)))),
            )
    raise Declined("no method of the class takes ids and gives logits")


def _candidates(chain: list[ClassInfo]) -> list[str]:
    """Methods that take ids, the likeliest first."""
    found = {
        name: ("forward" in name, "step" in name or "logits" in name)
        for link in chain
        for name, method in link.methods.items()
        if not name.startswith("_") and any(_id_rank(one.arg) for one in parameters(method))
        if not any(word in name for word in ("generate", "sample", "encode", "loss", "train"))
    }
    return sorted(found, key=lambda name: found[name], reverse=True)


def _ids(owner: ClassInfo, function: FunctionNode, call: str) -> str:
    """The parameter that takes ids.

    As the specimen's call showed it, else by its name, else by what is embedded, else the only
    one that must be given.
    """
    names = [argument.arg for argument in parameters(function)]
    if function.args.posonlyargs[1:] or not names:
        raise Declined("the entry cannot be called by the names of its inputs")
    integers = set(INTEGER_INPUT.findall(call))
    measured = [name for name in names if name in integers]
    named = [name for name in names if _id_rank(name)]
    if measured or named:
        return max(measured or named, key=_id_rank)
    found = [name for name in names if name in _embedded(owner, function)] or _required(function)
    if len(found) != 1:
        raise Declined("it is not clear which input of the entry takes ids")
    return found[0]


def _embedded(owner: ClassInfo, function: FunctionNode) -> set[str]:
    """The names that are looked up in an embedding of the class."""
    return {
        node.args[0].id
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and len(node.args) > 0
        and isinstance(node.args[0], ast.Name)
        and any("Embedding" in made for made in owner.attribute_called(_own(node.func)))
    }


def _own(func: ast.expr) -> str:
    return self_attribute(func) or ""


def _required(function: FunctionNode) -> list[str]:
    """The parameters that have no default, without `self`."""
    plain = function.args.args
    given = plain[: len(plain) - len(function.args.defaults)]
    return [one.arg for one in given if one.arg not in ("self", "cls")]


def _id_rank(name: str) -> int:
    words = name.lower().split("_")
    ranks = [len(ID_WORDS) - place for place, word in enumerate(ID_WORDS) if word in words]
    return max(ranks, default=0)


def _logits(owner: ClassInfo, function: FunctionNode, depth: int) -> Iterator[str]:
    """For each return statement, the suffix that takes the logits out of what it returns."""
    for node in _own_nodes(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield from _suffixes(owner, function, node.value, depth)


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function that do not belong to a function in it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _own_nodes(node)


def _suffixes(
    owner: ClassInfo, function: FunctionNode, value: ast.expr, depth: int
) -> Iterator[str]:
    if isinstance(value, ast.IfExp):
        yield from _suffixes(owner, function, value.body, depth)
        yield from _suffixes(owner, function, value.orelse, depth)
    elif isinstance(value, ast.Tuple):
        places = [place for place, one in enumerate(value.elts) if _says_logits(one)]
        yield f"[{places[0] if places else 0}]"
    elif isinstance(value, ast.Dict):
        yield _key([key.value for key in value.keys if isinstance(key, ast.Constant)])
    elif isinstance(value, ast.Name):
        yield from _suffixes_of_name(owner, function, value, depth)
    elif isinstance(value, ast.Call):
        yield from _suffixes_of_call(owner, value, depth)
    else:
        yield ""


def _says_logits(node: ast.expr) -> bool:
    return "logit" in getattr(node, "id", getattr(node, "attr", ""))


def _key(keys: list[object]) -> str:
    texts = [key for key in keys if isinstance(key, str)]
    wanted = [key for key in texts if "logit" in key] or (texts if len(texts) == 1 else [])
    if not wanted:
        raise Declined("the entry returns a dict, and it is not clear where the logits are in it")
    return f'["{wanted[0]}"]'


def _suffixes_of_name(
    owner: ClassInfo, function: FunctionNode, name: ast.Name, depth: int
) -> Iterator[str]:
    """What a local variable holds, by the last assignment before it is returned."""
    found = [
        node.value
        for node in _own_nodes(function)
        if isinstance(node, ast.Assign) and node.lineno <= name.lineno
        for target in node.targets
        if isinstance(target, ast.Name) and target.id == name.id
    ]
    if not found or depth > DEEPEST_RETURN:
        yield ""
    else:
        yield from _suffixes(owner, function, found[-1], depth + 1)


def _suffixes_of_call(owner: ClassInfo, call: ast.Call, depth: int) -> Iterator[str]:
    keywords = [one.arg for one in call.keywords if one.arg]
    named = [keyword for keyword in keywords if "logit" in keyword]
    function = call.func
    if isinstance(function, ast.Name) and function.id in ("dict", "OrderedDict"):
        yield _key(list(keywords))
    elif named:
        yield f".{named[0]}"
    elif isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "self":
        method = owner.methods.get(function.attr)
        if method is None or depth > DEEPEST_RETURN:
            yield ""
        else:
            yield from _logits(owner, method, depth + 1)
    else:
        yield ""

"""Whether a model gives logits over a vocabulary, as far as its text tells."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.lineage import Link
from gptdoctor.source.mentions import family_by_words
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node, inner_nodes
from gptdoctor.source.project import Project
from gptdoctor.source.projection_words import (
    NO_VOCABULARY,
    VOCABULARY,
    Words,
    fit,
    layers_of,
    names_weight_of_table,
    words_of,
)

TABLE = re.compile(r"emb|wte|tok")
TURNED = frozenset({"T", "mT", "t", "transpose", "permute", "swapaxes"})


@dataclass(frozen=True, eq=False, kw_only=True)
class Projections:
    """The tables and linear layers of one class, by the last name of the size that is given."""

    tables: frozenset[str]
    heads: tuple[tuple[str, str | None], ...]  # size, and the attribute that holds the layer
    ties: bool  # the weight of a table serves as a head


_CACHE: WeakKeyDictionary[ClassInfo, Projections] = WeakKeyDictionary()


def may_give_logits(project: Project, info: ClassInfo) -> bool:
    """A cheap first answer, by the words of the texts that may belong to a class."""
    family: list[Link] = []
    tables: set[str] = set()
    try:
        for one in family_by_words(project, info):
            if one is None:
                return True
            said = _words(one)
            if said.projects and _may_project(one):
                return True
            tables |= said.tables
            family.append(one)
        # Which layers there are matters where the size of a table tells nothing, as few do.
        return bool(tables) and any(fit(frozenset(tables), _layers(one)) for one in family)
    except OSError:
        return True


def gives_logits(project: Project, info: ClassInfo) -> bool:
    """Whether a class, or a part of it, projects to the vocabulary, and uses the projection."""
    if not may_give_logits(project, info):
        return False
    family = project.family(info)
    said = [_projections(part) for part in _telling(family)]
    tables = {size for one in said for size in one.tables}
    return any(one.ties for one in said) or any(
        size in tables or VOCABULARY.search(size.lower())
        for one in said
        for size, attribute in one.heads
        if attribute is None or any(_reads(part, attribute) for part in family)
    )


def _telling(family: list[ClassInfo]) -> list[ClassInfo]:
    """Those that may project by themselves, as their words tell; all, where a table may be tied."""
    sized = any(_words(part).tables for part in family)
    return family if sized else [part for part in family if _words(part).projects]


def _words(link: Link) -> Words:
    said = _WORDS.get(link)
    if said is None:
        said = _WORDS[link] = words_of(link.text)
    return said


_WORDS: WeakKeyDictionary[Link, Words] = WeakKeyDictionary()


def _layers(link: Link) -> frozenset[str]:
    said = _LAYERS.get(link)
    if said is None:
        said = _LAYERS[link] = layers_of(link.text)
    return said


_LAYERS: WeakKeyDictionary[Link, frozenset[str]] = WeakKeyDictionary()


def _may_project(link: Link) -> bool:
    """Whether a class whose words say that it projects may do so, by its tree where it has one."""
    if not isinstance(link, ClassInfo):
        return True
    own = _projections(link)
    return own.ties or any(VOCABULARY.search(size.lower()) for size, _ in own.heads)


def _projections(info: ClassInfo) -> Projections:
    if info not in _CACHE:
        nodes = list(inner_nodes(info.node))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        layers = [(call, _size(call, 1, "out_features")) for call in calls if _is_linear(call)]
        holders = _holders(info) if layers else {}
        sizes = (_size(call, 0, "num_embeddings") for call in calls if _is_embedding(call))
        _CACHE[info] = Projections(
            tables=frozenset(
                size for size in sizes if size and not NO_VOCABULARY.search(size.lower())
            ),
            heads=tuple((size, holders.get(call)) for call, size in layers if size),
            ties=names_weight_of_table(info.text) and any(map(_ties, nodes)),
        )
    return _CACHE[info]


def _holders(info: ClassInfo) -> dict[ast.AST, str]:
    """The attributes that what is made in a class is kept in."""
    return {
        inner: name
        for name, values in info.attributes.items()
        for value in values
        for inner in every_node(value)
    }


def _is_embedding(call: ast.Call) -> bool:
    # PatchEmbedding(width, ...) and the like are networks of somebody's own.
    name = called_name(call)
    return name == "Embedding" or name.endswith("ParallelEmbedding")


def _is_linear(call: ast.Call) -> bool:
    name = called_name(call)
    return "Linear" in name or name in ("Conv1d", "Dense")


def _reads(info: ClassInfo, attribute: str) -> bool:
    """Whether a method other than the constructor reads an attribute of this name."""
    if attribute not in info.text:
        return False
    if info not in _READ:
        _READ[info] = frozenset(
            node.attr
            for name, method in info.methods.items()
            if name != "__init__"
            for node in inner_nodes(method)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        )
    return attribute in _READ[info]


_READ: WeakKeyDictionary[ClassInfo, frozenset[str]] = WeakKeyDictionary()


def _size(call: ast.Call, index: int, keyword: str) -> str | None:
    """The last name, or the number, of the size given to a layer."""
    value = next((one.value for one in call.keywords if one.arg == keyword), None)
    if value is None and len(call.args) > index:
        value = call.args[index]
    if isinstance(value, ast.Subscript):
        if not isinstance(value.slice, ast.Constant) or not isinstance(value.slice.value, str):
            return text_of(value)  # sizes[0]: the number is a place, and no size
        value = value.slice
    if called_name(value) == "len" and isinstance(value, ast.Call) and len(value.args) == 1:
        return f"{text_of(value.args[0])}()"  # as many as there are letters, whatever their list
    if isinstance(value, ast.Attribute):
        return value.attr
    if isinstance(value, ast.Constant):
        return None if value.value == 1 else str(value.value)  # one score, and no vocabulary
    return value.id if isinstance(value, ast.Name) else None


def _ties(node: ast.AST) -> bool:
    """Whether a node multiplies by a turned table, or gives a layer the weight of a table."""
    if isinstance(node, ast.Assign):
        weights = (one for one in node.targets if isinstance(one, ast.Attribute))
        return _is_table(node.value) and any(one.attr == "weight" for one in weights)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return _is_turned_table(node.right)
    name = called_name(node)
    if isinstance(node, ast.Call) and name in ("linear", "einsum"):
        return any(_is_table(argument) for argument in node.args)
    if isinstance(node, ast.Call) and name in ("matmul", "mm"):
        return any(_is_turned_table(argument) for argument in node.args)
    return False


def _is_turned_table(node: ast.AST) -> bool:
    """`self.wte.weight.T`: without the turn, the product looks vectors up."""
    if isinstance(node, ast.Call):
        node = node.func
    return isinstance(node, ast.Attribute) and node.attr in TURNED and _is_table(node.value)


def _is_table(node: ast.AST) -> bool:
    """`self.wte.weight` and the like: the weight of something that embeds tokens."""
    if not isinstance(node, ast.Attribute) or node.attr != "weight":
        return False
    name = node.value.attr.lower() if isinstance(node.value, ast.Attribute) else ""
    return bool(TABLE.search(name)) and not NO_VOCABULARY.search(name)

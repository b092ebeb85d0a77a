"""Which classes of the text are models, and which of them are main ones; no torch, no import."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from gptdoctor.core.specimens import ModelTarget
from gptdoctor.source.classes import ClassInfo, FunctionNode, parameters, self_attribute
from gptdoctor.source.installed_imports import installed_imports
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

# Ways to turn ids into vectors: a network that does it somewhere takes tokens.
EMBEDDINGS = frozenset({"Embedding", "EmbeddingBag", "embedding", "one_hot"})
ID_NAMES = frozenset(
    [
        "input_ids",
        "ids",
        "idx",
        "x",
        "tokens",
        "token_ids",
        "text",
        "text_ids",
        "input_tokens",
        "inp",
        "inputs",
        "src",
        "seq",
    ]
)
# Methods that call the entry, many times, and are not it.
GENERATION_WORDS = ("generate", "sample", "decode", "encode", "complete", "beam")


def discover(project: Project, modules: Iterable[SourceModule]) -> list[ModelTarget]:
    """The main models of `modules`: networks that embed ids and are no part of another one."""
    modules = list(modules)
    networks = [
        info
        for module in modules
        for info in project.classes(module).values()
        if project.is_network(info)
    ]
    parts = {part for info in networks for part in project.parts(info)}
    bases = {base for info in networks for base in project.bases(info)}
    return [
        target_of(project, info, entry)
        for info in networks
        if info not in parts and _embeds(project, info)
        for entry in [entry_of(project, info)]
        # A base without `forward` leaves the work to its children.
        if entry is not None and (entry == "forward" or info not in bases)
    ]


def target_of(project: Project, info: ClassInfo, entry: str) -> ModelTarget:
    """The target that asks for this class."""
    family = project.family(info)
    return ModelTarget(
        path=info.module.path,
        name=info.symbol,
        line=info.node.lineno,
        end_line=info.node.end_lineno or info.node.lineno,
        entry=entry,
        family=tuple(f"{part.module.path}::{part.symbol}" for part in family),
        imports=installed_imports(project, family),
    )


def entry_of(project: Project, info: ClassInfo) -> str | None:
    """The method that takes ids: `forward`, else the one that looks most like a step."""
    chain = [info, *project.bases(info)]
    if any("forward" in link.methods for link in chain):
        return "forward"
    embeddings = {name for link in chain for name in _embedding_attributes(link)}
    candidates = [
        (_likeness(name, method, embeddings), name)
        for link in chain
        for name, method in link.methods.items()
        if not name.startswith("_") or name == "__call__"
    ]
    best = max(candidates, default=(0, ""))
    return best[1] if best[0] > 0 else None


def _likeness(name: str, method: FunctionNode, embeddings: set[str]) -> int:
    """How much a method looks like the one that computes logits from ids; 0: not at all."""
    named_ids = any(argument.arg in ID_NAMES for argument in parameters(method))
    looks_up = any(
        isinstance(node, ast.Call) and self_attribute(node.func) in embeddings
        for node in ast.walk(method)
    )
    if not (named_ids or looks_up) or any(word in name for word in GENERATION_WORDS):
        return 0
    likeness = 1 + 2 * looks_up
    if "forward" in name:
        return likeness + 2
    return likeness + int("step" in name or "logits" in name or name == "__call__")


def _embedding_attributes(info: ClassInfo) -> Iterator[str]:
    """The attributes that hold a table of embeddings."""
    for name in info.attributes:
        if any(called.rpartition(".")[2] in EMBEDDINGS for called in info.attribute_called(name)):
            yield name


def _embeds(project: Project, info: ClassInfo) -> bool:
    return any(
        called.rpartition(".")[2] in EMBEDDINGS
        for part in project.family(info)
        for called in part.called
    )

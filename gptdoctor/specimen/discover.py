"""Which classes of the text are models, and which of them are main ones; no torch, no import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from gptdoctor.core.specimens import ModelTarget
from gptdoctor.source.classes import (
    MODULE_BASES,
    ClassInfo,
    FunctionNode,
    parameters,
    self_attribute,
)
from gptdoctor.source.embeddings import EMBEDDINGS, ID_NAMES, embeds_ids, last, may_take_ids
from gptdoctor.source.factories import Factory, composes, factories_of, returned, takes_parts
from gptdoctor.source.installed_imports import installed_imports
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.project import Project
from gptdoctor.source.unparsed import bases_defining, descends_from

# Methods that call the entry, many times, and are not it.
GENERATION_WORDS = ("generate", "sample", "decode", "encode", "complete", "beam")
# Heads for other tasks than language, which come in one file with a language model.
_OTHER_TASK = re.compile(
    r".*For(?:\w*Classification|QuestionAnswering|MultipleChoice|NextSentencePrediction"
    r"|Regression|Reward\w*)|.*(?:RewardModel|DoubleHeadsModel)"
)
# A class that is called so is the table of a model, though no class of the files uses it.
_A_TABLE = re.compile(r".*Embed(?:ding|dings|der)(?:With\w+|Layer)?")
# Bases that bring no forward pass of their own.
_CONTAINERS = MODULE_BASES | {"ABC", "Generic", "Protocol", "object", "ModuleList", "ModuleDict"}


def discover(project: Project, modules: Iterable[SourceModule]) -> list[ModelTarget]:
    """The main models of `modules`: networks that embed ids and are no part of another one.

    A model whose layers have to be given to it is asked of the function that makes it, and so is
    one that a function composes of a library's classes.
    """
    modules = list(modules)
    mains = _mains(project, modules)
    factories = factories_of(project, modules)
    targets = []
    for info, entry in mains:
        factory = _maker_of(project, info, factories) if takes_parts(project, info) else None
        targets.append(
            target_of(project, info, entry)
            if factory is None
            else factory_target(project, factory, entry)
        )
    known = {info for info, _ in mains}
    composed = _composing(project, modules, [one for one in factories if one.made not in known])
    targets += [factory_target(project, one, entry_made(project, one)) for one in composed]
    return targets


def _mains(project: Project, modules: list[SourceModule]) -> list[tuple[ClassInfo, str]]:
    """The main classes with the methods that take their ids."""
    networks = [
        info
        for module in modules
        for info in project.classes(module).values()
        if project.is_network(info)
    ]
    models = [
        (info, entry)
        for info in networks
        if embeds_ids(project, info)
        for entry in [entry_of(project, info)]
        # A base without `forward` leaves the work to its children.
        if entry is not None and (entry == "forward" or not _is_base(project, info, networks))
        if may_take_ids(project, info, entry) and not _A_TABLE.fullmatch(info.name)
    ]
    # What only something else than a model instantiates is the main one all the same.
    parts = {
        part
        for info, _ in models
        for one in project.family(info)
        for part in project.parts(one)
        if part is not info
    }
    mains = [(info, entry) for info, entry in models if info not in parts]
    known = {info for info, _ in mains}
    mains = [pair for pair in mains if not _only_sets(project, pair[0], known)]
    languages = {info.module for info, _ in mains if not _OTHER_TASK.fullmatch(info.name)}
    return [
        pair
        for pair in mains
        if pair[0].module not in languages or not _OTHER_TASK.fullmatch(pair[0].name)
    ]


def _is_base(project: Project, info: ClassInfo, networks: list[ClassInfo]) -> bool:
    return any(descends_from(project, one, info) for one in networks)


def target_of(project: Project, info: ClassInfo, entry: str) -> ModelTarget:
    """The target that asks for this class."""
    family = project.family(info)
    return ModelTarget(
        path=info.module.path,
        name=info.symbol,
        line=info.node.lineno,
        end_line=info.node.end_lineno or info.node.lineno,
        entry=entry,
        family=_names(family),
        imports=installed_imports(project, family),
    )


def factory_target(project: Project, factory: Factory, entry: str) -> ModelTarget:
    """The target that asks for what this function makes."""
    module, node = factory.module, factory.node
    called = {
        module.names.called(below) or "" for below in ast.walk(node) if isinstance(below, ast.Call)
    }
    parts = [project.class_named(name, module) for name in sorted(called)]
    networks = [
        one for one in (factory.made, *parts) if one is not None and project.is_network(one)
    ]
    family = list(dict.fromkeys(part for info in networks for part in project.family(info)))
    return ModelTarget(
        path=module.path,
        name=factory.symbol,
        line=node.lineno,
        end_line=node.end_lineno or node.lineno,
        entry=entry,
        factory=True,
        family=(f"{module.path}::{factory.symbol}", *_names(family)),
        imports=installed_imports(project, family),
    )


def _names(family: Iterable[ClassInfo]) -> tuple[str, ...]:
    """The classes that a model is made of, as a target names them."""
    return tuple(f"{part.module.path}::{part.symbol}" for part in family)


def _maker_of(project: Project, info: ClassInfo, factories: list[Factory]) -> Factory | None:
    """The factory of a class that leaves most to its caller."""
    fitting = [one for one in factories if one.made is info]
    return max(fitting, key=lambda one: one.rank, default=None)


def _composing(
    project: Project, modules: list[SourceModule], factories: list[Factory]
) -> Iterator[Factory]:
    """Functions that compose a model of which no class of the files is the main one.

    None that makes a part for a network or another function; of those that take no sizes, only
    such that make what none of the others does.
    """
    used = {name for module in modules for name in _called_in(project, module)}
    composing = [
        one for one in factories if (one.module, one.symbol) not in used and composes(project, one)
    ]
    made = {(one.module, one.called) for one in composing if one.rank}
    for one in composing:
        if one.rank or (one.module, one.called) not in made:
            made.add((one.module, one.called))
            yield one


def _called_in(project: Project, module: SourceModule) -> Iterator[tuple[SourceModule, str]]:
    """The functions of the module that make parts: for its networks, or for other functions."""
    networks = [info for info in project.classes(module).values() if project.is_network(info)]
    for info in networks:
        yield from ((module, name) for name in info.called if name in module.functions)
    for user in module.functions.values():
        # a preset gives back what another function makes, and that is the better one to ask
        passed_on = {module.names.called(call) for call in returned(user)}
        for node in ast.walk(user):
            name = module.names.called(node) if isinstance(node, ast.Call) else None
            if name in module.functions and name not in passed_on and name != user.name:
                yield module, name


def entry_made(project: Project, factory: Factory) -> str:
    """The entry of what a factory makes."""
    made = factory.made
    return "forward" if made is None else entry_of(project, made) or "forward"


def entry_of(project: Project, info: ClassInfo) -> str | None:
    """The method that takes ids: `forward`, else the one that looks most like a step."""
    if "forward" in info.methods or any(bases_defining(project, info, "forward")):
        return "forward"
    if _inherits_forward(project, info):
        return "forward"
    chain = [info, *project.bases(info)]
    embeddings = {name for link in chain for name in _embedding_attributes(link)}
    candidates = [
        (_likeness(name, method, embeddings), name)
        for link in chain
        for name, method in link.methods.items()
        if not name.startswith("_") or name == "__call__"
    ]
    best = max(candidates, default=(0, ""))
    return best[1] if best[0] > 0 else None


def _inherits_forward(project: Project, info: ClassInfo) -> bool:
    """Whether a base of a library is a whole network, such as nn.Sequential."""
    return any(
        last(base) not in _CONTAINERS and not last(base).endswith("Mixin")
        for base in project.external_bases(info)
    )


def _only_sets(project: Project, info: ClassInfo, mains: set[ClassInfo]) -> bool:
    """Whether a class only sets sizes of another main model, with which it is examined."""
    plain = {"__init__", "__repr__", "__str__"}
    if not set(info.methods) <= plain or any(project.parts(info)) or info.attributes:
        return False
    return any(descends_from(project, info, one) for one in mains)


def _likeness(name: str, method: FunctionNode, embeddings: set[str]) -> int:
    """How much a method looks like the one that computes logits from ids; 0: not at all."""
    if any(word in name for word in GENERATION_WORDS):
        return 0
    named_ids = any(argument.arg in ID_NAMES for argument in parameters(method))
    # Most of these methods are a library's base's, and most such bases have no table at all.
    looks_up = bool(embeddings) and any(
        self_attribute(call.func) in embeddings for call in calls_below(method)
    )
    if not (named_ids or looks_up):
        return 0
    likeness = 1 + 2 * looks_up
    if "forward" in name:
        return likeness + 2
    return likeness + int("step" in name or "logits" in name or name == "__call__")


def _embedding_attributes(info: ClassInfo) -> Iterator[str]:
    """The attributes that hold a table of embeddings."""
    for name in info.attributes:
        if any(last(called) in EMBEDDINGS for called in info.attribute_called(name)):
            yield name

"""Layers that torch does not see because a helper lists them, or a class is no module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.called_helpers import helpers_in
from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.constructors import Constructor, Setting, settings_of
from gptdoctor.source.flow_assigned import Assigned
from gptdoctor.source.flow_attributes import Learns, attributes_of, value_learns
from gptdoctor.source.flow_frozen import FROZEN_NAME
from gptdoctor.source.flow_functions import functions_of
from gptdoctor.source.held_layers import items_of, made_as
from gptdoctor.source.hidden_weights import HiddenLayers
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node
from gptdoctor.source.plain_containers import container_of
from gptdoctor.source.project import Project
from gptdoctor.source.statements import first_line

# How a function ends that hands out a list: most end with a tensor, a module or a number.
LISTING = re.compile(r"\breturn\s+(?:\[|\{|tuple\(|list\(|\w+[ \t]*(?:#.*)?$)", re.MULTILINE)
# What a class says that keeps its layers from training, or hands them out to who trains them.
APART = re.compile(r"no_grad|requires_grad|\.eval\(|def parameters|state_dict|optim|\.backward\(")
RUNNING = frozenset({"forward", "__call__"})


def list_helpers(module: SourceModule, called: frozenset[str]) -> frozenset[str]:
    """Of what a constructor calls, what may return a list of layers."""
    return frozenset(name for name in called if _is_list_helper(module, name))


@kept(256)
def _is_list_helper(module: SourceModule, name: str) -> bool:
    texts = map(module.lines_of, helpers_in(module).get(name, ()))
    return any(LISTING.search(text) is not None for text in texts)


def helped(constructor: Constructor, names: frozenset[str]) -> Iterator[tuple[Setting, str]]:
    """The attributes that a helper of these names gives a plain list of layers, and its kind."""
    project, function = constructor.project, constructor.function
    for setting in constructor.settings:
        if not isinstance(setting.node, ast.Assign | ast.AnnAssign):
            continue
        called = function.module.names.called(setting.value) or ""
        if called.removeprefix("self.") not in names:
            continue
        kinds = {container_of(one.value) for one in made_as(project, setting.value, function)}
        kind = kinds.pop() if len(kinds) == 1 else ""
        items = items_of(project, setting.value, function) if kind else []
        hidden = bool(items) and all(_is_layer(one, project) for one in items)
        if hidden and HiddenLayers(constructor).stays_hidden(setting, kind):
            yield setting, kind


def _is_layer(made: Assigned, project: Project) -> bool:
    """Whether an expression makes one module or parameter that learns, as its name tells."""
    module = made.function.module
    qualified = module.names.called(made.value) or ""
    if not qualified.startswith("torch.nn."):
        info = project.class_named(qualified, module) if qualified else None
        if info is None or not project.is_network(info):
            return False
    elif not qualified.rpartition(".")[2][:1].isupper():
        return False
    return value_learns(project, made, 0) is Learns.YES


def may_be_no_module(info: ClassInfo) -> bool:
    """Whether a class has no base, and runs layers of its own as a module does."""
    node = info.node
    bases = [one for one in info.bases if one != "object"]
    if bases or node.keywords or node.decorator_list or RUNNING.isdisjoint(info.methods):
        return False
    return "nn." in info.text and APART.search(info.text) is None


def layers_unseen(project: Project, info: ClassInfo) -> list[str]:
    """The layers of a class that is no module, where a network of the file holds one of it."""
    attributes = attributes_of(project, info)
    constructor = info.methods["__init__"]
    functions = functions_of(project, info.module)
    layers = {
        setting.name
        for setting in settings_of(constructor)
        if _is_layer(Assigned(setting.value, functions[constructor]), project)
        and attributes.learns(setting.name) is Learns.YES
    }
    used = {
        name
        for method in info.methods.values()
        if method is not constructor
        for node in every_node(method)
        if (name := self_attribute(node))
    }
    found = sorted(layers & used)
    if not found or _handed_out(info, found) or not _is_held(project, info):
        return []
    return found


def _handed_out(info: ClassInfo, names: list[str]) -> bool:
    """Whether other text of the file names one of the layers, and may make it known."""
    first = first_line(info.node)
    begin, end = info.module.bounds(first, info.node.end_lineno or first)
    rest = info.module.text[:begin] + info.module.text[end:]
    return any(re.search(rf"(?<!self)\.{name}\b", rest) for name in names)


def _is_held(project: Project, info: ClassInfo) -> bool:
    """Whether a network keeps an instance in an attribute, and not a frozen one."""
    for other in project.classes(info.module).values():
        if other is info or f"{info.name}(" not in other.text or not project.is_network(other):
            continue
        attributes = attributes_of(project, other)
        for name, values in attributes.assigned.items():
            made = (node for one in values for node in every_node(one.value))
            named = any(info.module.names.called(node) == info.symbol for node in made)
            if named and name not in attributes.frozen and not FROZEN_NAME.search(name):
                return True
    return False

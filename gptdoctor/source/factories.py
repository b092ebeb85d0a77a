"""Functions whose text shows that they make and return a model."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import ClassInfo, FunctionNode, parameters, self_attribute
from gptdoctor.source.embeddings import (
    EMBEDDINGS,
    NO_MODEL,
    is_language_model,
    looks_up_ids,
)
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

# Methods that give back the model they are called on.
_SAME = frozenset({"to", "cuda", "cpu", "eval", "train", "apply", "half", "float", "bfloat16"})
# What wants weights from elsewhere, or runs a program, is no way to make a small model.
_NOT_ASKED = re.compile(r"_.*|main|test_.*|.*(?:pretrained|checkpoint|load|download|hub).*")
# Annotations of parameters that take parts of a model ready made.
_PART = re.compile(r"\b(?:Module|ModuleList|ModuleDict|Sequential|Embedding|Linear|LayerNorm)\b")


@dataclass(frozen=True, eq=False, kw_only=True)
class Factory:
    """A function, or a class method, that returns a model."""

    module: SourceModule
    node: FunctionNode
    symbol: str  # "build_model", "Model.from_preset"
    made: ClassInfo | None  # the project's class that it returns; None: a library's
    called: str  # the qualified name of what it returns a call of

    @property
    def rank(self) -> int:
        """How much of its model a caller decides: a preset decides all by itself."""
        return len(parameters(self.node))


def factories_of(project: Project, modules: Iterable[SourceModule]) -> list[Factory]:
    """The functions and class methods of `modules` that return an instance of a network."""
    found: list[Factory] = []
    for module in modules:
        for name, node in module.functions.items():
            found += _factory(project, module, node, name, None)
        for info in project.classes(module).values():
            for name, node in info.methods.items():
                if project.is_network(info) and _is_class_method(node):
                    found += _factory(project, module, node, f"{info.symbol}.{name}", info)
    return found


def factory_of(project: Project, module: SourceModule, symbol: str) -> Factory | None:
    """The function or class method `symbol`, whatever it returns; None: there is none."""
    owner, _, name = symbol.rpartition(".")
    info = project.classes(module).get(owner) if owner else None
    node = info.methods.get(name) if info is not None else module.functions.get(symbol)
    if node is None or (owner and not _is_class_method(node)):
        return None
    known = list(_factory(project, module, node, symbol, info, anything=True))
    return next(iter(known), Factory(module=module, node=node, symbol=symbol, made=info, called=""))


def composes(project: Project, factory: Factory) -> bool:
    """Whether a factory makes a language model of parts, its table of tokens among them."""
    node, module = factory.node, factory.module
    if factory.called.rpartition(".")[2] in EMBEDDINGS:
        return False
    if factory.made is None and not factory.called.startswith("torch.nn."):
        name = factory.called.rpartition(".")[2]
        is_class = name[:1].isupper() and not NO_MODEL.fullmatch(name)
        if not is_class and not is_language_model(factory.called):
            return False
    return looks_up_ids(project, module, node)


def takes_parts(project: Project, info: ClassInfo) -> bool:
    """Whether a class is given its layers ready made, so that a factory has to make them."""
    for link in [info, *project.bases(info)]:
        constructor = link.methods.get("__init__")
        if constructor is not None:
            return any(
                _is_part(link, argument) and not _is_own_class(project, link, argument)
                for argument in _required(constructor)
            )
    return False


def _factory(
    project: Project,
    module: SourceModule,
    node: FunctionNode,
    symbol: str,
    owner: ClassInfo | None,
    *,
    anything: bool = False,
) -> Iterator[Factory]:
    if _NOT_ASKED.fullmatch(node.name) and not anything:
        return
    for call in returned(node):
        called = module.names.qualified(call.func)
        if called is None:
            continue
        own_class = owner is not None and called in ("cls", owner.name)
        if owner is not None and not own_class and not anything:
            continue
        made = owner if own_class else project.class_named(called, module)
        if made is None or project.is_network(made):
            yield Factory(module=module, node=node, symbol=symbol, made=made, called=called)
            return


def returned(node: FunctionNode) -> Iterator[ast.Call]:
    """The calls whose values a function returns, directly or by a name of its own."""
    kept: dict[str, ast.expr] = {}
    own = list(_statements(node.body))
    for part in own:
        if isinstance(part, ast.Assign) and len(part.targets) == 1:
            target = part.targets[0]
            if isinstance(target, ast.Name) and not isinstance(_made_by(part.value), ast.Name):
                kept[target.id] = part.value
    for part in own:
        if isinstance(part, ast.Return) and part.value is not None:
            value = _made_by(part.value)
            if isinstance(value, ast.Name):
                value = _made_by(kept.get(value.id, value))
            if isinstance(value, ast.Call):
                yield value


def _made_by(value: ast.expr) -> ast.expr:
    """What a chain such as `Model(...).to(device)` begins with."""
    while isinstance(value, ast.Call):
        method = value.func
        if not isinstance(method, ast.Attribute):
            break
        if method.attr == "compile" and value.args:
            value = value.args[0]
        elif method.attr in _SAME:
            value = method.value
        else:
            break
    return value


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a function, not of those within it."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _statements(
                child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)
            )


def _is_class_method(node: FunctionNode) -> bool:
    names = {getattr(one, "id", "") for one in node.decorator_list}
    return not names.isdisjoint({"classmethod", "staticmethod"})


def _required(node: FunctionNode) -> list[ast.arg]:
    """The parameters without a default."""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    named = positional[1 : len(positional) - len(arguments.defaults)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [*named, *(argument for argument, default in pairs if default is None)]


def _is_part(info: ClassInfo, argument: ast.arg) -> bool:
    """Whether a parameter takes layers: its annotation says so, or the class calls it."""
    if argument.annotation is not None and _PART.search(ast.unparse(argument.annotation)):
        return True
    kept = {
        name
        for name, values in info.attributes.items()
        if any(getattr(value, "id", None) == argument.arg for value in values)
    }
    return any(
        isinstance(node, ast.Call) and self_attribute(node.func) in kept
        for name, method in info.methods.items()
        if name != "__init__"
        for node in every_node(method)
    )


def _is_own_class(project: Project, info: ClassInfo, argument: ast.arg) -> bool:
    """Whether a parameter names a class of the project, which can be made for it."""
    named = info.module.names.qualified(argument.annotation)
    return named is not None and project.class_named(named, info.module) is not None

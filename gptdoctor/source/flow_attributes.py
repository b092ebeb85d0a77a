"""What the attributes of a network are: layers that learn, frozen ones, buffers, plain values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

from gptdoctor.source.classes import MODULE_BASES, ClassInfo, self_attribute
from gptdoctor.source.flow_assigned import Assigned, OwnSettings, own_settings
from gptdoctor.source.flow_frozen import FROZEN_NAME, switches_off
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

PARAMETERS = frozenset({"Parameter", "UninitializedParameter"})
CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})
# Layers of torch.nn without a parameter of their own.
PARAMETERLESS = re.compile(
    r"Dropout|Pool|Pad|Loss$|^(Identity|Flatten|Unflatten|Upsample|Fold|Unfold|Pixel|Channel"
    r"|Cosine|Pairwise|Local|Softmax|LogSoftmax|Softmin|Softplus|Softshrink|Softsign|Sigmoid"
    r"|LogSigmoid|Hard|Tanh|Tanhshrink|Threshold|ReLU|LeakyReLU|RReLU|ELU|SELU|CELU|GELU|SiLU"
    r"|Mish|GLU|Buffer|Module$)"
)
# A network loaded as a whole is most often there to be used, not to be trained.
LOADED = frozenset(
    {"from_pretrained", "load", "deepcopy", "load_model", "create_model", "pipeline"}
)
# Statements that return their receiver, or work on it in place.
CHAINED = frozenset({"to", "cuda", "cpu", "half", "float", "bfloat16", "double", "apply", "train"})
DEEPEST = 6  # calls from file to file; deeper chains are left undecided


class Learns(IntEnum):
    """Whether training changes a value; where several are joined, the largest counts."""

    NO = 0  # a buffer, a number, a layer without parameters
    FROZEN = 1  # parameters that were switched off
    OUTSIDE = 2  # given by a caller or made by code that is not in sight
    YES = 3


@dataclass(frozen=True, eq=False)
class Attributes:
    """The attributes of one class, its bases in the project included."""

    project: Project
    info: ClassInfo
    _classes: dict[str, frozenset[ClassInfo]] = field(default_factory=dict)
    _learns: dict[str, Learns] = field(default_factory=dict)

    def learns(self, name: str, depth: int = 0) -> Learns:
        """Whether training changes `self.name`."""
        if depth:
            return self._find_learns(name, depth)  # which may end too early
        if name not in self._learns:
            self._learns[name] = self._find_learns(name, 0)
        return self._learns[name]

    def _find_learns(self, name: str, depth: int) -> Learns:
        if name in self.frozen or FROZEN_NAME.search(name):
            return Learns.FROZEN
        if name in self.buffers or depth > DEEPEST:
            return Learns.NO
        values = self.assigned.get(name, [])
        found = [value_learns(self.project, one, depth + 1) for one in values]
        if not found and name in ("weight", "bias"):
            return self._inherited
        return max(found, default=Learns.NO)

    def as_network(self, depth: int = 0) -> Learns:
        """Whether a module of this class has anything to learn."""
        if "" in self.frozen:
            return Learns.FROZEN
        own = (self.learns(name, depth) for name in self.assigned)
        return max([self._inherited, *own])

    def classes(self, name: str) -> frozenset[ClassInfo]:
        """The project's networks that `self.name`, or an element of it, may be."""
        if name not in self._classes:
            found = [
                _networks_in(self.project, one.value, one.function, 0)
                for one in self.assigned.get(name, [])
            ]
            self._classes[name] = frozenset().union(*found)
        return self._classes[name]

    def instance(self, name: str) -> ClassInfo | None:
        """The one class that `self.name` is an instance of, where nothing is wrapped around."""
        values = self.assigned.get(name, [])
        found = {
            self.project.class_named(one.function.module.names.called(one.value) or "", module)
            for one in values
            for module in [one.function.module]
        }
        return found.pop() if len(found) == 1 else None

    @cached_property
    def methods(self) -> dict[str, Function]:
        """The methods, those of bases where the class has none of that name."""
        found: dict[str, Function] = {}
        for link in self._links:
            functions = functions_of(self.project, link.module)
            for name, node in link.methods.items():
                found.setdefault(name, functions[node])
        return found

    @cached_property
    def assigned(self) -> dict[str, list[Assigned]]:
        """All values assigned to each attribute, near before far, in the order of the text."""
        found: dict[str, list[Assigned]] = {}
        for own in self._settings:
            for name, values in own.assigned.items():
                found.setdefault(name, []).extend(values)
        return found

    @cached_property
    def buffers(self) -> frozenset[str]:
        """Names given to `register_buffer`."""
        return frozenset().union(*(own.buffers for own in self._settings))

    @cached_property
    def frozen(self) -> frozenset[str]:
        """Attributes whose parameters are switched off somewhere; "" for the whole module."""
        return frozenset().union(*(own.frozen for own in self._settings))

    @cached_property
    def _settings(self) -> list[OwnSettings]:
        return [own_settings(self.project, link) for link in self._links]

    @cached_property
    def _links(self) -> list[ClassInfo]:
        """The class and its bases, near before far; a library's base holds no layers."""
        told = self.project.lineage(self.info)
        links = self.project.bases(self.info) if told is None else told.bases
        # By their names first: that of a library would be parsed only to be left out.
        bases = (self.project.parsed(one) for one in links if one.name not in MODULE_BASES)
        return [self.info, *(base for base in bases if base is not None)]

    @cached_property
    def _inherited(self) -> Learns:
        """What a layer of torch.nn that is extended, such as Linear, brings to learn."""
        names = self.project.external_bases(self.info)
        layers = (name.rpartition(".")[2] for name in names if name.startswith("torch.nn."))
        if not any(not PARAMETERLESS.search(name) and name not in CONTAINERS for name in layers):
            return Learns.NO
        nodes = every_node(self.info.node)
        calls = {called_name(node) for node in nodes if isinstance(node, ast.Call)}
        # A table of sines stays what it is, though it is kept in the weight of an Embedding.
        return Learns.FROZEN if {"sin", "cos"} <= calls else Learns.YES


@kept(1024)
def attributes_of(project: Project, info: ClassInfo) -> Attributes:
    """The attributes of a class, collected once."""
    return Attributes(project, info)


def value_learns(project: Project, assigned: Assigned, depth: int) -> Learns:
    """Whether training changes what an expression makes."""
    value, function = assigned.value, assigned.function
    if depth > DEEPEST:
        return Learns.OUTSIDE
    if isinstance(value, ast.Call):
        return _call_learns(project, value, function, depth + 1)
    if isinstance(value, ast.Name):
        return _name_learns(project, value, function, depth + 1)
    own = self_attribute(value)
    if own and function.owner:
        return attributes_of(project, function.owner).learns(own, depth + 1)
    if isinstance(value, ast.IfExp | ast.BoolOp | ast.List | ast.Tuple | ast.Dict | ast.ListComp):
        return _parts_learn(project, ast.iter_child_nodes(value), function, depth)
    if isinstance(value, ast.GeneratorExp | ast.DictComp | ast.BinOp | ast.Starred):
        return _parts_learn(project, ast.iter_child_nodes(value), function, depth)
    return Learns.NO


def _parts_learn(
    project: Project, parts: Iterator[ast.AST], function: Function, depth: int
) -> Learns:
    """The strongest of several expressions; a plain name among them is a number or a switch."""
    found = [
        value_learns(project, Assigned(part, function), depth + 1)
        for part in parts
        if isinstance(part, ast.expr)
    ]
    return max((one for one in found if one is not Learns.OUTSIDE), default=Learns.NO)


def _name_learns(project: Project, name: ast.Name, function: Function, depth: int) -> Learns:
    found = []
    for binding in function.reaching(name):
        if binding.role is Role.ARGUMENT:
            found.append(Learns.OUTSIDE)
        elif binding.value is not None:
            found.append(value_learns(project, Assigned(binding.value, function), depth))
    return max(found, default=Learns.NO)


def _call_learns(project: Project, call: ast.Call, function: Function, depth: int) -> Learns:
    names, method = function.module.names, called_name(call)
    qualified = names.called(call) or ""
    if qualified.startswith("torch.nn."):
        return _layer_learns(project, qualified.rpartition(".")[2], call, function, depth)
    if method in LOADED:
        return Learns.OUTSIDE
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):
        if switches_off(call):
            return Learns.FROZEN
        if method in CHAINED or method == "requires_grad_":
            return value_learns(project, Assigned(call.func.value, function), depth)
    info = project.class_named(qualified, function.module) if qualified else None
    if info is not None:
        network = project.is_network(info)
        return attributes_of(project, info).as_network(depth) if network else Learns.NO
    maker = function.module.functions.get(qualified)
    if maker is not None:
        made = functions_of(project, function.module)[maker]
        found = [value_learns(project, Assigned(one, made), depth) for one in made.returned]
        return max(found, default=Learns.OUTSIDE)
    if qualified.startswith(("torch.", "math.", "self.")) or "." not in qualified:
        # Tensors made by torch learn nothing; a helper such as `clones(Layer(), 6)` hands on.
        return _parts_learn(project, iter(call.args), function, depth)
    wrapped = _parts_learn(project, iter(call.args), function, depth)
    return wrapped if wrapped is Learns.YES else Learns.OUTSIDE


def _layer_learns(
    project: Project, layer: str, call: ast.Call, function: Function, depth: int
) -> Learns:
    switched = {
        one.arg
        for one in call.keywords
        if isinstance(one.value, ast.Constant) and one.value.value is False
    }
    if layer in PARAMETERS:
        return Learns.FROZEN if "requires_grad" in switched else Learns.YES
    if layer in CONTAINERS:
        return _parts_learn(project, iter(call.args), function, depth)
    if PARAMETERLESS.search(layer) or "elementwise_affine" in switched or "affine" in switched:
        return Learns.NO
    if layer.startswith("InstanceNorm"):  # alone among the norms it has weights only if asked
        given = [*call.args[3:4], *(one.value for one in call.keywords if one.arg == "affine")]
        return Learns.YES if given else Learns.NO
    if not layer[:1].isupper():  # a function of torch.nn.functional or torch.nn.init
        return Learns.NO if layer != "from_pretrained" else Learns.FROZEN
    return Learns.YES


def _networks_in(
    project: Project, value: ast.expr, function: Function, depth: int
) -> set[ClassInfo]:
    """The networks that the calls in an expression make, helper functions followed."""
    found: set[ClassInfo] = set()
    for node in every_node(value):
        if isinstance(node, ast.Call):
            qualified = function.module.names.called(node) or ""
            info = project.class_named(qualified, function.module) if qualified else None
            if info is not None and project.is_network(info):
                found.add(info)
            maker = function.module.functions.get(qualified)
            if maker is not None and depth < DEEPEST:
                made = functions_of(project, function.module)[maker]
                for one in made.returned:
                    found |= _networks_in(project, one, made, depth + 1)
        elif isinstance(node, ast.Name) and depth < DEEPEST:
            for binding in function.reaching(node):
                if binding.value is not None and binding.value is not value:
                    found |= _networks_in(project, binding.value, function, depth + 1)
    return found

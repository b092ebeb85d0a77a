"""Whether code runs while a model is trained: reachable from forward or a training step."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.embeddings import embeds_ids
from gptdoctor.source.flow_attributes import Learns, attributes_of
from gptdoctor.source.flow_calls import CallSite, callers
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_parameters import is_activation
from gptdoctor.source.flow_sources import NOTHING, Origin, Source, Sources, farther
from gptdoctor.source.flow_switches import decorator_switch
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.flow_uses import Uses
from gptdoctor.source.project import Project
from gptdoctor.source.unparsed import bases_defining

# What training calls first. A class without `forward` is entered by whatever looks like a step.
ENTRIES = frozenset(
    ["forward", "training_step", "compute_loss", "forward_step", "training_loss", "loss"]
)
STEP_NAME = re.compile(r"forward|logits|^step$|^__call__$|_step$")
INFERENCE_NAME = re.compile(r"generat|sampl|decode|infer|predict|eval|valid|test|beam|greedy")
# A condition that speaks of these is a switch that somebody set on purpose.
SWITCH_WORD = re.compile(
    r"(?<![a-z])(freez|frozen|train|tune|finetun|infer|eval|generat|sampl)|no_?grad|requires_grad",
    re.IGNORECASE,
)
# Targets are given while training and left out when generating.
TARGET_NAMES = frozenset(["labels", "label", "targets", "target"])
# What compares or matches predictions with such is a loss, by its name, or has no gradient.
TRUTH_NAME = re.compile(r"(^|_)(gt|labels?|targets?|truths?)(_|$)")
LOSS_NAME = re.compile(r"loss|criterion|objective|entropy", re.IGNORECASE)
DEEPEST = 8  # callers of callers

# What an argument comes to where nobody in sight gives it.
_End = Callable[[Source, Function], Sources]


class Training:
    """The training paths of one project, as seen from the models of one module."""

    def __init__(
        self,
        project: Project,
        gradients: Gradients,
        models: tuple[str, ...] | Callable[[], tuple[str, ...]],
    ) -> None:
        """`models` are the main ones of the module looked at, or a way to find them out."""
        self.project = project
        self.gradients = gradients
        self._models = models
        self._sites: dict[Function, list[CallSite]] = {}

    def _is_main(self, owner: ClassInfo) -> bool:
        """Whether a class is a main model of the module looked at.

        To find those out, all classes are asked for the ids that they look up: this one first.
        """
        if isinstance(self._models, tuple):
            return owner.symbol in self._models
        return embeds_ids(self.project, owner) and owner.symbol in self._models()

    def may_reach(self, function: Function) -> bool:
        """A cheap first answer: Python's own methods are called by no name."""
        return not function.name.startswith("__") or self.is_entry(function)

    def reaches(self, function: Function) -> bool:
        """Whether training runs this function."""
        seen: set[Function] = set()
        queue = [function]
        while queue:
            current = queue.pop()
            if current in seen:
                continue
            seen.add(current)
            if self.is_entry(current):
                return True
            queue.extend(site.function for site in self.sites(current))
            if current.outer is not None and not self.sites(current):
                queue.append(current.outer)  # handed to something that is not in sight
        return False

    def sites(self, function: Function) -> list[CallSite]:
        """The call sites of a function that training may pass."""
        if function not in self._sites:
            self._sites[function] = [
                site
                for site in callers(self.project, function)
                if site.function != function
                and not is_off_limits(site.function, site.node)
                and decorator_switch(site.function) is None
            ]
        return self._sites[function]

    def is_entry(self, function: Function) -> bool:
        """Whether training starts here: a network's forward, or what stands for it."""
        owner, name = function.owner, function.name
        if owner is None or not function.method or INFERENCE_NAME.search(name):
            return False
        if name not in ENTRIES and STEP_NAME.search(name) is None:
            return False
        asked = any("inference" in name for name in function.parameter_names)
        if asked or self._differentiates(owner):
            return False
        if name in ENTRIES:
            return self._is_network(owner)
        if "forward" in owner.methods or any(bases_defining(self.project, owner, "forward")):
            return False
        return self._is_network(owner)

    def _is_network(self, owner: ClassInfo) -> bool:
        """Whether a class is a module of layers; a base that is not in sight hides that."""
        if self.project.is_network(owner):
            return True
        return bool(owner.bases) and (attributes_of(self.project, owner).as_network() is Learns.YES)

    def _differentiates(self, owner: ClassInfo) -> bool:
        """Whether a class brings its own backward: an autograd function, a reversible layer."""
        external = self.project.external_bases(owner)
        return any("autograd" in name for name in external) or any(
            "backward" in name for name in owner.methods
        )

    def origins(self, sources: Sources, function: Function) -> Sources:
        """The sources of a value with arguments traced back to what training's callers give."""
        return self._traced(sources, function, 0, self._activation)

    def own_origins(self, sources: Sources, function: Function) -> Sources:
        """The origins but for what training itself brings in: what a network gives is all there.

        That spares the question which models of the project training enters.
        """
        return self._traced(sources, function, 0, _nothing)

    def _traced(self, sources: Sources, function: Function, depth: int, at_entry: _End) -> Sources:
        found: set[Source] = set()
        for source in sources:
            if source.origin is not Origin.ARGUMENT:
                found.add(source)
            elif depth < DEEPEST:
                found |= self._given(source, function, depth, at_entry)
        return frozenset(found)

    def _given(self, source: Source, function: Function, depth: int, at_entry: _End) -> Sources:
        sites = self.sites(function)
        if not sites:
            return at_entry(source, function)
        found: set[Source] = set()
        for site in sites:
            given = site.argument(function, source.name)
            brought = NOTHING if given is None else self.gradients.of(given, site.function)
            if given is not None and brought and not self._is_handed_out(given, site):
                origins = self._traced(brought, site.function, depth + 1, at_entry)
                found |= farther(origins, source.steps)
        return frozenset(found)

    def _is_handed_out(self, given: ast.expr, site: CallSite) -> bool:
        """Whether a caller hands out what it gives, as it is: that learns by what is done there.

        A choice of matches, or of tokens, is made of scores that are a result beside it.
        """
        return isinstance(given, ast.Name) and Uses(site.function, self.gradients).hands_out(given)

    def _activation(self, source: Source, function: Function) -> Sources:
        """An argument of a function that nobody calls: an activation, if training enters here."""
        owner = function.owner
        entry = self.is_entry(function) and is_activation(source.name)
        if owner is not None and not LOSS_NAME.search(owner.name):
            entry = entry and not any(map(TRUTH_NAME.search, function.parameter_names))
        entry = entry and not (owner is not None and self._is_main(owner))
        return frozenset({source}) if entry else NOTHING


def _nothing(source: Source, function: Function) -> Sources:
    return NOTHING


def is_off_limits(function: Function, node: ast.AST) -> bool:
    """Whether a place is left out of training by a condition around or before it."""
    inside: ast.stmt | None = None
    for statement, before in function.statements_around(node):
        if any(_returns_when_training(one) for one in before):
            return True
        if isinstance(inside, ast.If) and _skipped(inside, statement):
            return True
        inside = statement
    return False


def _skipped(condition: ast.If, inside: ast.stmt) -> bool:
    """Whether a statement directly inside a condition does not run in training, or by a switch."""
    first = any(inside is one for one in condition.body)
    verdict = _in_training(condition.test)
    if verdict is None:
        asked = text_of(condition.test).replace("self.training", "")
        return SWITCH_WORD.search(asked) is not None
    return verdict is not first


def _returns_when_training(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.If) or _in_training(statement.test) is not True:
        return False
    return isinstance(statement.body[-1], ast.Return | ast.Raise) and not statement.orelse


def _in_training(test: ast.expr) -> bool | None:
    """What a condition is in training: True, False, or None where it does not ask for that."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _in_training(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        found = [_in_training(value) for value in test.values]
        decisive = not isinstance(test.op, ast.And)
        return decisive if decisive in found else None
    if isinstance(test, ast.Attribute) and test.attr == "training":
        return True
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        is_target = isinstance(test.left, ast.Name) and test.left.id in TARGET_NAMES
        if is_target and isinstance(test.ops[0], ast.Is | ast.IsNot):
            return isinstance(test.ops[0], ast.IsNot)
    return None

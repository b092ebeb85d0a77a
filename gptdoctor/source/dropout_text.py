"""Dropouts that the text leaves on in evaluation."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.mask_uses import SDPA, argument_of
from gptdoctor.source.project import Project
from gptdoctor.source.spread_options import keywords_of
from gptdoctor.source.text_values import bound_to, kept_in, number_of

FUNCTIONAL = "torch.nn.functional."
# Dropouts of torch.nn.functional; all take (input, p, training), and training is True by default.
DROPOUTS = (
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alpha_dropout",
    "feature_alpha_dropout",
)
MODULES = frozenset(
    {f"torch.nn.{one}" for one in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d")}
    | {"torch.nn.AlphaDropout", "torch.nn.FeatureAlphaDropout"}
)
# Chance that is meant in evaluation too, or that a name says belongs to training.
MEANT = re.compile(
    r"mc_?drop|monte|bayes|stochastic|uncertain|noise|noisy|augment|perturb|corrupt|mask_?token"
    r"|(^|[._])(train|training|generate|sample|loss|compute_loss)(_|$)|training_step|simcse",
    re.I,
)


def always_drops(
    project: Project, function: Function, call: ast.Call, parents: tuple[ast.AST, ...]
) -> str | None:
    """What a call drops with in every mode, "0.1" or "self.dropout"; None where it may not."""
    rate, owner = _dropped(project, function, call), function.owner
    if not rate or owner is None or _asks_for_the_mode(call, function, parents):
        return None
    # Whether it is a network may have to be looked up in other files, and is asked last.
    return rate if project.is_network(owner) else None


def _dropped(project: Project, function: Function, call: ast.Call) -> str | None:
    if function.owner is None or MEANT.search(f"{function.owner.name}.{function.name}"):
        return None
    spread = keywords_of(call, function)
    if spread is None or any(isinstance(one, ast.Starred) for one in call.args):
        return None
    called = function.module.names.called(call) or ""
    if called == SDPA:
        given = argument_of(call, "dropout_p", 4) or spread.get("dropout_p")
        return _rate(project, function, given, 0) if given is not None else None
    if called in MODULES:
        return _made_anew(project, function, call)
    if called.removeprefix(FUNCTIONAL) not in DROPOUTS or not called.startswith(FUNCTIONAL):
        return None
    if argument_of(call, "training", 2) is not None:
        return None  # True as well: who writes it out wants it in evaluation too
    given = argument_of(call, "p", 1)
    return "0.5, the default" if given is None else _rate(project, function, given, 0)


def _made_anew(project: Project, function: Function, made: ast.Call) -> str | None:
    """The rate of a dropout that a method makes and calls at once: a new module is in training."""
    if function.name.startswith("_") or "train(" in function.text or "eval(" in function.text:
        return None
    if not any(_is_called(node, made, function) for node in own_nodes(function.node)):
        return None
    given = argument_of(made, "p", 0)
    return "0.5, the default" if given is None else _rate(project, function, given, 0)


def _is_called(node: ast.AST, made: ast.Call, function: Function) -> bool:
    """`nn.Dropout(0.1)(x)`, by a name of the method as well."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return bound_to(node.func, function) is made
    return node.func is made


def _rate(project: Project, function: Function, given: ast.expr, depth: int) -> str | None:
    """The text of a rate that is above 0 and does not ask for the mode."""
    known = number_of(given, function)
    if known is not None:
        return text_of(given) if known > 0 else None
    if isinstance(given, ast.Name) and depth < 4:
        bound = bound_to(given, function)
        return None if bound is None else _rate(project, function, bound, depth + 1)
    if not isinstance(given, ast.Attribute):
        return None
    if isinstance(given.value, ast.Name) and given.value.id == "self":
        kept = kept_in(project, function, given.attr)
        if kept is None or kept[1].name != "__init__" or not _is_setting(kept[0]):
            return None
        zero = number_of(kept[0], kept[1])
        return None if zero == 0.0 else text_of(given)
    return text_of(given) if _of_configuration(project, function, given.value) else None


def _of_configuration(project: Project, function: Function, value: ast.expr) -> bool:
    """Whether a value is the configuration that the constructor was given, kept in self."""
    if text_of(value) == "self.config":
        return True
    name = self_attribute(value)
    kept = kept_in(project, function, name) if name else None
    if kept is None or kept[1].name != "__init__" or not isinstance(kept[0], ast.Name):
        return False
    return kept[0].id in kept[1].parameter_names


def _is_setting(value: ast.expr) -> bool:
    """Whether a value is a plain setting: a parameter of the constructor, of a configuration."""
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name | ast.Constant)


def _asks_for_the_mode(node: ast.AST, function: Function, parents: tuple[ast.AST, ...]) -> bool:
    """Whether a test of the mode decides if a node runs: around it, or by leaving before it."""
    tests = [parent.test for parent in parents if isinstance(parent, ast.If | ast.IfExp)]
    if "return" in function.text and "if " in function.text:
        tests += [
            one.test
            for _, earlier in function.statements_around(node)
            for one in earlier
            if isinstance(one, ast.If) and isinstance(one.body[-1], ast.Return | ast.Raise)
        ]
    return any("train" in text_of(test) or "eval" in text_of(test) for test in tests)

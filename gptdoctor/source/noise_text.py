"""Noise that a forward adds to its values in evaluation as well."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

NOISES = ("randn_like", "rand_like")
CHOICES = ("rand", "bernoulli", "bernoulli_", "rand_like")
# How a class looks that leaves out rows, layers or weights by chance.
_LEAVES_OUT = re.compile(r"drop|keep_?prob|surviv", re.IGNORECASE)
_OF_CHOICE = re.compile(
    r"train|mask_(ratio|rate|prob|token)|mc_?drop|eval|augment|sampl|corrupt", re.IGNORECASE
)
# Files and classes that change data before a model sees it, or make sounds of noise.
_BY_DESIGN = re.compile(r"augment|transforms|nois|perturb|corrupt|generator", re.IGNORECASE)
_CHOOSING = (ast.If, ast.For, ast.While, ast.Try, ast.With)
DEEPEST = 3  # names between a product and the draw

# Models whose results are drawn by design, or that are given noise on purpose.
_MEANT = re.compile(
    r"\bvae\b|autoencod|variational|diffus|\bgan\b|discriminator|sampl|reparam|log_?var|\bmu\b|flow"
    r"|score_?(net|model|fn|func|based|match|sde)|timestep|alphas|\bsigmas?_t|mc_?drop|monte|bayes|stochastic|gumbel|latent|denois"
    r"|langevin|train|perturb|adversar|privacy|dither|quanti|generator|explor|eval",
    re.IGNORECASE,
)


def always_added(project: Project, function: Function, call: ast.Call) -> bool:
    """Whether a forward adds noise to a value of its own, and no word speaks of a mode."""
    owner = function.owner
    if owner is None or not _is_forward(function) or called_name(call) not in NOISES:
        return False
    if not (function.module.names.called(call) or "").startswith("torch.") or not call.args:
        return False
    if _MEANT.search(owner.text) or _MEANT.search(_heading(function)):
        return False
    base = text_of(call.args[0])
    return any(_adds(one, base, call, function) for one in _sums(function)) and (
        project.is_network(owner)
    )


def _is_forward(function: Function) -> bool:
    """Whether a method is forward, or a helper that forward calls whatever it is given."""
    owner = function.owner
    forward = owner.methods.get("forward") if owner is not None else None
    if forward is None or not function.method or function.name == "forward":
        return function.name == "forward"
    called = f"self.{function.name}("
    return any(called in text_of(one) and not isinstance(one, _CHOOSING) for one in forward.body)


def always_left_out(project: Project, function: Function, call: ast.Call) -> bool:
    """Whether a forward multiplies what it is given by a draw, and no word speaks of a mode."""
    owner = function.owner
    if owner is None or function.name != "forward" or called_name(call) not in CHOICES:
        return False
    if _LEAVES_OUT.search(owner.text) is None:
        return False
    if _OF_CHOICE.search(owner.text) or _BY_DESIGN.search(f"{owner.module.path}:{owner.name}"):
        return False
    products = [
        side
        for node in own_nodes(function.node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div)
        for side in (node.left, node.right)
    ]
    return any(_holds(one, call, function) for one in products) and project.is_network(owner)


def _heading(function: Function) -> str:
    """What the file says that it is."""
    return (ast.get_docstring(function.module.tree) or "")[:400]


@kept(16)
def _sums(function: Function) -> tuple[tuple[ast.expr, ast.expr], ...]:
    """Both sides of each sum of a function."""
    found: list[tuple[ast.expr, ast.expr]] = []
    for node in own_nodes(function.node):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            found += [(node.left, node.right), (node.right, node.left)]
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            found.append((node.target, node.value))
        elif called_name(node) in ("add", "add_") and isinstance(node, ast.Call):
            given = [*node.args]
            if len(given) == 1 and isinstance(node.func, ast.Attribute):
                given.insert(0, node.func.value)
            found += [(given[0], given[1])] if len(given) > 1 else []
    return tuple(found)


def _adds(sides: tuple[ast.expr, ast.expr], base: str, call: ast.Call, function: Function) -> bool:
    """Whether a sum is of what noise is made like, and of that noise, at whatever scale."""
    value, noise = sides
    if text_of(value) != base:
        return False
    return _holds(noise, call, function)


def _holds(value: ast.expr, call: ast.Call, function: Function, depth: int = 0) -> bool:
    """Whether a value is made of a draw, under a name or two as well."""
    for node in every_node(value):
        if node is call:
            return True
        if isinstance(node, ast.Name) and depth < DEEPEST:
            bound = [one for one in function.reaching(node) if one.role is not Role.ARGUMENT]
            made = [one.value for one in bound if one.value is not None]
            if any(_holds(one, call, function, depth + 1) for one in made):
                return True
    return False

"""Whether queries and keys are what linear layers of the class make, in the same method."""

from __future__ import annotations

import ast

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.nodes import every_node

LINEAR = "torch.nn.Linear"
DEEPEST = 24  # bindings between a product and the layers


def is_projected(value: ast.expr, function: Function) -> bool:
    """Whether what a value is made of comes out of a linear layer kept in self."""
    seen: set[Binding] = set()
    queue: list[ast.expr] = [value]
    while queue and len(seen) < DEEPEST:
        for node in every_node(queue.pop(0)):
            if isinstance(node, ast.Call) and _is_linear(node.func, function):
                return True
            if not isinstance(node, ast.Name):
                continue
            for binding in function.reaching(node):
                if binding not in seen and binding.value is not None:
                    seen.add(binding)
                    queue.append(binding.value)
    return False


def _is_linear(called: ast.expr, function: Function) -> bool:
    name, owner = self_attribute(called), function.owner
    made = owner.attributes.get(name, []) if owner is not None and name else []
    names = function.module.names
    return bool(made) and all(names.called(one) == LINEAR for one in made)

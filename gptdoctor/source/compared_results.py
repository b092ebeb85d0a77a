"""Results of a model of which nothing but choices is taken."""

from __future__ import annotations

import ast

from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import end, start
from gptdoctor.source.names import called_name


def are_compared(results: ast.ListComp, function: Function) -> bool:
    """Whether a list of results is read for choices alone: `torch.cat(results) > 0.5`."""
    names = function.bindings.names_given.get(results, [])
    reads = [one for name in names for one in loads_of(function).get(name, [])]
    chosen = [
        node
        for node in own_nodes(function.node)
        if isinstance(node, ast.Compare) or called_name(node) == "argmax"
    ]
    return bool(reads) and all(
        any(start(one) <= start(read) <= end(one) for one in chosen) for read in reads
    )

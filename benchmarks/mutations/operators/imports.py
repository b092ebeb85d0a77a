"""Faults of imports and of calls into imported packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from benchmarks.mutations.edit import Edit, Tree
from benchmarks.mutations.effects.shapes import fails
from benchmarks.mutations.operator import Operator, Rewrite

CLASSES = {
    "LayerNorm": "epsilon=1e-5",
    "Embedding": "padding_index=0",
    "Dropout": "rate=0.1",
    "ModuleList": "name='layers'",
}


def _module_missing(tree: Tree) -> Iterator[Edit]:
    """`import a.b as c` and `from a.b import c` of a module `a.b_v2`."""
    for node in tree.root.body:
        if isinstance(node, ast.Import) and node.names[0].asname:
            text = f"import {node.names[0].name}_v2 as {node.names[0].asname}"
        elif isinstance(node, ast.ImportFrom) and node.module not in (None, "__future__"):
            text = tree.matcher.text(node).replace(f"{node.module}", f"{node.module}_v2", 1)
        else:
            continue
        yield _whole(tree, node, text)


def _name_missing(tree: Tree) -> Iterator[Edit]:
    """`from a import b` of a name that `a` does not have."""
    for node in tree.root.body:
        if isinstance(node, ast.ImportFrom) and node.module not in (None, "__future__"):
            first = node.names[0]
            old = tree.matcher.text(node)
            head, _, tail = old.partition(" import ")
            new = f"{first.name}_v2 as {first.asname or first.name}"
            rest = tail.replace(f"{first.name} as {first.asname}", new, 1)
            rest = tail.replace(first.name, new, 1) if first.asname is None else rest
            yield _whole(tree, node, f"{head} import {rest}")


def _whole(tree: Tree, node: ast.stmt, text: str) -> Edit:
    start, end = tree.matcher.span(node)
    return Edit(start=start, end=end, text=text, lineno=node.lineno)


OPERATORS = (
    Operator(
        name="module-missing",
        family="imports",
        digits=(5,),
        says="a module is imported that does not exist",
        effects=(fails,),
        custom=_module_missing,
    ),
    Operator(
        name="name-missing",
        family="imports",
        digits=(5,),
        says="a name is imported that its module does not have",
        effects=(fails,),
        custom=_name_missing,
    ),
    Operator(
        name="argument-unknown-to-class",
        family="imports",
        digits=(5,),
        says="an imported class is given an argument that it does not take",
        effects=(fails,),
        rewrites=(
            *(
                Rewrite(before=f"nn.{name}(X, *A, **K)", after=f"nn.{name}(X, *A, **K, {extra})")
                for name, extra in CLASSES.items()
            ),
            Rewrite(before="nn.Linear(A, B, bias=C)", after="nn.Linear(A, B, use_bias=C)"),
        ),
    ),
    Operator(
        name="argument-unknown-to-linear",
        family="imports",
        digits=(5,),
        says="a linear layer is given an argument that it does not take",
        effects=(fails,),
        rewrites=(
            Rewrite(before="nn.Linear(A, B, bias=C)", after="nn.Linear(A, B, use_bias=C)"),
            Rewrite(before="nn.Linear(A, B)", after="nn.Linear(A, B, init='xavier')"),
        ),
    ),
    Operator(
        name="argument-unknown-to-function",
        family="imports",
        digits=(5,),
        says="a function of torch is given an argument that it does not take",
        effects=(fails,),
        rewrites=(
            Rewrite(
                before="F.scaled_dot_product_attention(*A, **K)",
                after="F.scaled_dot_product_attention(*A, **K, causal=True)",
            ),
            Rewrite(before="F.softmax(X, dim=-1)", after="F.softmax(X, axis_=-1)"),
            Rewrite(
                before="F.cross_entropy(*A, ignore_index=X)",
                after="F.cross_entropy(*A, ignore_idx=X)",
            ),
            Rewrite(before="F.gelu(X)", after="F.gelu(X, approx='tanh')"),
        ),
    ),
)

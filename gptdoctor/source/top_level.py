"""What a statement at the top level of a module binds, changes and reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.nodes import every_node

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def here(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and all below it that runs when it does: the bodies of functions are left out."""
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        children: list[ast.AST] = list(_evaluated(node))
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from here(child)


def _evaluated(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[ast.expr]:
    """What defining a function evaluates: its decorators, defaults and annotations."""
    arguments = node.args
    yield from arguments.defaults
    yield from (default for default in arguments.kw_defaults if default is not None)
    if isinstance(node, ast.Lambda):
        return
    yield from node.decorator_list
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    yield from (one.annotation for one in every if one.annotation is not None)
    if node.returns is not None:
        yield node.returns


def bound(node: ast.stmt) -> frozenset[str]:
    """The names that a statement gives to the module when it runs."""
    return frozenset(_bound(node))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0]
    elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.ExceptHandler):
        pass  # its name is gone when it ends
    if not isinstance(node, (*_SCOPES, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        for child in ast.iter_child_nodes(node):
            yield from _bound(child)


def changed(node: ast.stmt) -> frozenset[str]:
    """The names whose objects a statement changes in place: `TABLE[k] = v`, `TABLE.append(v)`."""
    return frozenset(name for below in here(node) for name in _changed(below) if name)


def _changed(node: ast.AST) -> Iterator[str | None]:
    if isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node.ctx, ast.Store | ast.Del):
            yield base_name(node)
    elif isinstance(node, ast.AugAssign):
        yield base_name(node.target)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        if isinstance(called, ast.Attribute):
            yield base_name(called)
        elif isinstance(called, ast.Name) and called.id in ("setattr", "delattr"):
            yield from (base_name(argument) for argument in node.value.args[:1])


def base_name(node: ast.AST) -> str | None:
    """NAME of `NAME.a[b].c`; None where the chain begins with something else, such as a call."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def reads(node: ast.AST) -> frozenset[str]:
    """The names of the module that `node` reads, now or when its functions are called."""
    return frozenset(_reads(node))


def _reads(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Store):
            yield node.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for part in _evaluated(node):
            yield from _reads(part)
        own = _locals(node)
        body = node.body if isinstance(node.body, list) else [node.body]
        yield from (name for part in body for name in _reads(part) if name not in own)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _reads(child)


def _locals(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """The names that belong to a function: its parameters, and what its body binds."""
    every = [below.arg for below in every_node(node.args) if isinstance(below, ast.arg)]
    if isinstance(node, ast.Lambda):
        return set(every)
    shared = {
        name for below in every_node(node) if isinstance(below, ast.Global) for name in below.names
    }
    return {*every, *(name for part in node.body for name in _bound(part))} - shared


def reads_now(node: ast.AST) -> frozenset[str]:
    """The names that `node` reads when it runs, not when its functions are called."""
    return frozenset(
        below.id
        for below in here(node)
        if isinstance(below, ast.Name) and not isinstance(below.ctx, ast.Store)
    )


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """The calls that run when `node` does, without those in the functions that they enter."""
    return (below for below in here(node) if isinstance(below, ast.Call))


def is_main_guard(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`, which never holds for an import."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    compared = node.test
    sides = [compared.left, *compared.comparators]
    names = {side.id for side in sides if isinstance(side, ast.Name)}
    values = {side.value for side in sides if isinstance(side, ast.Constant)}
    return isinstance(compared.ops[0], ast.Eq) and "__name__" in names and "__main__" in values


def mentions(node: ast.AST, name: str) -> bool:
    """Whether `node` names `name`, alone or as an attribute."""
    return any(
        name in (getattr(below, "id", None), getattr(below, "attr", None))
        for below in every_node(node)
    )


def blocks_of(node: ast.If | ast.Try) -> list[list[ast.stmt]]:
    """The body, the `else`, the `finally` and the handlers of a statement, in this order."""
    blocks = [node.body, node.orelse]
    if isinstance(node, ast.Try):
        blocks += [node.finalbody, *(handler.body for handler in node.handlers)]
    return blocks


def with_blocks(node: ast.If | ast.Try, blocks: list[list[ast.stmt]]) -> ast.If | ast.Try:
    """A copy of a statement with other statements in its blocks, at the same places."""
    body, orelse, *others = blocks
    body = body or [ast.copy_location(ast.Pass(), node)]
    if isinstance(node, ast.If):
        return ast.copy_location(ast.If(test=node.test, body=body, orelse=orelse), node)
    final, *bodies = others
    handlers = [
        ast.copy_location(
            ast.ExceptHandler(
                type=handler.type,
                name=handler.name,
                body=inner or [ast.copy_location(ast.Pass(), handler)],
            ),
            handler,
        )
        for handler, inner in zip(node.handlers, bodies, strict=True)
    ]
    return ast.copy_location(
        ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final), node
    )

"""Stretches of a function that may be skipped or left early, and the statements in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.flow_targets import Position, end, start, text_of
from gptdoctor.source.statements import BLOCKS, SCOPES, bodies_of

_LOOPS = frozenset({ast.For, ast.AsyncFor, ast.While})
_ALWAYS = frozenset({ast.With, ast.AsyncWith})  # they run their body in any case
_EXCLUSIVE = frozenset({ast.If, ast.Match})
_LEAVING = frozenset({ast.Return, ast.Raise, ast.Continue, ast.Break})


# Not frozen, though nothing changes it: a frozen one takes three times as long to make.
@dataclass(eq=False, kw_only=True)
class Block:
    """A stretch of text that may be skipped or left early: a branch, a loop's body."""

    start: Position
    end: Position
    owner: int  # the same for the branches of one statement
    loop: bool = False
    leaves: bool = False  # ends by return, raise, continue or break
    condition: ast.expr | None = None  # the test of the `if` around it
    holding: bool = True  # whether the test holds in here

    def holds(self, place: Position) -> bool:
        """Whether `place` lies inside."""
        return self.start <= place <= self.end


def excludes(block: Block, other: Block) -> bool:
    """Whether only one of two blocks runs: branches of one `if`, or of two with the same test."""
    if block.owner == other.owner:
        return True
    if block.condition is None or other.condition is None or block.holding is other.holding:
        return False
    return text_of(block.condition) == text_of(other.condition) != ""


def placed(
    body: list[ast.stmt], branches: list[Block]
) -> Iterator[tuple[ast.stmt, tuple[Block, ...]]]:
    """The statements below a body, with the blocks around each, in no order.

    All blocks go into `branches`, too.
    """
    stack: list[tuple[list[ast.stmt], tuple[Block, ...]]] = [(body, ())]
    while stack:
        statements, blocks = stack.pop()
        for statement in statements:
            yield statement, blocks
            kind = statement.__class__
            if kind not in BLOCKS or kind in SCOPES:
                continue
            for inner, block in _inner_blocks(statement):
                if block is not None:
                    branches.append(block)
                stack.append((inner, (*blocks, block) if block else blocks))


def _inner_blocks(statement: ast.stmt) -> Iterator[tuple[list[ast.stmt], Block | None]]:
    """The bodies inside a statement, each with its block, if it may be skipped."""
    kind = statement.__class__
    loop, always = kind in _LOOPS, kind in _ALWAYS
    bodies = bodies_of(statement)
    exclusive = kind in _EXCLUSIVE
    condition = statement.test if isinstance(statement, ast.If) else None
    for number, body in enumerate(bodies):
        if body:
            owner = id(statement) if exclusive else id(statement) + number + 1
            leaves = body[-1].__class__ in _LEAVING
            block = Block(
                start=start(body[0]),
                end=end(body[-1]),
                owner=owner,
                loop=loop and not number,
                leaves=leaves,
                condition=condition,
                holding=not number,
            )
            yield body, None if always else block

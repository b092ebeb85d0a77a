"""Whether the results of two experts can meet in one place of a buffer."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TypeGuard

from gptdoctor.core.findings import Value
from gptdoctor.source.flow_experts import ExpertLoop, loop_names, loop_parts, resolved, values_in
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_gradients import Gradients
from gptdoctor.source.flow_membership import Choice, Membership, membership
from gptdoctor.source.flow_overwrites import Write, elements
from gptdoctor.source.flow_targets import Role, start, text_of
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

EMPTY = frozenset(["zeros", "zeros_like", "new_zeros", "empty", "empty_like", "new_empty"])


@dataclass(frozen=True, kw_only=True)
class Collision:
    """A write that may hit what an earlier pass of a loop wrote."""

    write: Write
    reason: str
    loop: ExpertLoop
    found: Membership | None
    slot: str  # the name that runs over the slots, "" where they are folded
    topk: tuple[str, str]  # names of the weights and the indices, where they are unpacked
    weighted: bool  # the value is multiplied by the router's weight already

    def details(self) -> dict[str, Value]:
        """What the remedy wants to know, as texts of the source."""
        answers = self.loop.answers(self.write.value)
        call = next((one for one in answers if isinstance(one, ast.Call)), None)
        counters = (one.target for one in self.loop.parts if one.role is Role.COUNTER)
        return {
            "buffer": self.write.buffer,
            "operation": self.write.operation,
            "index": text_of(self.write.index) if self.write.index else "",
            "value": text_of(self.write.value),
            "experts": text_of(self.loop.experts),
            "expert": text_of(call.func) if call else "",
            "expert_input": text_of(call.args[0]) if call and call.args else "",
            "number": next((one.id for one in counters if isinstance(one, ast.Name)), ""),
            "slot": self.slot,
            "chosen": text_of(self.found.indices) if self.found else "",
            "top_weights": self.topk[0],
            "top_indices": self.topk[1],
            "weighted": self.weighted,
            "loop_line": self.loop.node.lineno,
        }


def _leaves_out(write: Write) -> bool:
    """Whether a write leaves out what its buffer held, unlike `x = layer(x)`: by its own text."""
    return not any(
        isinstance(one, ast.Name) and one.id == write.buffer for one in values_in(write.value)
    )


class Routing:
    """One loop over experts and the loops around it."""

    def __init__(self, project: Project, loop: ExpertLoop) -> None:
        self.loop, self.function = loop, loop.function
        self.choice = Choice(Gradients(project))

    def collision(self, write: Write) -> Collision | None:
        """How a write may hit what was written before, or None where it does not."""
        value = write.value
        if write.index is None and not (self.loop.members and self._is_named_before(write.buffer)):
            return None
        if not _leaves_out(write):
            return None
        if not self.loop.answers(value) or self.loop.reads(value, write.buffer):
            return None
        open_loops = self._open_loops(write)
        if not any(one is self.loop.node for one in open_loops):
            return None
        if write.index is None:
            return self._replaced(write)
        found = [membership(one, self.function) for one in elements(write.index)]
        known = [one for one in found if one is not None]
        if known:
            return self._by_choice(write, known, open_loops)
        return self._by_slot(write, open_loops)

    def _is_named_before(self, name: str) -> bool:
        """Whether a name stands above the loop, in this function or one around: no text, no value.

        Python reads some letters as others.
        """
        outermost = self.function
        while outermost.outer is not None:
            outermost = outermost.outer
        above = outermost.module.segment(outermost.node.lineno, self.loop.node.lineno)
        return name in above or not name.isascii()

    def _open_loops(self, write: Write) -> list[ast.For]:
        """The loops around a write that neither renew the buffer nor have a place each in it."""
        around = self.function.statements_around(write.statement)
        loops = [one for one, _ in around if isinstance(one, ast.For)]
        name = ast.Name(id=write.buffer, ctx=ast.Load())
        ast.copy_location(name, write.statement)
        made = [one for one in self.function.reaching(name) if one.role is not Role.CHANGED]
        direct = write.direct_names()
        return [
            loop
            for loop in loops
            if all(one.since < start(loop) for one in made)
            and not direct & loop_names(tuple(loop_parts(loop, self.function)))
        ]

    def _by_choice(
        self, write: Write, known: list[Membership], open_loops: list[ast.For]
    ) -> Collision | None:
        indices = known[0].indices
        if self.choice.single(indices, self.function):
            return None
        slot = self._slot(indices, open_loops)
        if slot is not None:
            reason = f"once for each {slot} of the router's choice"
            return self._collision(write, reason, known[0], slot)
        if self._fixed_slot(indices) or not self._folded(known, indices):
            return None
        reason = "although a token is among the rows of several experts"
        return self._collision(write, reason, known[0], "")

    def _slot(self, indices: ast.expr, open_loops: list[ast.For]) -> str | None:
        """The name of an open loop that picks one slot of the choice: `k` in top_idx[..., k]."""
        names = {
            name: loop
            for loop in open_loops
            for name in loop_names(tuple(loop_parts(loop, self.function)))
        }
        for _ in range(4):
            if isinstance(indices, ast.Name) and indices.id in names:
                return indices.id  # for idx in top_idx.unbind(-1)
            if isinstance(indices, ast.Subscript | ast.Call):
                for node in every_node(indices):
                    if isinstance(node, ast.Name) and node.id in names:
                        return node.id
            before, indices = indices, resolved(indices, self.function)
            if before is indices:
                break
        return None

    def _fixed_slot(self, indices: ast.expr) -> bool:
        """top_idx[:, 0]: one slot, chosen once."""
        value = resolved(indices, self.function)
        if not isinstance(value, ast.Subscript):
            return False
        numbers = (one for one in elements(value.slice) if isinstance(one, ast.Constant))
        return any(isinstance(one.value, int) for one in numbers)

    def _folded(self, known: list[Membership], indices: ast.expr) -> bool:
        """Whether the slots of a token end in one row of the buffer."""
        if any(one.folded for one in known):
            return True
        columns = known[0].columns
        if columns > 1:
            return len({one.column for one in known}) < columns
        sure = self.choice.single(indices, self.function) is False
        return columns == -1 and known[0].column is not None and sure

    def _by_slot(self, write: Write, open_loops: list[ast.For]) -> Collision | None:
        """out[b, t] = experts[idx[b, t, k]](...): the same place for each k."""
        known = write.direct_names()
        around = {
            name
            for one, _ in self.function.statements_around(write.statement)
            if isinstance(one, ast.For)
            for name in loop_names(tuple(loop_parts(one, self.function)))
        }
        if not known or not known <= around:
            return None
        for call in self.loop.answers(write.value):
            chosen = call.func if isinstance(call, ast.Call) else call
            if isinstance(chosen, ast.Name):
                chosen = resolved(chosen, self.function)
            picked = _inner_subscript(chosen, self.function)
            if picked is None or self.choice.single(picked, self.function):
                continue
            slot = self._slot(picked, open_loops)
            if slot:
                return self._collision(write, f"once for each {slot}", None, slot)
        return None

    def _replaced(self, write: Write) -> Collision | None:
        """`out = gate[..., i] * expert(x)`: an empty sum that every pass begins anew."""
        name = ast.Name(id=write.buffer, ctx=ast.Load())
        ast.copy_location(name, self.loop.node)
        before = self.function.reaching(name)
        if len(before) != 1 or not _is_empty(before[0].value) or not self.loop.members:
            return None
        body = list(own_nodes(self.loop.node))
        read = any(_loads(node, write.buffer) for node in body)
        skipped = any(isinstance(node, ast.Break | ast.If | ast.Continue) for node in body)
        later = any(
            _loads(node, write.buffer) and not self.loop.holds(node)
            for node in own_nodes(self.function.node)
        )
        if read or skipped or not later:
            return None
        return self._collision(write, "in every pass of the loop", None, "")

    def _collision(
        self, write: Write, reason: str, found: Membership | None, slot: str
    ) -> Collision:
        topk = self._topk(found.indices) if found else ("", "")
        weighted = bool(topk[0]) and self.loop.reads(write.value, topk[0])
        return Collision(
            write=write,
            reason=reason,
            loop=self.loop,
            found=found,
            slot=slot,
            topk=topk,
            weighted=weighted,
        )

    def _topk(self, indices: ast.expr) -> tuple[str, str]:
        """The names that hold the weights and the indices of the choice in this function."""
        whole = resolved(indices, self.function)
        names = {node.id for one in (indices, whole) for node in every_node(one) if _is_name(node)}
        unpacked = [
            one
            for known in self.function.bindings.by_name.values()
            for one in known
            if one.role is Role.ITEM and one.among == 2
        ]
        for one in unpacked:
            for other in unpacked:
                if one.name in names and other.value is one.value and other.index != one.index:
                    return other.name.strip("_"), one.name
        return "", ""


def _inner_subscript(chosen: ast.expr, function: Function) -> ast.expr | None:
    """idx[b, t, k] in experts[int(idx[b, t, k])]."""
    if not isinstance(chosen, ast.Subscript):
        return None
    for node in every_node(chosen.slice):
        if isinstance(node, ast.Subscript):
            return node
        if isinstance(node, ast.Name):
            value = resolved(node, function)
            for inner in every_node(value):
                if isinstance(inner, ast.Subscript):
                    return inner
    return None


def _is_empty(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Constant):
        return value.value in (0, 0.0)
    method = value.func if isinstance(value, ast.Call) else None
    name = getattr(method, "attr", getattr(method, "id", ""))
    return name in EMPTY


def _loads(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)


def _is_name(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name)

"""Loops that give every expert all rows, and throw away what it makes of those that chose others.

All of these have to hold: the loop runs over every expert; what an expert is given is the same in
each pass; its result is nowhere used but multiplied with zero, or cut away, for the tokens that
did not choose it; and it answers each row by itself, so that it could have been given fewer.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.choice_dimension import choice_dimension, given_beside
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.expert_shares import MULTIPLYING, Shares, is_zero
from gptdoctor.source.flow_calls import networks_at
from gptdoctor.source.flow_experts import ExpertLoop
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes, parents_in
from gptdoctor.source.flow_targets import Role, end, names_in, start, text_of
from gptdoctor.source.flow_turns import number
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import kept_in, number_of
from gptdoctor.source.value_ways import SHAPING, keyword

# Words of experts that look at other rows than their own: these need all of them.
MIXING = re.compile(
    r"atten|conv|rnn|gru|lstm|recurr|mamba|ssm|scan|roll|cumsum|fft|pool|batch_?norm|@"
    r"|matmul|bmm|einsum|mixer|mean\(|\bsum\(|transpose|register_buffer|checkpoint",
    re.IGNORECASE,
)
# What is asked of a result without taking its values.
ASKED = frozenset({"shape", "dtype", "device", "ndim", "size", "dim"})
SIZES = re.compile(r"shape|size\(|numel|len\(")
# What takes the results of those that were chosen out of those of all.
PICKING = frozenset({"gather", "take_along_dim", "index_select"})
GATHERING = frozenset({"stack", "cat", "concat", "list", "tuple"})
DEEPEST = 10


def wasted_calls(project: Project, loop: ExpertLoop) -> Iterator[ast.Call]:
    """The calls of all experts in a loop that run on rows whose results are thrown away."""
    calls = [one for one in loop.calls if isinstance(one, ast.Call) and _is_member(one, loop)]
    if len(calls) != 1 or not _is_whole(calls[0], loop) or not _runs_always(calls[0], loop):
        return
    shares = Shares(project, loop)
    if not _Results(shares).are_cut(calls[0]) or not shares.choices:
        return
    few = all(_chooses_few(project, one, where, loop) for one, where in shares.choices)
    if few and _answers_each_row(project, calls[0], loop):
        yield calls[0]


def _is_member(call: ast.Call, loop: ExpertLoop) -> bool:
    """Whether a call is of one of `self.experts`, each of which has its pass."""
    if self_attribute(loop.experts) is None:
        return False
    if isinstance(call.func, ast.Name):
        return call.func.id in loop.members
    picked = call.func.slice if isinstance(call.func, ast.Subscript) else None
    return any(
        isinstance(one.target, ast.Name)
        and isinstance(picked, ast.Name)
        and one.target.id == picked.id
        and one.role is Role.COUNTER
        for one in loop.parts
    )


def _is_whole(call: ast.Call, loop: ExpertLoop) -> bool:
    """Whether an expert is given one thing, the same in each pass of the loop."""
    if len(call.args) != 1 or call.keywords or isinstance(call.args[0], ast.Starred):
        return False
    names = names_in(call.args[0])
    inside = (start(loop.node), end(loop.node))
    return bool(names) and not any(
        name.id in loop.names or inside[0] <= binding.since <= inside[1]
        for name in names
        for binding in loop.function.reaching(name, carried=True)
    )


def _runs_always(call: ast.Call, loop: ExpertLoop) -> bool:
    """Whether no test decides whether the expert runs: one that nobody chose may be left out."""
    inside = (ast.If, ast.While, ast.Try, ast.Break, ast.Continue)
    if any(isinstance(node, inside) for node in own_nodes(loop.node)):
        return False
    around = (one for one, _ in loop.function.statements_around(call))
    tests = (one.test for one in around if isinstance(one, ast.If | ast.While))
    # A way for few rows, where all experts at once may be faster than picking.
    return not any(SIZES.search(text_of(test)) for test in tests)


class _Results:
    """Follows what an expert gives to all places where it is used."""

    def __init__(self, shares: Shares) -> None:
        self.shares, self.function = shares, shares.function
        self.above = parents_in(shares.function)

    def are_cut(self, value: ast.expr, depth: int = 0) -> bool:
        """Whether every use of a value leaves nothing of the tokens that did not choose it."""
        above = self.above.get(value)
        if above is None or depth > DEEPEST:
            return False
        if isinstance(above, ast.Attribute):
            return above.attr in ASKED or self._method(above, depth + 1)
        if isinstance(above, ast.BinOp):
            return self._computed(above, value, depth + 1)
        if isinstance(above, ast.Subscript) and above.value is value:
            return self._cut_away(above) or self.are_cut(above, depth + 1)
        if isinstance(above, ast.ListComp | ast.GeneratorExp | ast.List):
            return self.are_cut(above, depth + 1)
        if isinstance(above, ast.Call):
            return self._handed(above, value, depth + 1)
        if isinstance(above, ast.Assign) and above.value is value:
            return self._named(above, depth + 1)
        return False

    def _computed(self, above: ast.BinOp, value: ast.expr, depth: int) -> bool:
        other = above.right if above.left is value else above.left
        if isinstance(above.op, ast.Mult):
            return self.shares.is_own(other) or self.are_cut(above, depth)
        return isinstance(above.op, ast.Div) and above.left is value and self.are_cut(above, depth)

    def _method(self, above: ast.Attribute, depth: int) -> bool:
        """`expert(x).mul(share)`, `.masked_fill(~mask, 0)`, `.to(x.dtype)`."""
        call = self.above.get(above)
        if not isinstance(call, ast.Call) or call.func is not above:
            return False
        if above.attr in MULTIPLYING and call.args:
            return self.shares.is_own(call.args[0]) or self.are_cut(call, depth)
        if above.attr in ("masked_fill", "masked_fill_") and len(call.args) == 2:
            return is_zero(call.args[1]) and self.shares.is_foreign(call.args[0])
        if above.attr in PICKING:
            return any(map(self.shares.is_choice, call.args))
        return above.attr in SHAPING and self.are_cut(call, depth)

    def _cut_away(self, above: ast.Subscript) -> bool:
        places = above.slice.elts if isinstance(above.slice, ast.Tuple) else [above.slice]
        return any(self.shares.is_own(one) or self.shares.is_choice(one) for one in places)

    def _handed(self, above: ast.Call, value: ast.expr, depth: int) -> bool:
        """`torch.where(mask, expert(x), out)`, `torch.mul(share, expert(x))`."""
        name = (self.function.module.names.called(above) or called_name(above)).rpartition(".")[2]
        others = [one for one in above.args if one is not value]
        if name == "where" and len(above.args) == 3 and above.args[1] is value:
            return self.shares.is_own(above.args[0])
        if name in PICKING:
            return any(map(self.shares.is_choice, others))
        if name in GATHERING and above.args[:1] == [value]:
            return self.are_cut(above, depth)
        if name == "append" and isinstance(above.func, ast.Attribute):
            return self._appended(above.func.value, depth)
        return name in ("mul", "multiply") and any(map(self.shares.is_own, others))

    def _appended(self, to: ast.expr, depth: int) -> bool:
        """Whether a list of what all experts gave is used for those that were chosen alone."""
        if not isinstance(to, ast.Name):
            return False
        loads = [one for one in loads_of(self.function).get(to.id, []) if one is not to]
        return bool(loads) and all(self.are_cut(one, depth) for one in loads)

    def _named(self, above: ast.Assign, depth: int) -> bool:
        target = above.targets[0]
        if len(above.targets) != 1 or not isinstance(target, ast.Name):
            return False
        loads = [
            name
            for name in loads_of(self.function).get(target.id, [])
            if any(one.value is above.value for one in self.function.reaching(name))
        ]
        return bool(loads) and all(self.are_cut(one, depth) for one in loads)


def _chooses_few(project: Project, call: ast.Call, where: Function, loop: ExpertLoop) -> bool:
    """Whether a choice leaves experts out, and is one along the experts."""
    along, given = choice_dimension(call, where), given_beside(call, where)
    if along is not None and number(along) == 0:
        return False  # of each expert's best tokens
    count = keyword(call, "k") or next(iter(given), None)
    if called_name(call) != "topk" or count is None:
        # The argmax of all, without a dimension, chooses nothing.
        return bool(given or call.keywords)
    own = number_texts(project, count, where)
    return not own & expert_counts(project, loop)


def expert_counts(project: Project, loop: ExpertLoop, *, made_only: bool = False) -> set[str]:
    """How many experts there are, in the words of the loop and of what makes them.

    With `made_only` the loop's own words are left out.
    """
    name = self_attribute(loop.experts) or ""
    found = {f"len({text_of(loop.experts)})"}
    made = kept_in(project, loop.function, name)
    counters = () if made_only else loop.parts
    ranges = [one.value for one in counters if one.role is Role.COUNTER]
    inside = [] if made is None else [(one, made[1]) for one in every_node(made[0])]
    for node, where in [*((one, loop.function) for one in ranges), *inside]:
        if isinstance(node, ast.Call) and text_of(node.func) == "range" and node.args:
            found |= number_texts(project, node.args[-1], where)
    return found


def number_texts(project: Project, count: ast.expr, where: Function) -> set[str]:
    """A number as it is written, as the constructor was given it, and as a number."""
    found = {text_of(count)}
    name = self_attribute(count)
    kept_value = None if name is None else kept_in(project, where, name)
    if kept_value is not None:
        found.add(text_of(kept_value[0]))
    known = number_of(count, where)
    return found if known is None else {*found, str(known)}


def _answers_each_row(project: Project, call: ast.Call, loop: ExpertLoop) -> bool:
    """Whether the experts are known, and no word of theirs looks at other rows."""
    made = kept_in(project, loop.function, self_attribute(loop.experts) or "")
    if made is None:
        return False
    networks = networks_at(project, loop.experts, loop.function)
    text = text_of(made[0])
    if MIXING.search(text) or not (networks or "Linear" in text):
        return False
    return not any(
        MIXING.search(one.text)
        for network in networks
        for one in (network, *project.bases(network))
    )

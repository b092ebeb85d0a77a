"""Statements in a call that is given none of its optional inputs: which run, and which do not."""

from __future__ import annotations

import ast

from gptdoctor.source.absent_expressions import Expressions, meet
from gptdoctor.source.absent_values import UNKNOWN, Kind, Origins, PathEnd, State, Value
from gptdoctor.source.flow_targets import names_in
from gptdoctor.source.nodes import every_node

# More statements than a page of any model needs; loops and helpers count each time.
MOST_STATEMENTS = 3000
_METHODS = {one: f"_run_{one.__name__.lower()}" for one in ast.stmt.__subclasses__()}
FILLING = frozenset({"append", "appendleft", "add", "insert", "extend", "update"})


class Statements(Expressions):
    """Runs statements on what is known, and both ways where a test is not known."""

    def __init__(self) -> None:
        self.needed: set[str] = set()  # inputs that were used as if they were there
        self.statements = 0
        self.trying = 0  # try statements around, which may catch a failure
        self.leaving: list[list[State]] = []  # of each loop: states at continue and break
        self.results: list[list[tuple[Value, State]]] = []  # of each function: at return

    def block(self, body: list[ast.stmt], state: State) -> bool:
        """Run statements; whether what follows them is reached."""
        for index, statement in enumerate(body):
            self.statements += 1
            if self.statements > MOST_STATEMENTS:
                return False
            try:
                goes_on = self._statement(statement, state)
            except PathEnd as end:
                self.needed.update(end.needed)
                goes_on = False
            if not goes_on:
                self._skip_rest(statement, body[index + 1 :])
                return False
        return True

    def _skip_rest(self, statement: ast.stmt, rest: list[ast.stmt]) -> None:
        """`if x is None: continue` keeps what follows from filling a list."""
        if isinstance(statement, ast.If) and self.leaving and self.leaving[-1]:
            at = self.leaving[-1][-1]
            why = at.why(self._trial(statement.test, at.copy()))
            self._skip(rest, why, at)

    def _skip(self, body: list[ast.stmt], why: Origins, state: State) -> None:
        """Note which containers and counts a skipped branch would have filled."""
        for node in (inner for statement in body for inner in every_node(statement)):
            for filled in _filled(node) if why else ():
                state.lack(filled, why)

    def _statement(self, statement: ast.stmt, state: State) -> bool:
        method = getattr(self, _METHODS[statement.__class__], None)
        return True if method is None else bool(method(statement, state))

    def _run_expr(self, statement: ast.Expr, state: State) -> bool:
        self.value(statement.value, state)
        return True

    def _run_assign(self, statement: ast.Assign, state: State) -> bool:
        value = self.value(statement.value, state)
        for target in statement.targets:
            self.bind(target, value, state)
        return True

    def _run_annassign(self, statement: ast.AnnAssign, state: State) -> bool:
        if statement.value is not None:
            self.bind(statement.target, self.value(statement.value, state), state)
        return True

    def _run_augassign(self, statement: ast.AugAssign, state: State) -> bool:
        value = self.value(statement.value, state)
        if not isinstance(statement.target, ast.Name):
            return True
        before = state.names.get(statement.target.id, UNKNOWN)
        if before.kind is Kind.ITEMS and isinstance(statement.op, ast.Add):
            state.add(before, state.elements(value))
            return True
        whole = ast.BinOp(
            left=ast.Name(id=statement.target.id, ctx=ast.Load()),
            op=statement.op,
            right=statement.value,
        )
        state.names[statement.target.id] = self.value(ast.copy_location(whole, statement), state)
        return True

    def _run_if(self, statement: ast.If, state: State) -> bool:
        test = self.value(statement.test, state)
        truth = state.truth(test)
        if truth is not None:
            taken, skipped = statement.body, statement.orelse
            if not truth:
                taken, skipped = skipped, taken
            self._skip(skipped, state.why(test), state)
            return self.block(taken, state)
        branches = [state.copy(), state.copy()]
        arrived = [
            branch
            for branch, body in zip(branches, (statement.body, statement.orelse), strict=True)
            if self.block(body, branch)
        ]
        # A test that asks for inputs and leaves, but for more reasons than the inputs: a guard,
        # as far as the text tells.
        if test.origins and len(arrived) < len(branches):
            return False
        return meet(arrived, state)

    def _run_for(self, statement: ast.For, state: State) -> bool:
        source = self.there(self.value(statement.iter, state))
        elements = state.elements(source)
        if elements is None:
            return self._run_perhaps(statement, state)
        for each in elements:
            self.bind(statement.target, each, state)
            if not self._round(statement.body, state):
                return False
        self._skip(statement.body, state.empty(source), state)
        return self.block(statement.orelse, state)

    _run_asyncfor = _run_for

    def _round(self, body: list[ast.stmt], state: State) -> bool:
        """One round of a loop; states at continue and break meet the end of the body."""
        self.leaving.append([])
        falls_through = self.block(body, state)
        left = self.leaving.pop()
        return meet([*left, state.copy()] if falls_through else left, state)

    def _run_perhaps(self, statement: ast.For | ast.While, state: State) -> bool:
        """A loop that runs nobody knows how often: not at all, or some rounds."""
        inner = state.copy()
        if isinstance(statement, ast.For):
            self.bind(statement.target, UNKNOWN, inner)
        ran = self._round(statement.body, inner)
        if ran:
            meet([state.copy(), inner], state)
        return self.block(statement.orelse, state)

    def _run_while(self, statement: ast.While, state: State) -> bool:
        if state.truth(self.value(statement.test, state)) is False:
            return self.block(statement.orelse, state)
        return self._run_perhaps(statement, state)

    def _run_with(self, statement: ast.With, state: State) -> bool:
        for item in statement.items:
            self.value(item.context_expr, state)
        return self.block(statement.body, state)

    _run_asyncwith = _run_with

    def _run_try(self, statement: ast.Try, state: State) -> bool:
        before = state.copy()
        self.trying += bool(statement.handlers)
        whole = self.block([*statement.body, *statement.orelse], state)
        self.trying -= bool(statement.handlers)
        arrived = [state.copy()] if whole else []
        for handler in statement.handlers:
            branch = before.copy()
            if self.block(handler.body, branch):
                arrived.append(branch)
        return meet(arrived, state) and self.block(statement.finalbody, state)

    def _run_match(self, statement: ast.Match, state: State) -> bool:
        self.value(statement.subject, state)
        arrived = [state.copy()]
        for case in statement.cases:
            branch = state.copy()
            if self.block(case.body, branch):
                arrived.append(branch)
        return meet(arrived, state)

    def _run_return(self, statement: ast.Return, state: State) -> bool:
        value = self.value(statement.value, state)
        if statement.value is None:
            value = Value(kind=Kind.ABSENT)
        self.results[-1].append((value, state.copy()))
        return False

    def _run_raise(self, statement: ast.Raise, state: State) -> bool:
        return False

    def _run_continue(self, statement: ast.Continue | ast.Break, state: State) -> bool:
        if self.leaving:
            self.leaving[-1].append(state.copy())
        return False

    _run_break = _run_continue


def _filled(node: ast.AST) -> list[str]:
    """The names of the containers and counts that one node adds to."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        targets = [node.func.value] if node.func.attr in FILLING else []
    elif isinstance(node, ast.AugAssign):
        targets = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    return [name.id for target in targets for name in names_in(target)]

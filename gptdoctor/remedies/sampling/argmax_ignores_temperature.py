"""GD401: draw the next token where there is a temperature, and stay greedy at zero.

The usual case takes the temperature off the scores and applies it where the token is drawn. Where
the scaled scores are also used for something else (a filter, say), each division by the
temperature is made to happen only above zero, and the rest of the text stays.
"""

from __future__ import annotations

import libcst as cst

from gptdoctor.remedies.calls import integer, tensor_call
from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.flow import fresh, function_of, has_call, uses
from gptdoctor.remedies.greedy import Greedy, draws, greedy_at
from gptdoctor.remedies.parsed import walk
from gptdoctor.remedies.ranks import rank
from gptdoctor.remedies.remedy import Remedy, Request
from gptdoctor.remedies.scaled import guard_division, is_weights, scalings
from gptdoctor.remedies.scores import Scores, may_be_none, peeled, temperature_of


def _mend(request: Request) -> str:
    greedy = _greedy(request)
    function = function_of(request.source, greedy.node)
    if function is None:
        raise Declined("this place is not in a function")
    _check_meant(request, greedy, function)
    statement = request.source.lone_statement(greedy.node)
    temperature = temperature_of(request, function)
    if temperature is None:
        raise Declined("it is not clear which value is the temperature")
    scores = peeled(request, greedy.scores, temperature, statement)
    rows = _are_rows(request, greedy, function, scores)
    branch = Branch(request, greedy, function, statement, temperature, rows)
    divisions = scalings(request, function, temperature, greedy.scores)
    if all(one in scores.divided for one in divisions):
        branch.take_off(scores)
    else:
        branch.guard(divisions)
    return branch.edits.result()


def _greedy(request: Request) -> Greedy:
    found = greedy_at(request)
    if not found:
        raise Declined("nothing at this place takes the likeliest token")
    if len(found) > 1:
        raise Declined("two expressions at this place take the likeliest token")
    return found[0]


def _check_meant(request: Request, greedy: Greedy, function: cst.FunctionDef) -> None:
    """Raise Declined where being greedy is one of the ways that the code offers."""
    for parent in request.source.parents(greedy.node):
        if parent is function:
            return
        if isinstance(parent, cst.Lambda | cst.BaseComp | cst.IfExp):
            raise Declined("the choice is made within an expression that decides by itself")
        if isinstance(parent, cst.If) and any(True for _ in draws(request, parent)):
            raise Declined("another branch draws the token already")


def _are_rows(request: Request, greedy: Greedy, function: cst.FunctionDef, scores: Scores) -> bool:
    """Whether the scores are surely rows, [B, V] or [V], as multinomial wants them."""
    found = rank(request, scores.core)
    if found is None and _is_appended(request, greedy, function):
        found = 2
    if found is None:
        if greedy.dim != -1:
            raise Declined("it is not clear how many dimensions the scores have")
        return False
    if found not in (1, 2):
        raise Declined(f"the scores have {found} dimensions, and tokens are drawn from rows")
    if greedy.dim is None and found != 1:
        raise Declined("the likeliest is looked for over all rows at once")
    if greedy.dim is not None and greedy.dim % found != found - 1:
        raise Declined("the likeliest is not looked for over the vocabulary")
    return True


def _is_appended(request: Request, greedy: Greedy, function: cst.FunctionDef) -> bool:
    """Whether the result is joined to ids [B, T] as a column, so that it has one for each row."""
    assignment = request.source.parent(greedy.node)
    target = assignment.targets[0].target if isinstance(assignment, cst.Assign) else None
    for call in walk(function, cst.Call):
        joined = tensor_call(request, call)
        if joined is None or joined.name not in ("cat", "concat", "concatenate"):
            continue
        if integer(joined.argument("dim", 0)) not in (1, -1):
            continue
        if isinstance(joined.subject, cst.Tuple | cst.List) and isinstance(target, cst.Name):
            for element in joined.subject.elements:
                column = element.value
                if not greedy.keeps:  # `next_id[:, None]`, `next_id.unsqueeze(1)`
                    wider = tensor_call(request, column)
                    is_wider = wider is not None and wider.name == "unsqueeze"
                    column = wider.subject if wider is not None and is_wider else column
                    column = column.value if isinstance(column, cst.Subscript) else column
                    if column is element.value:
                        continue
                if isinstance(column, cst.Name) and column.value == target.value:
                    return True
    return False


class Branch:
    """The branch that draws and the branch that is greedy, in the words of the file."""

    def __init__(
        self,
        request: Request,
        greedy: Greedy,
        function: cst.FunctionDef,
        statement: cst.SimpleStatementLine,
        temperature: str,
        rows: bool,
    ) -> None:
        self.request, self.source = request, request.source
        self.rows = rows
        self.greedy, self.function, self.statement = greedy, function, statement
        self.temperature = temperature
        self.edits = Edits(request.source)
        self.test = f"{temperature} > 0"
        if may_be_none(function, temperature):
            self.test = f"{temperature} is not None and {self.test}"

    def take_off(self, scores: Scores) -> None:
        """The temperature leaves the scores and is applied where the token is drawn."""
        name = code = self.source.code(scores.core) + scores.moves
        before: list[str] = []
        if not isinstance(scores.core, cst.Name) or scores.moves:
            name = fresh(self.function, "next_logits", "next_token_logits", "last_logits")
            before = [f"{name} = {code}"]
        for line in scores.steps:
            if line is scores.steps[-1] and before:
                self.edits.replace(line, before.pop())  # where the scores were taken before
            else:
                self.edits.delete_lines(line)
        divisor = self.source.code(scores.scaling) if scores.scaling else self.temperature
        weights = scores.weights or fresh(self.function, "probs", "next_probs")
        self._write(before, weights, self._softmax(f"{name} / {divisor}", scores), name)

    def guard(self, divisions: list[cst.CSTNode]) -> None:
        """The divisions by the temperature happen above zero only; the rest stays."""
        for division in divisions:
            guard_division(self.request, self.edits, division, self.test)
        scores = self.greedy.scores
        name = self.source.code(scores)
        if has_call(scores) or any(self.source.inside(one, scores) for one in divisions):
            raise Declined("the scores are scaled in more than one way")
        if is_weights(self.request, scores):
            self._write([], None, name, name)
        else:
            weights = fresh(self.function, "probs", "next_probs")
            self._write([], weights, self._softmax(name, None), name)

    def _write(self, before: list[str], weights: str | None, code: str, scores: str) -> None:
        """`code` gives the weights to draw by; `scores` is what the greedy choice looks at."""
        target, rest = self._target()
        indent = self.source.indent
        drawn = [f"{weights} = {code}"] if weights is not None else []
        drawn.append(f"{target} = {self._drawn(weights or code)}")
        lines = [
            *before,
            f"if {self.test}:",
            *(indent + line for line in drawn),
            "else:",
            f"{indent}{target} = {self._likeliest(scores)}",
        ]
        between = self.source.newline + self.source.margin(self.statement)
        self.edits.replace(self.statement, between.join([*lines, *rest]))

    def _target(self) -> tuple[str, list[str]]:
        """Where the token goes, and what is left of the statement."""
        small = self.statement.body[0]
        whole = isinstance(small, cst.Assign) and small.value is self.greedy.node
        if isinstance(small, cst.Assign) and whole and len(small.targets) == 1:
            target = small.targets[0].target
            if not self.greedy.pair:
                return self.source.code(target), []
            if isinstance(target, cst.Tuple):
                self._check_unused(target.elements[0].value)
                return self.source.code(target.elements[1].value), []
        if self.greedy.pair:
            raise Declined("the statement also takes the scores of the likeliest tokens")
        name = fresh(self.function, "next_token", "next_id", "drawn")
        begin, end = self.source.span(self.statement)
        first, last = self.source.span(self.greedy.node)
        return name, [self.source.text[begin:first] + name + self.source.text[last:end]]

    def _check_unused(self, target: cst.BaseExpression) -> None:
        code = self.source.code(target)
        if code != "_" and uses(self.function, code, self.source):
            raise Declined("the scores of the likeliest tokens are used, too")

    def _likeliest(self, scores: str) -> str:
        """The greedy expression, looking at other scores."""
        begin, end = self.source.span(self.greedy.node)
        first, last = self.source.span(self.greedy.scores)
        text = self.source.text[begin:first] + scores + self.source.text[last:end]
        return f"{text}[1]" if self.greedy.pair else text

    def _drawn(self, weights: str) -> str:
        torch = self._alias("torch")
        if not self.rows:  # a categorical distribution takes any number of dimensions
            if not torch:
                raise Declined("it is not clear how many dimensions the scores have")
            call = f"{torch}.distributions.Categorical({weights}).sample()"
            return f"{call}.unsqueeze(-1)" if self.greedy.keeps else call
        call = f"{weights}.multinomial(num_samples=1)"
        if torch:
            call = f"{torch}.multinomial({weights}, num_samples=1)"
        return call if self.greedy.keeps else f"{call}.squeeze(-1)"

    def _softmax(self, code: str, scores: Scores | None) -> str:
        """Softmax as the author wrote it for these scores, else as the file spells it."""
        call = scores.softmax if scores is not None else None
        if call is not None:
            (begin, end), (first, last) = (
                self.source.span(call.node),
                self.source.span(call.subject),
            )
            head, tail = self.source.text[begin:first], self.source.text[last:end]
            return f"{head}{code if call.function else f'({code})'}{tail}"
        torch, functional = self._alias("torch"), self._alias("torch.nn.functional")
        if functional and (not torch or f"{functional}.softmax(" in self.source.text):
            return f"{functional}.softmax({code}, dim=-1)"
        return f"{torch}.softmax({code}, dim=-1)" if torch else f"({code}).softmax(dim=-1)"

    def _alias(self, origin: str) -> str:
        aliases = self.request.module.names.aliases
        return next((name for name, meant in aliases.items() if meant == origin), "")


REMEDY = Remedy(mend=_mend)

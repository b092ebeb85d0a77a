"""GD412: the token that ends a text does not end it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.generation import EndRun, GeneratedMethod, Generation
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof, Visit
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.generating import CHOOSING, Step, first_step, never_read
from gptdoctor.source.names import called_name
from gptdoctor.source.temperature import last_name
from gptdoctor.source.text_values import bound_to

CODE = "GD412"
PROBE = "generation"


# Parameters of these names hold the token that ends a text.
_END = re.compile(r"^(eos|stop|end)(_(token|tok))?(_?(ids?|idx|index|tokens?))?$")
_LEAVING = (ast.Break, ast.Return)
# What counts the rows of a batch, or makes several; and what says that there is only one.
_ROWS = re.compile(
    r"\.size\(0\)|\.shape\[0\]|\b(batch_?size|bsz|n_?rows|num_(return_sequences|samples))\b"
    r"|\b(b|bs|bsz|batch|rows|n), \w+ = \w+\.(shape|size\(\))",
    re.IGNORECASE,
)
# The newest tokens of each row; what makes a text of one row, or takes the number of its token.
_COLUMNS = re.compile(r"\[:, ?-[^\]\n]+:\]|\[:, ?-1")
_ONE_ROW = re.compile(
    r"\.unsqueeze\(0\)|\[None\b|\[\[|\((size=)?\(?1, ?|encode\(|tokenize|tokenise|prompt|\.item\(\)"
)
_ANY = re.compile(r"\bany\(")
_SINGLE = re.compile(
    r"(\.size\(0\)|\.shape\[0\]|batch_?size|bsz|\bb) *[=!>]=? *1\b"
    r"|\bfinished|\bdone\b|\balive\b|unfinished",
    re.IGNORECASE,
)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow
    step = first_step(node, function)
    if function is None or step is None:
        return
    yield from _by_one_row(step, function)
    for given in never_read(function, _END):
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(given),
            symbol=function.symbol,
            message=f"`{function.name}` never asks for `{given.arg}`: texts run on after their end",
            details={"parameter": given.arg},
            extent=(function.node.lineno, function.node.end_lineno or function.node.lineno),
        )


def _by_one_row(step: Step, function: Function) -> Iterator[Suspicion]:
    """`if (token == eos).any(): break`, where a text has several rows."""
    counted = _has_rows(function)
    for node in own_nodes(step.loop) if counted or _takes_rows(function) else ():
        if not isinstance(node, ast.If) or not any(isinstance(one, _LEAVING) for one in node.body):
            continue
        compared = _any_of(node.test, function)
        if not counted and not _ANY.search(ast.unparse(node.test)):
            continue  # `token[0] == eos` may be of the only row
        if compared is not None and _is_end(compared):
            yield Suspicion(
                rule=CODE,
                location=function.module.location(node.test),
                symbol=function.symbol,
                message=(
                    f"`{function.name}` ends the texts of all rows as soon as one of them draws "
                    f"`{ast.unparse(_end_of(compared))}`"
                ),
                details={"parameter": ast.unparse(_end_of(compared))},
                extent=(node.lineno, node.body[-1].end_lineno or node.lineno),
            )


def _any_of(test: ast.expr, function: Function) -> ast.Compare | None:
    """The comparison with a token of which one row is enough, or by which the first decides.

    `(x == y).any()`, `torch.any(x == y)`, `y in x`, `x[0] == y`; by a name, and in `a and b`.
    """
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    for part in parts:
        value = part
        while called_name(value) in ("item", "bool") and isinstance(value, ast.Call):
            value = value.args[0] if value.args else _receiver(value)
        if called_name(value) == "any" and isinstance(value, ast.Call):
            value = value.args[0] if value.args else _receiver(value)
            bound = bound_to(value, function) if isinstance(value, ast.Name) else None
            value = value if bound is None else bound
            if called_name(value) == "eq" and isinstance(value, ast.Call) and len(value.args) == 1:
                return ast.Compare(_receiver(value), [ast.Eq()], value.args)
            if isinstance(value, ast.Compare) and isinstance(value.ops[0], ast.Eq):
                return value
        elif isinstance(value, ast.Compare) and _asks_first(value):
            return value
    return None


def _asks_first(compared: ast.Compare) -> bool:
    """Whether a comparison looks at the first row alone, or for one row among all."""
    if isinstance(compared.ops[0], ast.In):
        return True
    index = compared.left
    while called_name(index) in ("item", "int") and isinstance(index, ast.Call):
        index = index.args[0] if index.args else _receiver(index)
    places = index.slice if isinstance(index, ast.Subscript) else None
    first = places.elts[0] if isinstance(places, ast.Tuple) and places.elts else places
    zero = isinstance(first, ast.Constant) and first.value == 0
    return zero and isinstance(compared.ops[0], ast.Eq)


def _receiver(call: ast.Call) -> ast.expr:
    return call.func.value if isinstance(call.func, ast.Attribute) else call.func


def _is_end(compared: ast.Compare) -> bool:
    """Whether one side is called the token that ends a text."""
    return _END.search(last_name(_end_of(compared)).lower()) is not None


def _end_of(compared: ast.Compare) -> ast.expr:
    """The side that is called so, or the right one."""
    left = last_name(compared.left).lower()
    return compared.left if _END.search(left) else compared.comparators[0]


def _has_rows(function: Function) -> bool:
    """Whether a function counts the rows of its text, and does not ask for a single one."""
    text = function.text
    return _ROWS.search(text) is not None and _SINGLE.search(text) is None


def _takes_rows(function: Function) -> bool:
    """Whether a function takes columns of whatever text it is given, in a file without a hint that
    there is only one row.
    """
    whole = function.module.text
    return _COLUMNS.search(function.text) is not None and not (
        _SINGLE.search(whole) or _ONE_ROW.search(whole)
    )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Generation):
        return
    for method in measurement.methods:
        if method.end is not None:
            yield _conviction(method, method.end)


def _conviction(method: GeneratedMethod, end: EndRun) -> Conviction:
    told = "ends at"
    if end.goes_on:
        told = "goes on after"
    elif end.rows_cut:
        told = "ends all rows where one of them draws"
    sick = end.goes_on or end.rows_cut
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED if sick else Status.REFUTED,
        probe=PROBE,
        place=Place(path=method.path, symbol=method.symbol, line=end.line if sick else None),
        message=f"`{method.symbol}` {told} the token that `{end.parameter}` names",
        values={
            "parameter": end.parameter,
            "goes_on": end.goes_on,
            "rows_cut": end.rows_cut,
            "tokens_used": end.used,
            **values_of(end.written),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """Known logits that call for the end token and then for others."""
    used, tokens = values.get("tokens_used"), values.get("tokens")
    if not tokens or not isinstance(used, tuple) or len(used) != 3:
        return ""
    end, text, after = used
    cut = not values.get("goes_on")
    rows = [[end, text], [after, text], [after, text], [after, end]] if cut else [[end], [after]]
    wanted = f"{after} not in new[0]"
    if cut:
        wanted = f"{end} in new[1] or new[1].count({text}) >= 3"
    why = "the row that goes on was cut" if cut else "it goes on after the end"
    return (
        f"wanted = {rows}  # for each call, and in it for each row; {end} is the end\n"
        "known = [30.0 * torch.nn.functional.one_hot(torch.tensor(one), V) for one in wanted]\n"
        "model = with_known_logits(build().eval(), *[one[:, None] for one in known])\n"
        f"{values['given']}\n"
        "with torch.no_grad():\n"
        f"    new = {tokens}.reshape({len(rows[0])}, -1).tolist()\n"
        f'assert {wanted}, f"{why}: {{new}}"\n'
    )


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids))[0])

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def generate(self, ids, max_new_tokens, eos_token_id=0):
        length = ids.size(1)
        for _ in range(max_new_tokens):
            probs = self(ids)[:, -1].softmax(dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

BAD = """\
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
"""
GOOD = """\
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
            if (ids[:, length:] == eos_token_id).any(dim=1).all():
                break
"""
HEALED = SICK.replace(BAD, GOOD)

DEFECT = Defect(
    code=CODE,
    name="end-token-ignored",
    severity=Severity.MEDIUM,
    summary=(
        "A method takes the token that ends a text, and goes on after it, or ends other rows with "
        "it."
    ),
    explanation=(
        "The parameter has no effect, or one row that ends takes the others with it. Not meant: a "
        "method that stops, that fills ended rows, or whose ended rows go on until all others "
        "end, at the same step or not: whoever decodes them cuts what comes after the end."
    ),
    harm=(
        "Texts run on with garbage after their end until the limit of tokens, or end in the "
        "middle of a sentence because another text was finished."
    ),
    confirmed_by=(
        "The probe generation lets known logits call for the end token and then for others. "
        "Others after it in a single row, and rows that are cut short by another row, confirm; "
        "stopping or filling refutes."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={ast.For: _suspect, ast.While: _suspect},
    words=CHOOSING,
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
)

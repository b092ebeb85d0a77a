"""The dimension along which a top-k or an argmax chooses, as a function of torch's or a method."""

from __future__ import annotations

import ast

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.names import called_name
from gptdoctor.source.value_ways import keyword


def given_beside(choice: ast.Call, function: Function) -> list[ast.expr]:
    """What a choice is given, in order, beside the tensor that it chooses from."""
    whole = (function.module.names.called(choice) or "").startswith("torch.")
    return choice.args[1:] if whole else choice.args


def choice_dimension(choice: ast.Call, function: Function) -> ast.expr | None:
    """The dimension that a choice names; behind the count, where it is a top-k."""
    given = given_beside(choice, function)
    place = 1 if called_name(choice) == "topk" else 0
    named = keyword(choice, "dim", "axis")
    return named or (given[place] if len(given) > place else None)

"""Programs made by chance of what rules look at: their names, in every position of the language.

Random text never gets as far as a handler.  So the names are those that the triggers of all rules
ask for, in classes that are networks, and the rest is whatever Python's grammar allows there: no
arguments, stars, lambdas, decorators, `match`, walrus, empty tuples.

Each strategy is made once: to make one takes longer than to draw from it.
"""

from __future__ import annotations

import ast
from functools import cache

from hypothesis import strategies as st

from gptdoctor.catalog import all_defects
from gptdoctor.defect import Named

VARIABLES = ("x", "logits", "labels", "mask", "q", "idx", "self", "temperature", "loss", "experts")
METHODS = ("forward", "__init__", "generate", "training_step", "compute_loss", "_init_weights")
RECEIVERS = ("torch", "F", "nn", "self", "self.lm_head", "self.experts", "x", "logits", "optimizer")
DECORATORS = ("torch.no_grad()", "torch.inference_mode()", "staticmethod", "property", "f(x)(y)")
CONSTANTS = ("0", "-1", "1", "None", "True", "1e-9", "float('-inf')", "''", "()", "[]", "{}", "...")
# Names of layers and settings that no trigger names, but that rules read around one.
LAYERS = ("Linear", "Embedding", "ModuleList", "Parameter", "Dropout", "CrossEntropyLoss", "GRU")


@cache
def names_of(kind: type[ast.AST]) -> tuple[str, ...]:
    """The names that some trigger asks for in nodes of this kind."""
    triggers = (one for defect in all_defects() for one in defect.suspects)
    found = {
        name
        for one in triggers
        if isinstance(one, Named) and one.kind is kind
        for name in one.names
    }
    return tuple(sorted(name for name in found if name.isidentifier())) or ("softmax",)


@cache
def programs() -> st.SearchStrategy[str]:
    """Whole modules that parse."""
    parts = st.lists(st.one_of(classes(), functions(0), statements(0)), min_size=1, max_size=3)
    return parts.map(lambda found: "\n".join([HEAD, *found, ""])).filter(_parses)


HEAD = """\
import math
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn import functional
from torch.nn.functional import cross_entropy, softmax
"""


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


@cache
def expressions() -> st.SearchStrategy[str]:
    """Expressions in which calls and attributes of the triggers' names are frequent."""
    plain = st.sampled_from([*VARIABLES, *CONSTANTS])
    return st.recursive(plain, _larger, max_leaves=8)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    receivers = st.one_of(st.sampled_from(RECEIVERS), inner.map(lambda one: f"({one})"))
    called = st.sampled_from([*names_of(ast.Call), *LAYERS])
    arguments = st.lists(_argument(inner), max_size=3).map(", ".join)
    operators = st.sampled_from(["+", "-", "*", "/", "@", "**", "and", "or", "<", "==", "is", "in"])
    return st.one_of(
        st.builds("{}.{}({})".format, receivers, called, arguments),
        st.builds("{}({})".format, called, arguments),
        st.builds("{}({})".format, receivers, arguments),
        st.builds("{}.{}".format, receivers, st.sampled_from(names_of(ast.Attribute))),
        st.builds("({} {} {})".format, inner, operators, inner),
        st.builds("{}[{}]".format, receivers, _index(inner)),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{} for {} in {} if {}]".format, inner, _targets(), inner, inner),
        st.builds("{{{}: {} for i, x in {}}}".format, inner, inner, inner),
        st.builds("({} for x in {})".format, inner, inner),
        st.builds("(lambda x, *a, k={}: {})".format, inner, inner),
        st.builds("(y := {})".format, inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("({}, *{})".format, inner, inner),
        st.builds("f'{{{}!r:>{{{}}}}}'".format, st.sampled_from(VARIABLES), st.just("3")),
        st.builds("(await {})".format, inner),
        st.builds("(yield {})".format, inner),
    )


def _argument(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    keywords = ("dim", "training", "diagonal", "p", "dtype", "weights_only", "ignore_index", "inf")
    return st.one_of(
        inner,
        inner,
        st.builds("*{}".format, inner),
        st.builds("**{}".format, inner),
        st.builds("{}={}".format, st.sampled_from(keywords), inner),
    )


def _index(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        inner,
        st.builds("{}:{}".format, inner, inner),
        st.just("..., :-1"),
        st.just(":, 1:"),
        st.builds(":, {}, None".format, inner),
    )


@cache
def _targets() -> st.SearchStrategy[str]:
    return st.sampled_from(
        [
            *("x", "loss", "self.x", "self.cache", "x[mask]", "x[:, 0]", "(a, b)", "a, *b", "[a]"),
            *("x.data", "self.lm_head.weight", "x.requires_grad", "()", "x, self.y[0]"),
        ]
    )


@cache
def statements(depth: int) -> st.SearchStrategy[str]:
    """Statements at some depth of indentation, each a line or a block of them."""
    pad, value = "    " * depth, expressions()
    simple = st.one_of(
        value.map(str),
        st.builds("{} = {}".format, _targets(), value),
        st.builds("{} {}= {}".format, st.sampled_from(["x", "self.x", "x[0]"]), _signs(), value),
        st.builds("x: {} = {}".format, value, value),
        st.builds("return {}".format, value) if depth else value,
        st.builds("assert {}, {}".format, value, value),
        st.builds("raise {} from {}".format, value, value),
        st.sampled_from(["loss.backward()", "optimizer.step()", "del x", "global x", "pass"]),
        st.just("from missing import *"),
    ).map(lambda one: pad + one)
    if depth > 3:
        return simple
    return st.one_of(simple, simple, st.deferred(lambda: _blocks(depth)))


@cache
def _signs() -> st.SearchStrategy[str]:
    return st.sampled_from(["+", "-", "*", "/", "@", "|"])


@cache
def _blocks(depth: int) -> st.SearchStrategy[str]:
    pad, value = "    " * depth, expressions()
    body = st.lists(statements(depth + 1), min_size=1, max_size=3).map("\n".join)
    heads = st.one_of(
        st.builds("if {}:".format, value),
        st.builds("while {}:".format, value),
        st.builds("for {} in {}:".format, _targets(), value),
        st.builds("with {}:".format, value),
        st.builds("with torch.no_grad(), {} as x:".format, value),
        st.builds("async for x in {}:".format, value),
    )
    return st.one_of(
        st.builds(lambda head, inner: f"{pad}{head}\n{inner}", heads, body),
        st.builds(
            lambda one, two: f"{pad}try:\n{one}\n{pad}except (A, B) as e:\n{two}", body, body
        ),
        st.builds(
            lambda subject, inner: (
                f"{pad}match {subject}:\n{pad}  case [x, *_] | {{'k': x}}:\n"
                + "\n".join(f"  {line}" for line in inner.split("\n"))
            ),
            value,
            body,
        ),
        functions(depth),
    )


@cache
def functions(depth: int) -> st.SearchStrategy[str]:
    """Functions and methods with the names that rules know."""
    pad = "    " * depth
    names = st.sampled_from([*METHODS, *names_of(ast.FunctionDef)])
    parameters = st.sampled_from(
        [
            *("self, x", "self, input_ids, labels=None", "self", "", "*x", "self, /, x, *, k=None"),
            *("cls, **kw", "self, x: int = 0", "model, ids, temperature=1.0", "x, mask=None, **kw"),
        ]
    )
    marks = st.one_of(st.just(""), st.sampled_from(DECORATORS).map(lambda one: f"{pad}@{one}\n"))
    kinds = st.sampled_from(["def", "def", "async def"])
    body = st.lists(statements(depth + 1), min_size=1, max_size=4).map("\n".join)
    return st.builds(
        lambda mark, kind, name, given, inner: f"{mark}{pad}{kind} {name}({given}):\n{inner}",
        marks,
        kinds,
        names,
        parameters,
        body,
    )


@cache
def classes() -> st.SearchStrategy[str]:
    """Classes, most of them networks."""
    bases = st.sampled_from(["nn.Module", "torch.nn.Module", "Model, nn.Module", "", "f(x)[0]"])
    names = st.sampled_from(["Model", "Block", "Trainer", *names_of(ast.ClassDef)])
    body = st.lists(st.one_of(functions(1), statements(1)), min_size=1, max_size=4).map("\n".join)
    return st.builds("class {}({}):\n{}".format, names, bases, body)

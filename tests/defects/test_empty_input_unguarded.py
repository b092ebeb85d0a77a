"""GD701, empty-input-unguarded: which lists are reported, and what measurements say of them."""

from __future__ import annotations

import pytest

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.empty_inputs import EmptyCall, EmptyInputs
from gptdoctor.defects.inputs.empty_input_unguarded import DEFECT
from tests.defects.marks import marked, plain
from tests.defects.records import NO_RECORD
from tests.defects.scanning import lines_of, scan_suspicions

HEAD = """\
import functools
import operator
import numpy as np
import torch
from functools import reduce
from torch import nn


def exists(value):
    return value is not None


class Net(nn.Module):
    def check(self, a, b):
        if a is None and b is None:
            raise ValueError("a or b")

    def collect(self, a, b):
        found = []
        if a is not None:
            found.append(a)
        if b is not None:
            found.append(b)
        return found

    def project(self, x):
        return self.layer(x)

"""

FILLED = """
parts = []
if a is not None:
    parts.append(self.f(a))
if b is not None:
    parts.append(self.g(b))
"""

AFTER = {
    "the mean by hand": "return sum(parts) / len(parts)  # here",
    "a count in a name": "n = len(parts)\nreturn sum(parts) / n  # here",
    "stack": "return torch.stack(parts).mean(0)  # here",
    "cat": "x = torch.cat(parts, dim=-1)  # here\nreturn x",
    "concat of a tuple": "return torch.concat(tuple(parts), dim=1)  # here",
    "numpy": "return np.concatenate(parts)  # here",
    "reduce": "return reduce(torch.add, parts)  # here",
    "reduce by its module": "return functools.reduce(operator.add, parts)  # here",
    "the first one": "out = parts[0]  # here\nreturn out",
    "the last one": "return parts[-1]  # here",
    "pop": "return parts.pop()  # here",
    "max": "return max(parts)  # here",
    "what comprehensions make of it": """
        doubled = [2 * p for p in parts]
        return torch.stack(doubled).sum(0)  # here
    """,
    "another name": "found = parts\nreturn torch.cat(found)  # here",
    "only an assert": "assert parts, 'nothing'  # here\nreturn torch.cat(parts)",
    "a guard for something else": """
        if a is not None and a.dim() != 2:
            raise ValueError("a is no matrix")
        return torch.cat(parts)  # here
    """,
    "a test that keeps one of them": """
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts)  # here
    """,
}

HARMLESS_AFTER = {
    "raises": "if not parts:\n    raise ValueError('a or b')\nreturn torch.cat(parts)",
    "raises by length": "if len(parts) == 0:\n    raise ValueError\nreturn torch.cat(parts)",
    "returns": "if len(parts) < 1:\n    return None\nreturn torch.cat(parts)",
    "only where there is something": "if parts:\n    c = torch.cat(parts)\nreturn c",
    "an expression asks": "return torch.cat(parts) if len(parts) > 0 else None",
    "or something else": "return torch.cat(parts or [c], dim=1)",
    "a floor under the count": "return sum(parts) / max(1, len(parts))",
    "a small addition": "return sum(parts) / (len(parts) + 1e-6)",
    "with another one": "return torch.cat([c, *parts])",
    "added to another list": "return torch.cat([c] + parts)",
    "an unconditional one": "parts.append(c)\nreturn torch.cat(parts)",
    "a checker out of sight": "check_inputs(a, b)\nreturn torch.cat(parts)",
    "a function that may fill it": "self.fill_up(parts)\nreturn torch.cat(parts)",
    "a loop that may fill it": "for e in self.es:\n    parts.append(e)\nreturn torch.cat(parts)",
    "sum alone": "return c + sum(parts)",
    "reduce with a start": "return reduce(torch.add, parts, c)",
    "max with a default": "return max(parts, default=0)",
    "caught": "try:\n    return c / len(parts)\nexcept ZeroDivisionError:\n    return c",
}

REPORTED = {
    "no defaults, but asked for": """
        def embed(self, a, b):
            parts = []
            if exists(a):
                parts.append(a)
            if exists(b) and self.g is not None:
                parts.append(self.g(b))
            return torch.cat(parts)  # here
    """,
    "a comprehension with a condition": """
        def forward(self, a=None, b=None):
            parts = [self.f(x) for x in (a, b) if x is not None]
            return torch.stack(parts)  # here
    """,
    "filter": """
        def forward(self, a=None, b=None):
            return torch.cat([*filter(exists, (a, b))])  # here
    """,
    "filter by truth": """
        def forward(self, a=None, b=None):
            return torch.cat(list(filter(None, [a, b])))  # here
    """,
    "filter by a lambda": """
        def forward(self, a=None, b=None):
            return torch.cat(list(filter(lambda x: x is not None, [a, b])))  # here
    """,
    "a loop over the inputs": """
        def forward(self, a=None, b=None):
            parts = []
            for layer, x in zip(self.layers, (a, b)):
                if x is None:
                    continue
                parts.append(layer(x))
            return torch.cat(parts)  # here
    """,
    "a dict": """
        def forward(self, a=None, b=None):
            parts = {}
            if a is not None:
                parts["a"] = self.f(a)
            if b is not None:
                parts["b"] = self.g(b)
            return torch.cat(list(parts.values()))  # here
    """,
    "a dict of the inputs": """
        def forward(self, a=None, b=None):
            given = {k: v for k, v in {"a": a, "b": b}.items() if v is not None}
            return torch.cat([self.fs[k](v) for k, v in given.items()])  # here
    """,
    "a count": """
        def forward(self, a=None, b=None):
            total, count = 0, 0
            if a is not None:
                total = total + a
                count += 1
            if b is not None:
                total, count = total + b, count + 1
            return total / count  # here
    """,
    "keys of a batch": """
        def forward(self, batch):
            parts = []
            if "a" in batch:
                parts.append(self.f(batch["a"]))
            if "b" in batch:
                parts.append(self.g(batch["b"]))
            return torch.cat(parts)  # here
    """,
    "any inputs": """
        def forward(self, *inputs):
            return torch.stack([self.f(x) for x in inputs if x is not None])  # here
    """,
    "any named inputs": """
        def forward(self, **inputs):
            parts = []
            for name, x in inputs.items():
                if x is not None:
                    parts.append(self.fs[name](x))
            return torch.stack(parts)  # here
    """,
    "a helper that joins": """
        def join(self, parts):
            return torch.cat(parts)  # here

        def forward(self, a=None, b=None):
            return self.join([x for x in (a, b) if x is not None])
    """,
    "a needed input beside": """
        def forward(self, ids=None, a=None, b=None):
            size = ids.size(1)
            parts = []
            if a is not None:
                parts.append(a[:, :size])
            if b is not None:
                parts.append(b[:, :size])
            return torch.cat(parts)  # here
    """,
}

LEFT_ALONE = {
    "a check of the inputs": """
        def forward(self, a=None, b=None):
            if a is None and b is None:
                raise ValueError("a or b")
            return torch.cat([x for x in (a, b) if x is not None])
    """,
    "exactly one": """
        def forward(self, a=None, b=None):
            if (a is None) == (b is None):
                raise ValueError("one of a and b")
            return torch.cat([x for x in (a, b) if x is not None])
    """,
    "all of them None": """
        def forward(self, a=None, b=None):
            if all(x is None for x in (a, b)):
                raise ValueError("a or b")
            return torch.cat([x for x in (a, b) if x is not None])
    """,
    "not any": """
        def forward(self, a=None, b=None):
            if not any(x is not None for x in (a, b)):
                return None
            return torch.cat([x for x in (a, b) if x is not None])
    """,
    "counted": """
        def forward(self, a=None, b=None):
            if sum(x is not None for x in (a, b)) < 1:
                raise ValueError("a or b")
            return torch.cat([x for x in (a, b) if x is not None])
    """,
    "a check in a helper": """
        def forward(self, a=None, b=None):
            self.check(a, b)
            return torch.cat([x for x in (a, b) if x is not None])
    """,
    "a check that depends on more": """
        def forward(self, a=None, b=None):
            if a is None and b is None and self.strict:
                raise ValueError("a or b")
            return torch.cat([x for x in (a, b) if x is not None])
    """,
    "a default instead": """
        def forward(self, a=None, b=None):
            if a is None:
                a = torch.zeros(1, 4)
            parts = []
            if a is not None:
                parts.append(a)
            if b is not None:
                parts.append(b)
            return torch.cat(parts)
    """,
    "both branches": """
        def forward(self, a=None):
            parts = []
            if a is not None:
                parts.append(a)
            else:
                parts.append(self.empty)
            return torch.cat(parts)
    """,
    "used in any case": """
        def forward(self, a=None, b=None):
            parts = []
            size = a.shape[0]
            if a is not None:
                parts.append(a)
            if b is not None:
                parts.append(b)
            return torch.cat(parts) * size
    """,
    "one for each layer": """
        def forward(self, x, flag=None):
            parts = []
            for layer in self.layers:
                parts.append(layer(x))
            return torch.stack(parts)
    """,
    "one for each input": """
        def forward(self, *inputs):
            return torch.cat([self.f(x) for x in inputs])
    """,
    "a flag that is no input": """
        def forward(self, x, keep=False):
            kept = []
            if keep:
                kept.append(x)
            return torch.cat(kept)
    """,
}


def in_method(after: str) -> str:
    """The usual list, and what is done with it, in a network's method."""
    body = plain(FILLED) + plain(after)
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"{HEAD}    def forward(self, c, a=None, b=None):\n{lines}"


def in_class(method: str) -> str:
    """A method of the network."""
    return HEAD + "".join(f"    {line}\n" for line in plain(method).splitlines())


@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
def test_what_minds_an_empty_list_is_reported(after: str) -> None:
    """On the line of the operation, or of the assert that alone guards it."""
    text = in_method(after)
    assert lines_of("GD701", text) == marked(text)


@pytest.mark.parametrize("after", HARMLESS_AFTER.values(), ids=HARMLESS_AFTER)
def test_guards_and_what_minds_nothing_are_left_alone(after: str) -> None:
    """Whatever keeps the empty list from the operation."""
    assert lines_of("GD701", in_method(after)) == []


@pytest.mark.parametrize("method", REPORTED.values(), ids=REPORTED)
def test_all_ways_to_fill_a_list_are_followed(method: str) -> None:
    """Comprehensions, loops, dicts, counts and helpers."""
    text = in_class(method)
    assert lines_of("GD701", text) == marked(text)


@pytest.mark.parametrize("method", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_healthy_methods_are_left_alone(method: str) -> None:
    """Checks of the inputs, defaults, and lists that something fills."""
    assert lines_of("GD701", in_class(method)) == []


def test_functions_count_where_a_network_calls_them() -> None:
    """A function of the module that no network calls is not the model's."""
    function = """

def fuse(a=None, b=None):
    return torch.cat([x for x in (a, b) if x is not None])
"""
    call = "    def forward(self, a=None, b=None):\n        return fuse(a, b)\n"
    assert lines_of("GD701", HEAD + call + function)
    assert lines_of("GD701", HEAD + "    size = 1\n" + function) == []


def test_the_details_name_the_list_and_the_inputs() -> None:
    """In the order of the parameters."""
    text = in_method("return sum(parts) / len(parts)")
    (found,) = (one for one in scan_suspicions(text) if one.rule == "GD701")
    assert found.symbol == "Net.forward"
    assert found.details == {
        "list": "parts",
        "emptied": "len(parts)",
        "inputs": ("a", "b"),
        "operation": "division",
    }


def convictions(
    kind: str = "",
    message: str = "",
    *,
    raised_there: bool = False,
    returned: str = "",
    statement: str = "",
) -> list[Conviction]:
    """What is read in one call without inputs."""
    crash = Crash(
        stage="forward",
        kind=kind,
        message=message,
        path="model.py",
        symbol="Net.embed",
        line=9,
        statement=statement,
        raised_there=raised_there,
    )
    call = EmptyCall(
        path="model.py",
        symbol="Net.forward",
        line=3,
        inputs=("text", "image"),
        outcome="raised" if kind else "returned",
        returned=returned,
        crash=crash if kind else None,
    )
    return list(DEFECT.convicts["empty-inputs"](EmptyInputs(calls=(call,)), NO_RECORD))


@pytest.mark.parametrize(
    ("kind", "message", "alone"),
    [
        ("ZeroDivisionError", "division by zero", True),
        ("RuntimeError", "stack expects a non-empty TensorList", True),
        ("RuntimeError", "torch.cat(): expected a non-empty list of Tensors", True),
        ("TypeError", "reduce() of empty iterable with no initial value", True),
        ("IndexError", "list index out of range", True),
        ("AssertionError", "", False),
        ("TypeError", "linear(): argument 'input' must be Tensor, not NoneType", False),
    ],
)
def test_obscure_errors_confirm(kind: str, message: str, alone: bool) -> None:
    """What may have another cause than an empty list counts only beside a suspicion."""
    (found,) = convictions(kind, message)
    assert (found.status, found.alone) == (Status.CONFIRMED, alone)
    assert found.place is not None
    assert found.place.symbol == "Net.embed"


def test_a_number_in_place_of_a_tensor_confirms() -> None:
    """sum([]) is 0."""
    (found,) = convictions(returned="int")
    assert found.status is Status.CONFIRMED


@pytest.mark.parametrize(
    ("kind", "message", "raised_there", "returned"),
    [
        ("ValueError", "give text or image", True, ""),
        ("TypeError", "at least one input is needed", True, ""),
        ("TypeError", "forward() missing 1 required positional argument: 'x'", False, ""),
        ("", "", False, "Tensor"),
    ],
)
def test_clear_errors_and_tensors_refute(
    kind: str, message: str, raised_there: bool, returned: str
) -> None:
    """At the function that was called."""
    (found,) = convictions(kind, message, raised_there=raised_there, returned=returned)
    assert found.status is Status.REFUTED
    assert found.place is not None
    assert (found.place.symbol, found.place.line) == ("Net.forward", None)


@pytest.mark.parametrize(
    ("kind", "message", "raised_there"),
    [("RuntimeError", "out of memory", False), ("ValueError", "bad shape", True)],
)
def test_other_errors_say_nothing(kind: str, message: str, raised_there: bool) -> None:
    """Neither an empty list nor a word about inputs."""
    assert convictions(kind, message, raised_there=raised_there) == []


@pytest.mark.parametrize(
    ("statement", "alone"),
    [("assert text is not None or image is not None", True), ("assert text is not None", False)],
)
def test_an_assert_that_asks_for_any_input_is_no_guard(statement: str, alone: bool) -> None:
    """One that asks for a single input may be about something else."""
    (found,) = convictions("AssertionError", "give text or image", statement=statement)
    assert (found.status, found.alone) == (Status.CONFIRMED, alone)
    assert found.place is not None
    assert (found.place.line is not None) is alone

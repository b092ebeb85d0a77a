"""`--call EXPR`: a call of `model` as the user writes it, made anew for each batch and length.

`model(ids, start_pos=0)` is taken apart into the inputs of its parameters, so that probes can
exchange them.  Whatever is no plain call of the model, such as `model(ids)["out"]`, is run as a
whole, and its inputs are the `ids` and `labels` that it uses.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.forms import distinct_ids
from gptdoctor.specimen.given_values import by_parameter, called, sizes_of
from gptdoctor.specimen.reach import compiled, namespace
from gptdoctor.specimen.roles import Slot, entry_of, signature_of, slots_of
from gptdoctor.specimen.trial import NoCallError

ORIGIN = "<call>"  # the file that tracebacks name for the expression
_DRAWN = frozenset({"model", "ids", "labels", "B", "T"})  # unlike at other sizes
_SAMPLE = (3, 7)  # B and T to see what an expression gives


@dataclass(frozen=True, kw_only=True)
class CallExpression:
    """The expression, with the module whose names it may use: a `given_call.Supply`."""

    text: str
    module: ModuleType
    root: str
    entry: str
    slots: tuple[Slot, ...]
    # What is given for each parameter; empty where the expression is run as a whole.
    parts: Mapping[str, ast.expr] = field(repr=False)
    whole: ast.expr = field(repr=False)
    signature: inspect.Signature | None = field(default=None, repr=False)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """B and T that the tensors of fixed sizes in the expression suggest."""
        fixed = {k: node for k, node in self.parts.items() if not _DRAWN & _names_in(node)}
        try:
            return sizes_of(replace(self, parts=fixed).inputs(*_SAMPLE, 0, 2)) if fixed else ()
        except NoCallError:
            return ()

    def inputs(self, batch: int, length: int, seed: int, below: int) -> dict[str, Any]:
        """The inputs by parameter, or the `ids` and `labels` of a whole."""
        names = self._drawn(batch, length, seed, below)
        if not self.parts:
            used = _names_in(self.whole)
            return {name: names[name] for name in ("ids", "labels") if name in used}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return {
                name: self._evaluated(node, names)
                for name, node in self.parts.items()
                if "model" not in _names_in(node)
            }

    def run(self, model: nn.Module, inputs: Mapping[str, Any]) -> Any:
        """Call the entry of `model` with `inputs`."""
        given = dict(inputs)
        late = {k: node for k, node in self.parts.items() if "model" in _names_in(node)}
        if late or not self.parts:
            names = {"model": model, **self._around(inputs)}
            if not self.parts:
                return self._run(self.whole, names)
            given |= {name: self._run(node, names) for name, node in late.items()}
        signature = self.signature or inspect.signature(signature_of(model, self.entry))
        return called(entry_of(model, self.entry), signature, given)

    def code(self, batch: int, length: int, below: int) -> str:
        """The expression with the numbers and tensors that its names stand for."""
        ids = f"torch.randint({below}, ({batch}, {length}))"
        codes = {"B": str(batch), "T": str(length), "V": str(below), "ids": ids, "labels": ids}
        exchanged = _Exchanged(codes)
        if self.parts and self._takes_names():
            parts = {name: copy.deepcopy(node) for name, node in self.parts.items()}
            given = (f"{k}={ast.unparse(exchanged.visit(node))}" for k, node in parts.items())
            called = "model" if self.entry == "forward" else f"model.{self.entry}"
            return f"{called}({', '.join(given)})"
        return ast.unparse(exchanged.visit(copy.deepcopy(self.whole)))

    def _takes_names(self) -> bool:
        """Whether each input can be given by the name of its parameter."""
        known = {} if self.signature is None else self.signature.parameters
        return all(
            name in known and known[name].kind is not inspect.Parameter.POSITIONAL_ONLY
            for name in self.parts
        )

    def _drawn(self, batch: int, length: int, seed: int, below: int) -> dict[str, Any]:
        """The names that stand for something else at each B, T and seed."""
        generator = torch.Generator().manual_seed(seed)
        ids = distinct_ids((batch, length), below, generator)
        sizes = {"B": batch, "T": length, "V": below}
        return {**sizes, "ids": ids, "labels": ids.clone(), "torch": torch}

    def _around(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The names as they are while the call is run with `inputs`."""
        plain = {k: node.id for k, node in self.parts.items() if isinstance(node, ast.Name)}
        plain |= {} if self.parts else {"ids": "ids", "labels": "labels"}
        names = {plain[name]: value for name, value in inputs.items() if name in plain}
        ids = names.get("ids", _ids(inputs))
        if ids is None:
            return {"torch": torch, **names}
        if self._turned():
            ids = ids.t()
        batch, length = (*ids.shape, 1)[:2]
        return {"B": batch, "T": length, "ids": ids, "labels": ids, "torch": torch, **names}

    def _turned(self) -> bool:
        """Whether the ids are given as [T, B]."""
        ids = _ids(self.inputs(*_SAMPLE, 0, 2)) if self.parts else None
        return ids is not None and tuple(ids.shape) == _SAMPLE[::-1]

    def _evaluated(self, node: ast.expr, names: Mapping[str, Any]) -> Any:
        """The value of a part of the expression, whose failure is no fault of the model's."""
        try:
            return self._run(node, names)
        except FAILURES as error:
            raise NoCallError(f"{type(error).__name__}: {error}") from error

    def _run(self, node: ast.expr, names: Mapping[str, Any]) -> Any:
        reached = namespace(node, self.module, self.root, names)
        return eval(compiled(node, ORIGIN), reached)  # noqa: S307 - the user asked for it


def parse_call(text: str, model: nn.Module, module: ModuleType, root: str) -> CallExpression:
    """The call that `text` writes; raises NoCallError where it calls no `model`."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise NoCallError(f"it is no expression of Python: {error.msg}") from error
    if "model" not in _names_in(node):
        raise NoCallError("`model`, the instance, does not occur in it")
    entry = _entry(node)
    if entry is None or not isinstance(node, ast.Call):
        slots = tuple(_whole_slots(node))
        return CallExpression(
            text=text, module=module, root=root, entry="forward", slots=slots, parts={}, whole=node
        )
    if not callable(getattr(model, entry, None)):
        raise NoCallError(f"the model has no method {entry!r}")
    method = signature_of(model, entry)
    signature = inspect.signature(method)
    return CallExpression(
        text=text,
        module=module,
        root=root,
        entry=entry,
        slots=slots_of(method),
        parts=by_parameter(
            signature, tuple(node.args), {str(each.arg): each.value for each in node.keywords}
        ),
        whole=node,
        signature=signature,
    )


def _entry(node: ast.expr) -> str | None:
    """The method that a plain call calls; None: it is no plain call of the model."""
    if not isinstance(node, ast.Call):
        return None
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return None
    if any(keyword.arg is None for keyword in node.keywords):
        return None
    called = node.func
    if isinstance(called, ast.Name) and called.id == "model":
        return "forward"
    own = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
    if isinstance(called, ast.Attribute) and own and ast.unparse(called.value) == "model":
        return called.attr
    return None


def _whole_slots(node: ast.expr) -> Iterator[Slot]:
    used = _names_in(node)
    if "ids" not in used:
        raise NoCallError("it is no plain call such as model(ids), and `ids` does not occur in it")
    yield Slot(name="ids", kind="ids", required=True, annotation="")
    if "labels" in used:
        yield Slot(name="labels", kind="labels", required=False, annotation="")


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _ids(inputs: Mapping[str, Any]) -> Tensor | None:
    """What is likeliest the ids: the first tensor of whole numbers, else the first one."""
    tensors = [value for value in inputs.values() if isinstance(value, Tensor) and value.dim()]
    return next(
        (each for each in tensors if not each.is_floating_point()), next(iter(tensors), None)
    )


class _Exchanged(ast.NodeTransformer):
    """Puts code in the place of names."""

    def __init__(self, codes: Mapping[str, str]) -> None:
        self._codes = codes

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The code that stands for one name."""
        if node.id not in self._codes:
            return node
        return ast.parse(self._codes[node.id], mode="eval").body

"""Numbers that a module keeps as a plain tensor though they are weights: random, or of no effect.

`self.table = torch.randn(T, C)` is neither trained nor saved nor moved.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.parameter_registration import PlainWeight
from gptdoctor.probes.instruments.arguments import storage_key, tensors
from gptdoctor.probes.instruments.attribute_text import assigned_at, commented_line
from gptdoctor.probes.instruments.effects import differ, loss_of, move
from gptdoctor.probes.instruments.gradient_trace import place_of
from gptdoctor.probes.instruments.rebuilding import rebuilt
from gptdoctor.probes.instruments.stack import Line, user_line
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

_TABLES = frozenset({"_parameters", "_buffers", "_modules"})
_RANDOM = re.compile(
    r"(rand|randn|normal|uniform|bernoulli|exponential|multinomial|kaiming|xavier|trunc_normal|"
    r"orthogonal|cauchy|log_normal)(_like)?_?|(kaiming|xavier)_(normal|uniform)_|new_rand\w*"
)
_SUMS = frozenset({"add", "__add__", "__radd__", "add_", "__iadd__"})
_PRODUCTS = frozenset({"mul", "__mul__", "__rmul__", "mul_", "__imul__", "layer_norm", "rms_norm"})
# A constant is taken for a weight only where its name says so: masks and first states are none.
# The last ones are what papers call factors that are learnt: D and skip beside a state space,
# LayerScale, alpha and lambda of gated residuals.
_LEARNED = re.compile(
    r"(^|_)(weight|bias|gain|gamma|beta|scale|shift|pos\w*|w[pt]e|\w*emb\w*|token\w*|cls|latents?|"
    r"quer(y|ies)|norm\w*|skip|d|ls|layerscale|alphas?|lam|lambdas?)(_|\d|$)"
)
_STATES = re.compile(r"mask|cache|state|hidden|h0|mem|attn|freq|inv|rope|sin|cos|slope|alibi|std")
MOST = 64  # tensors of one model; a cache of each layer has two


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """A plain tensor of a module's."""

    owner: str
    module: nn.Module
    attribute: str
    key: str  # in a list or a dictionary; "" for the attribute itself
    tensor: Tensor


def plain_weights(specimen: Specimen) -> Iterator[PlainWeight]:
    """The plain tensors that act on the loss and are weights; nothing is run where there are none.

    A forward pass that writes or exchanges them makes them state, and no weight.
    """
    if not any(True for _ in _kept_in(specimen.model)):
        return
    for name, random, line in _makers(specimen):
        one = _named(specimen.model, name)
        if one is None:
            continue
        kind = "random" if random and one.tensor.std() > 0 else _neutral(specimen, name)
        place = _place(specimen, name, line) if kind and _acts(specimen, name) else None
        if place is not None:
            path = f"{specimen.root}/{place.path}"
            yield PlainWeight(
                owner=one.owner,
                attribute=one.attribute,
                kind=kind,
                numbers=one.tensor.numel(),
                shape=tuple(one.tensor.shape),
                path=place.path,
                symbol=place.symbol,
                line=place.line or 0,
                code=commented_line(path, place.line or 0),
            )


def _kept_in(model: nn.Module) -> Iterator[_Kept]:
    """Plain tensors of real numbers, in attributes and in lists and dictionaries of them."""
    registered = {id(each) for each in (*model.parameters(), *model.buffers())}
    found = 0
    for owner, module in model.named_modules():
        for attribute, value in vars(module).items():
            for key, each in _parts(value) if attribute not in _TABLES else ():
                plain = not each.requires_grad and each.is_floating_point() and each.numel() > 1
                if plain and id(each) not in registered and found < MOST:
                    found += 1
                    yield _Kept(
                        owner=owner, module=module, attribute=attribute, key=key, tensor=each
                    )


def _parts(value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield "", value
    elif isinstance(value, list | tuple):
        yield from ((str(n), each) for n, each in enumerate(value) if isinstance(each, Tensor))
    elif isinstance(value, dict):
        yield from ((str(n), each) for n, each in value.items() if isinstance(each, Tensor))


_Name = tuple[str, str, str]


def _name_of(one: _Kept) -> _Name:
    return one.owner, one.attribute, one.key


def _named(model: nn.Module, name: _Name) -> _Kept | None:
    return next((one for one in _kept_in(model) if _name_of(one) == name), None)


class _Making(TorchFunctionMode):
    """While active, keeps which memory is random, and the user's line that made it last."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.random: dict[Any, bool] = {}
        self.line: dict[Any, Line | None] = {}
        self._root = root
        self._kept: list[Tensor] = []  # an address is not given away meanwhile

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [storage_key(each) for each in tensors((args, kwargs or {}))]
        name = getattr(func, "__name__", "")
        drawn = _RANDOM.fullmatch(name) is not None
        derived = not name.endswith(("zeros_like", "ones_like", "empty_like", "full_like"))
        random = drawn or (derived and any(self.random.get(key, False) for key in given))
        for made in tensors(result):
            key = storage_key(made)
            if key not in given:
                self.line[key] = user_line(sys._getframe(1), self._root)
            self.random[key] = random
            self._kept.append(made)
        return result


def _makers(specimen: Specimen) -> list[tuple[_Name, bool, Line | None]]:
    """The plain tensors of an instance that is made anew, whether random, and the line of each."""
    making = _Making(specimen.root)
    model = rebuilt(specimen, making)
    found = list(_kept_in(model)) if model is not None else []
    keys = [(one, storage_key(one.tensor)) for one in found]
    return [(_name_of(one), making.random.get(k, False), making.line.get(k)) for one, k in keys]


def _neutral(specimen: Specimen, name: _Name) -> str:
    """Whether a tensor is zeros that are added or ones that are multiplied, and named a weight."""
    one = _named(specimen.model, name)
    word = name[1].lower()
    if one is None or not _LEARNED.search(word) or _STATES.search(word):
        return ""
    zeros, ones = not one.tensor.any(), bool((one.tensor == 1).all())
    widths = {each.shape[-1] for each in specimen.model.parameters() if each.dim()}
    if not (zeros or ones) or one.tensor.shape[-1] not in widths:
        return ""
    model = specimen.copy()
    mine = _named(model, name)
    uses = _Uses(_SUMS if zeros else _PRODUCTS)
    if mine is None or _loss(specimen, model, uses) is None:
        return ""
    return "constant" if storage_key(mine.tensor) in uses.met else ""


class _Uses(TorchFunctionMode):
    """While active, keeps the memory of all that certain operations are given."""

    def __init__(self, operations: frozenset[str]) -> None:
        super().__init__()
        self.met: set[Any] = set()
        self._operations = operations

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__name__", "") in self._operations:
            self.met |= {storage_key(each) for each in tensors((args, kwargs or {}))}
        return func(*args, **(kwargs or {}))


def _acts(specimen: Specimen, name: _Name) -> bool:
    """Whether the loss moves with a tensor that the pass itself leaves alone."""
    plain, moved = specimen.copy(), specimen.copy()
    mine, other = _named(plain, name), _named(moved, name)
    if mine is None or other is None:
        return False
    old = mine.tensor.clone()
    before = _loss(specimen, plain)
    after = _named(plain, name)
    kept = after is not None and after.tensor is mine.tensor and torch.equal(old, mine.tensor)
    if before is None or not kept or differ(before, _loss(specimen, specimen.copy())):
        return False
    move([other.tensor], 1.0, torch.Generator().manual_seed(specimen.seed))
    return differ(before, _loss(specimen, moved))


def _loss(specimen: Specimen, model: nn.Module, watch: _Uses | None = None) -> float | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if watch is None:
                return float(loss_of(specimen, model, specimen.seed).detach())
            with watch:
                return float(loss_of(specimen, model, specimen.seed).detach())
    except FAILURES:
        return None


def _place(specimen: Specimen, name: _Name, line: Line | None) -> Place | None:
    """The line that made the numbers, else the statement that gives them to the module."""
    made = place_of(line, specimen.root)
    one = _named(specimen.model, name)
    assignment = None if one is None else assigned_at(one.module, one.attribute, specimen.root)
    if assignment is None:
        return made
    where, statement = assignment.place, assignment.statement
    last = statement.end_lineno or statement.lineno
    within = made is None or (
        made.path == where.path and statement.lineno <= (made.line or 0) <= last
    )
    return where if within else made

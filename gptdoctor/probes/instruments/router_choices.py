"""The operations by which a router chooses experts for tokens, or tokens for experts."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place

# Each gives, for every vector of scores along one dimension, the numbers of those that it takes.
CHOOSING = frozenset({"topk", "max", "argmax", "multinomial"})
Call = tuple[int, nn.Module]  # the number of a module's call, and the module


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """One such operation."""

    operation: str
    scores: Tensor  # of any shape
    dimension: int  # of the scores along which it chooses
    indices: Tensor  # the shape of the scores, with k in the place of that dimension
    place: Place | None
    path: tuple[Call, ...] = ()  # the modules that were running, outermost first
    moment: int = 0
    weights_kept: bool = False  # the scores of what was chosen were given a name

    @property
    def chosen(self) -> int:
        """How many are chosen along the dimension."""
        return self.indices.shape[self.dimension]

    def axis_of(self, experts: int) -> int | None:
        """The one dimension of the scores that counts the experts; None: none does, or several."""
        fitting = [axis for axis, size in enumerate(self.scores.shape) if size == experts]
        return fitting[0] if len(fitting) == 1 else None

    def mask(self, experts: int) -> Tensor:
        """[N, E]: which tokens go to which experts."""
        taken = torch.zeros(self.scores.shape, dtype=torch.bool, device=self.scores.device)
        return self._by_token(taken.scatter_(self.dimension, self.indices, True), experts)

    def empty(self, experts: int) -> Tensor:
        """[N, E]: which of the scores are 0, or nothing at all."""
        return self._by_token((self.scores == 0) | ~self.scores.isfinite(), experts)

    def _by_token(self, each: Tensor, experts: int) -> Tensor:
        axis = self.axis_of(experts)
        return each.movedim(-1 if axis is None else axis, -1).reshape(-1, experts)


def choice_of(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> Any:
    """Scores, dimension and indices [.., k, ..] of a choosing operation; None: it is none."""
    if name not in CHOOSING or not args or not isinstance(args[0], Tensor) or not args[0].dim():
        return None
    scores: Tensor = args[0]
    if name == "multinomial":
        return scores, scores.dim() - 1, result
    position = 2 if name == "topk" else 1
    given = args[position] if len(args) > position else kwargs.get("dim")
    dimension = -1 if name == "topk" and given is None else given
    if not isinstance(dimension, int):
        return None  # of all elements, or of two tensors
    dimension %= scores.dim()
    indices = result if isinstance(result, Tensor) else getattr(result, "indices", None)
    if not isinstance(indices, Tensor) or indices.is_floating_point():
        return None
    if indices.dim() < scores.dim():
        indices = indices.unsqueeze(dimension)
    return scores, dimension, indices


def keeps_weights(operation: str, frame: FrameType | None) -> bool:
    """Whether the line that chooses gives a name to the scores of what it chose.

    `weights, chosen = probs.topk(2)` does; `_, chosen = ...` and `....indices` do not.
    """
    if operation not in ("topk", "max") or frame is None:
        return False
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    try:
        statement = ast.parse(line).body[0]
    except (SyntaxError, IndexError):
        return False
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return False
    target = statement.targets[0]
    first = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else target
    if isinstance(first, ast.Starred) or ast.unparse(first).startswith("_"):
        return False
    return isinstance(target, ast.Tuple)


class FixedChoices(TorchFunctionMode):
    """While active, choosing operations choose what they chose before, whatever the scores are."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._left = list(choices)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        result = func(*args, **kwargs)
        found = choice_of(name, args, kwargs, result) if self._left else None
        if found is None or found[0].shape != self._left[0].scores.shape:
            return result
        known = self._left[0]
        if name != known.operation or found[2].shape != known.indices.shape:
            return result
        self._left.pop(0)
        if isinstance(result, Tensor):
            return known.indices.reshape(result.shape)
        values = found[0].gather(found[1], known.indices)
        shape = result.indices.shape  # without the dimension, where it was not to be kept
        kind: Any = type(result)
        return kind((values.reshape(shape), known.indices.reshape(shape)))

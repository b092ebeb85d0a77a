"""The shift of relative positions: a column before [Q, K], viewed as rows, one of them dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

_JOINING = frozenset({"cat", "concat", "concatenate", "pad", "constant_pad_nd"})
_VIEWING = frozenset({"view", "reshape", "view_as", "reshape_as"})
FromTo = tuple[tuple[int, ...], tuple[int, ...]]  # before and after a reshape


class RelativeShift:
    """Finds the two views of each such shift; no transpose is missing there.

    [Q, K + 1], a column more than [Q, K], is viewed as [K + 1, Q]; without its first row it is
    viewed as [Q, K] again, in which row q has moved by Q - 1 - q.
    """

    def __init__(self) -> None:
        self.views: set[FromTo] = set()  # of all shifts that were seen to their end
        # The tensors are kept, for the place of their numbers in memory names them.
        self._widened: dict[int, tuple[Tensor, int]] = {}  # with the dimension that grew
        self._turned: dict[int, tuple[Tensor, FromTo]] = {}  # with the first view

    def note(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], made: Any) -> None:
        """Remember what an operation made, if it is a part of a shift."""
        if not isinstance(made, Tensor):
            return
        if name in _JOINING:
            given = args[0] if args else kwargs.get("tensors", kwargs.get("input"))
            for one in given if isinstance(given, tuple | list) else (given,):
                grown = _grown_by_one(one, made)
                if grown is not None:
                    self._widened[_where(made)] = (made, grown)
        elif name in _VIEWING and isinstance(args[0], Tensor):
            self._note_view(args[0], made)

    def _note_view(self, before: Tensor, after: Tensor) -> None:
        exchanged = _exchanged(before, after)
        shapes = (tuple(before.shape), tuple(after.shape))
        widened, grown = self._widened.get(_where(before), (before, -1))
        turned, first = self._turned.get(_where(before), (before, shapes))
        if grown in exchanged and widened.shape == before.shape:
            self._turned[_where(after)] = (after, shapes)
        elif _grown_by_one(before, turned) in exchanged:
            self.views |= {first, shapes}


class ShiftWatch(TorchFunctionMode):
    """While active, finds the shifts."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = RelativeShift()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.shift.note(getattr(func, "__name__", ""), args, kwargs or {}, result)
        return result


def _where(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _exchanged(before: Tensor, after: Tensor) -> tuple[int, ...]:
    """The two neighbouring dimensions in which alone the shapes differ; () where it is not so."""
    if before.dim() != after.dim():
        return ()
    at = tuple(one for one in range(before.dim()) if before.shape[one] != after.shape[one])
    return at if len(at) == 2 and at[1] == at[0] + 1 else ()


def _grown_by_one(given: Any, made: Tensor) -> int | None:
    """The only dimension in which `made` is larger than `given`, if it is by one."""
    if not isinstance(given, Tensor) or given.dim() != made.dim():
        return None
    more = [made.shape[at] - given.shape[at] for at in range(made.dim())]
    return more.index(1) if sorted(more) == [0] * (len(more) - 1) + [1] else None

"""What is given for one parameter of an entry, as a value and as code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

# How many vectors an image or a sound has: the first that is neither the batch nor the length, so
# that no dimension of theirs fits one of the text's by chance.
_FRAMES = (5, 2, 13)


@dataclass(frozen=True, kw_only=True)
class Promised:
    """Stands for what a method of the model's will make, when there is a model: a first state."""

    method: str
    names: tuple[str, ...]  # of the parameters that it is given

    def keep(self, model: nn.Module, batch: int) -> Any:
        """What the method makes for B = `batch`."""
        given = {name: "cpu" if name == "device" else batch for name in self.names}
        return getattr(model, self.method)(**given)

    def code(self, batch: str) -> str:
        """The call of the method as code."""
        given = (f"{name}={repr('cpu') if name == 'device' else batch}" for name in self.names)
        return f"model.{self.method}({', '.join(given)})"


# Masks and labels by name: how they are made for a shape, and the code that makes them.
_FILLS: Mapping[str, tuple[Callable[[tuple[int, ...]], Tensor], str]] = {
    "ones": (lambda s: torch.ones(s, dtype=torch.long), "torch.ones(({}), dtype=torch.long)"),
    "true": (lambda s: torch.ones(s, dtype=torch.bool), "torch.ones(({}), dtype=torch.bool)"),
    "false": (lambda s: torch.zeros(s, dtype=torch.bool), "torch.zeros(({}), dtype=torch.bool)"),
    "causal": (  # True for what may be seen
        lambda s: torch.ones(s, dtype=torch.bool).tril(),
        "torch.ones(({}), dtype=torch.bool).tril()",
    ),
    "future": (  # True for what may not be seen
        lambda s: torch.ones(s, dtype=torch.bool).triu(1),
        "torch.ones(({}), dtype=torch.bool).triu(1)",
    ),
    "causal ones": (
        lambda s: torch.ones(s, dtype=torch.long).tril(),
        "torch.ones(({}), dtype=torch.long).tril()",
    ),
    "classes": (  # two of them: not ids, which name no class
        lambda s: torch.arange(math.prod(s)).view(s) % 2,
        "torch.randint(2, ({}))",
    ),
    "shares": (
        lambda s: (torch.arange(math.prod(s)).view(s) % 2).float(),
        "torch.randint(2, ({})).float()",
    ),
    "added": (lambda s: torch.full(s, -torch.inf).triu(1), "torch.full(({}), -torch.inf).triu(1)"),
}


@dataclass(frozen=True, kw_only=True)
class Form:
    """What is given for one parameter: a tensor whose shape may name B, T and N, or a constant.

    `below`: integers from 1 up to this, exclusive; None: normal numbers.  `fill` says "arange",
    "lengths", which is T for each row, or names one of those above where the numbers are not to be
    random.  `wrap`: a class of the user's that holds the tensor.  `made_by`: what the model is to
    make instead.  `first`: the id that begins each row and is nowhere else, in the place of which a
    picture is put.
    """

    shape: tuple[str | int, ...] | None
    below: int | None = None
    fill: str = ""
    constant: Any = None
    wrap: type | None = None
    made_by: Promised | None = None
    first: int | None = None

    def sizes(self, batch: int, length: int) -> tuple[int, ...]:
        """The shape in numbers."""
        frames = next(n for n in _FRAMES if n not in (batch, length))
        known = {"B": batch, "T": length, "N": frames}
        return tuple(known[d] if isinstance(d, str) else d for d in self.shape or ())

    def make(self, batch: int, length: int, generator: Generator) -> Any:
        """The value itself; what the model is to make stands for itself until it is called."""
        if self.made_by is not None:
            return self.made_by
        if self.shape is None:
            return self.constant
        if self.fill == "lengths":
            return torch.full((batch,), length)
        tensor = self._tensor(self.sizes(batch, length), generator)
        return tensor if self.wrap is None else self.wrap(tensor)

    def _tensor(self, sizes: tuple[int, ...], generator: Generator) -> Tensor:
        if self.fill == "arange":
            return torch.arange(sizes[-1]).expand(sizes).contiguous()
        if self.fill:
            return _FILLS[self.fill][0](sizes)
        if self.below is not None:
            ids = distinct_ids(sizes, self.below, generator)
            return ids if self.first is None else _begun(ids, self.first, self.below)
        return torch.randn(sizes, generator=generator)

    def code(self, batch: int, length: int, *, turned: bool = False) -> str:
        """Code that makes such a value; `turned`: as [T, B] where it is [B, T]."""
        sizes = [str(size) for size in self.sizes(batch, length)]
        return self._whole(sizes, str(batch), str(length), turned=turned)

    def expression(self, *, turned: bool = False) -> str:
        """The same for the B and T that names stand for."""
        frames = str(_FRAMES[0])
        names = [frames if d == "N" else str(d) for d in self.shape or ()]
        return self._whole(names, "B", "T", turned=turned)

    def _whole(self, sizes: list[str], batch: str, length: str, *, turned: bool) -> str:
        if self.made_by is not None:
            return self.made_by.code(batch)
        if self.fill == "lengths":
            return f"torch.full(({batch},), {length})"
        written = self._written(sizes, turned=turned)
        return written if self.wrap is None else f"{self.wrap.__name__}({written})"

    def _written(self, sizes: list[str], *, turned: bool) -> str:
        if self.shape is None:
            return repr(self.constant)
        if self.fill == "arange":
            row = f"torch.arange({sizes[-1]})"
            made = row if len(sizes) == 1 else f"{row}.repeat({', '.join(sizes[:-1])}, 1)"
            return f"{made}.t()" if turned else made
        shape = ", ".join(sizes[::-1] if turned else sizes) + ("," if len(sizes) == 1 else "")
        if self.fill:
            return _FILLS[self.fill][1].format(shape)
        if self.below is None:
            return f"torch.randn({', '.join(sizes[::-1] if turned else sizes)})"
        made = f"torch.randint({self.below}, ({shape}))"
        if self.first is None:
            return made
        # from the next id on, so that this one is nowhere else
        made = f"torch.randint({max(self.first, 0) + 1}, {self.below}, ({shape}))"
        return f"{made}.index_fill(1, torch.tensor([0]), {self.first})"


def _begun(ids: Tensor, first: int, below: int) -> Tensor:
    """Ids [B, T], each row of which begins with `first`, which is nowhere else."""
    ids = torch.where(ids == first, (first + 1) % below, ids)
    ids[:, 0] = first
    return ids


def distinct_ids(sizes: tuple[int, ...], below: int, generator: Generator) -> Tensor:
    """Ids [B, T] that are all different, or, where there are too few ids, rows that begin so.

    A causal model cannot learn two continuations of the same prefix.  0 is left out: it is often
    the padding, of which a model may make nothing.
    """
    pool = torch.randperm(max(below - 1, 1), generator=generator) + min(1, below - 1)
    count = math.prod(sizes)
    if count <= pool.numel():
        return pool[:count].view(sizes)
    ids = torch.randint(min(1, below - 1), below, sizes, generator=generator)
    if ids.dim() == 2 and sizes[0] <= pool.numel():
        ids[:, 0] = pool[: sizes[0]]
    return ids

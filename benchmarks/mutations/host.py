"""What the benchmark knows of a host: where its source is, how a small instance is made and used.

All of it lies in a sidecar, outside of the host's file, so that gptdoctor gets no hint from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

HERE = Path(__file__).parent
Model = Any  # an nn.Module whose attributes its sidecar knows


@dataclass(frozen=True, kw_only=True)
class Experts:
    """The experts of the first layer: how many, how many a token gets, and how to reach them."""

    count: int
    chosen: int
    parameters: Callable[[Model, int], list[Tensor]]  # of one expert, to be changed in place
    modules: Callable[[Model], list[nn.Module]] | None = None


def own_source(name: str) -> Callable[[], str]:
    """Reads a host of ours."""
    return lambda: (HERE / "hosts" / f"{name}.py").read_text()


@dataclass(frozen=True, kw_only=True)
class Host:
    """A healthy model in a file of its own.

    Shapes: `ids` and `labels` are [B, T] integers below `vocabulary`, logits [B, T, V].
    What a host does not have is None, and effects that need it do not hold.
    """

    name: str
    model: str  # the class that gptdoctor is asked about
    source: Callable[[], str]  # raises LookupError where the package is not there
    file: str  # the name under which the source is written
    build: Callable[[ModuleType, int], nn.Module]  # module, number of layers
    logits: Callable[[Model, Tensor], Tensor]
    blocks: Callable[[Model], list[nn.Module]]
    loss: Callable[[Model, Tensor, Tensor], object] | None = None  # model, ids, labels
    shift: int = 1  # by how much the model itself shifts the labels
    ignored_label: int | None = None
    labels_are_ids: bool = False
    vocabulary: int = 61
    longest: int | None = 24  # tokens that the small instance takes; None: any number
    generate: Callable[..., Tensor] | None = None  # model, prompt, count, and the options below
    options: frozenset[str] = field(default_factory=frozenset)  # temperature, top_k, top_p, eos
    padded: Callable[[Model, Tensor, Tensor], Tensor] | None = None  # with mask [B, T], 1 = real
    cached: Callable[[Model, Tensor], Tensor] | None = None  # logits, one token at a time
    empty: Callable[[Model], object] | None = None  # a call without anything
    experts: Experts | None = None


def ids_of(host: Host, rows: int, length: int, seed: int = 0) -> Tensor:
    """Reproducible ids [rows, length], without 0, which some hosts take for padding."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, host.vocabulary, (rows, length), generator=generator)

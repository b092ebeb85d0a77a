"""Coherent sets of small sizes, by what they measure.

The sizes of one variant belong together: heads divide the width and the rank, the patch divides
the image.  What need not divide anything is a prime unlike all others, so that two dimensions
that were mixed up cannot agree by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


class Asked(Mapping[str, int]):
    """Sizes that remember which of them somebody asked for: the others do not matter."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = dict(sizes)
        self.used: dict[str, int] = {}

    def __getitem__(self, role: str) -> int:
        self.used[role] = self._sizes[role]
        return self._sizes[role]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One coherent set of sizes, by role."""

    name: str
    sizes: Mapping[str, int]
    # Whether `x: Optional[int] = None` is given a size, too: usually None means "derive it", but
    # some configurations leave what the model cannot do without to their checkpoints.
    fills_none: bool = False
    # Whether depths stay as they are: lists of the configuration may hold an entry a layer.
    own_depth: bool = False
    # Flags by name that are not left at their defaults.
    flags: Mapping[str, bool] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether its sizes are all that it asks for."""
        return not (self.fills_none or self.own_depth or self.flags)


_BASE = {
    "batch": 8,
    "pair": 2,
    "one": 1,
    "multiple_of": 8,
    "vocabulary": 97,
    "width": 64,
    "heads": 4,
    "kv_heads": 2,
    "head_dim": 16,
    "half_head": 8,
    "layers": 2,
    "context": 32,  # more than any probe reads, and what chunks and windows divide
    "window": 8,
    "rank": 24,  # heads divide it, into an even width for rotary pairs
    "experts": 5,
    "top_k": 2,
    "ffn": 136,  # 8 x 17: gated networks halve it, grouped ones quarter it
    "multiple": 2,
    "codebook": 11,
    "memory": 13,
    "memory_length": 17,
    "steps": 3,
    "image": 37,
    "audio": 29,
    "video": 41,
    "image_size": 16,
    "patch": 4,
    "patches": 16,
    "colours": 3,
    "kernel": 4,
}
# One head: the keys are as many, and the head is as wide as the model.
ONE_HEAD = {"heads": 1, "kv_heads": 1, "head_dim": 64, "half_head": 32}
# A training step keeps no cache, and what can be encoder or decoder is asked for as a decoder.
_AS_TRAINED = {"use_cache": False, "is_decoder": True}
# The second serves models that want powers of two or as many keys as queries, the third those
# that assume every inner width to be the model's own, the fourth those whose layers differ by a
# pattern (one of four attends, one of six) and those whose heads span twice the width, the fifth
# those that list what each layer is.  The last two are for models that are right for one of a kind
# only: they are examined all the same, and what fails is told.
VARIANTS = (
    Variant(name="coherent", sizes=_BASE),
    Variant(
        name="powers of two",
        sizes={
            **_BASE,
            "vocabulary": 128,
            "kv_heads": 4,
            "half_head": 16,  # the rotary part of a head, where that is all of it
            "rank": 32,
            "experts": 4,
            "ffn": 128,
            "codebook": 16,
            "memory": 16,
            "image": 32,
            "audio": 32,
            "video": 32,
        },
    ),
    Variant(
        name="one width",
        sizes={
            **_BASE,
            "kv_heads": 4,
            "rank": 64,
            "experts": 4,
            "ffn": 64,
            "codebook": 64,
            "image": 64,
            "audio": 64,
            "video": 64,
            "head_dim": 64,
        },
    ),
    Variant(
        name="nothing left out",
        sizes={**_BASE, "layers": 8, "heads": 8, "kv_heads": 4, "rank": 32, "ffn": 144},
        fills_none=True,
        flags=_AS_TRAINED,
    ),
    Variant(name="own depth", sizes=_BASE, own_depth=True, flags=_AS_TRAINED),
    Variant(name="one head", sizes={**_BASE, **ONE_HEAD}),
    Variant(
        name="one of each",
        sizes={**_BASE, **ONE_HEAD, "layers": 1, "experts": 1, "top_k": 1},
    ),
)

"""Coherent sets of small sizes, by what they measure.

The sizes of one variant belong together: heads divide the width and the rank, the patch divides
the image.  What need not divide anything is a prime unlike all others, so that two dimensions
that were mixed up cannot agree by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One coherent set of sizes, by role."""

    name: str
    sizes: Mapping[str, int]


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
# The second serves models that want powers of two or as many keys as queries, the third those
# that assume every inner width to be the model's own.
VARIANTS = (
    Variant(name="coherent", sizes=_BASE),
    Variant(
        name="powers of two",
        sizes={
            **_BASE,
            "vocabulary": 128,
            "kv_heads": 4,
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
)

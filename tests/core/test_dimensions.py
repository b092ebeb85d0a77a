"""Numbers of a shape, named by the sizes they equal."""

from __future__ import annotations

import pytest

from gptdoctor.core.dimensions import symbolic

SIZES = {"batch": 3, "length": 7, "width": 64, "heads": 4, "layers": 2, "kv_heads": 2}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("x [3, 7, 64]", "x [3, 7, 64] = [B, T, width]"),
        ("q [3, 4, 7, 16]", "q [3, 4, 7, 16] = [B, heads, T, width/heads]"),
        ("qkv [21, 192]", "qkv [21, 192] = [B*T, 3*width]"),
        ("mask [1, 1, 7, 7]", "mask [1, 1, 7, 7] = [1, 1, T, T]"),
        ("k [3, 2, 7]", "k [3, 2, 7] = [B, 2, T]"),  # layers and kv_heads are both 2
        ("odd [5, 9]", "odd [5, 9]"),
        ("scalar []", "scalar []"),
        ("no shape at all", "no shape at all"),
    ],
)
def test_a_dimension_gets_the_name_of_the_one_size_it_equals(shape: str, expected: str) -> None:
    """What more than one size equals, and what none does, stays a number."""
    assert symbolic(shape, SIZES) == expected

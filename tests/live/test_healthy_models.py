"""Healthy models in unusual styles: a false alarm is as bad as a missed bug."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands import ROOT, check_json

HEALTHY = sorted((ROOT / "fixtures" / "healthy_models").glob("*.py"))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The examination of all healthy models in one run."""
    return check_json("fixtures/healthy_models")


@pytest.mark.parametrize("file", HEALTHY, ids=lambda file: file.stem)
def test_a_healthy_model_is_trainable_and_nothing_is_held_against_it(
    document: dict[str, Any], file: Any
) -> None:
    """Examined, trainable, no finding that counts."""
    models = [one for one in document["models"] if one["path"].endswith(file.name)]
    assert [one["verdict"] for one in models] == ["trainable"] * len(models)
    assert models
    assert not [
        one
        for one in document["findings"]
        if one["path"].endswith(file.name)
        and one["evidence"]["status"] != "refuted"
        and one["rule"] not in ("GD601", "GD706")  # usable all the same
    ]

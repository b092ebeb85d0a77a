"""The source of measuring functions can stand in a file of its own."""

from __future__ import annotations

import ast
import builtins

import pytest

from gptdoctor.catalog import all_defects
from gptdoctor.core.errors import CatalogError
from gptdoctor.defect import Defect
from gptdoctor.prove.carried import carried

PROVABLE = [defect for defect in all_defects() if defect.proof is not None]


@pytest.mark.parametrize("defect", PROVABLE, ids=lambda defect: defect.name)
def test_what_a_proof_measures_with_can_be_carried(defect: Defect) -> None:
    """Every name is defined before it is used at the top, and none is gptdoctor's."""
    assert defect.proof is not None
    luggage = carried(defect.proof.measures)
    text = "\n".join([*luggage.imports, *luggage.definitions])
    assert "gptdoctor" not in text
    defined = set(dir(builtins))
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert used <= defined


def test_what_is_not_there_cannot_be_carried() -> None:
    """A function that was renamed is found here, and not by a user."""
    with pytest.raises(CatalogError):
        carried(["probes.shapes:no_such_measure"])
    with pytest.raises(CatalogError):
        carried(["probes.no_such_probe:measure"])


def test_a_constant_comes_with_its_reason_and_before_its_user() -> None:
    """Comments that stand on a definition belong to it."""
    luggage = carried(["probes.learning:Adam", "probes.learning:_over"])
    text = "\n".join(luggage.definitions)
    assert text.index("# Twice what nine of ten need") < text.index("PATIENCE, LEAST_PROGRESS")
    assert text.index("PATIENCE, LEAST_PROGRESS") < text.index("def _over")
    assert text.count("PATIENCE, LEAST_PROGRESS =") == 1

"""Import statements: where they stand, and what guards them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from gptdoctor.source.imports import Guard, ImportSite, guarding, import_sites
from tests.source.projects import module_of, project_of

GUARDS = {
    "bare": (Guard.NONE, "import lost"),
    "in a with": (Guard.NONE, "with quiet():\n    import lost"),
    "for type checkers": (Guard.CONDITION, "if TYPE_CHECKING:\n    import lost"),
    "not for type checkers": (Guard.NONE, "if TYPE_CHECKING:\n    pass\nelse:\n    import lost"),
    "not for type checkers, negated": (Guard.NONE, "if not TYPE_CHECKING:\n    import lost"),
    "under if True": (Guard.NONE, "if True:\n    import lost"),
    "under a test": (Guard.CONDITION, "if has_lost():\n    import lost"),
    "for a version": (Guard.CONDITION, "if sys.version_info < (3, 11):\n    import lost"),
    "silenced": (Guard.SILENCED, "try:\n    import lost\nexcept ImportError:\n    lost = None"),
    "passed over": (Guard.SILENCED, "try:\n    import lost\nexcept Exception:\n    pass"),
    "a bare except": (Guard.SILENCED, "try:\n    import lost\nexcept:\n    ok = False"),
    "suppressed": (Guard.SILENCED, "with suppress(ImportError):\n    import lost"),
    "replaced": (Guard.HANDLED, "try:\n    import lost\nexcept ImportError:\n    lost = fake()"),
    "reraised": (
        Guard.HANDLED,
        "try:\n    import lost\nexcept ImportError:\n    raise RuntimeError from None",
    ),
    "one of several errors": (
        Guard.SILENCED,
        "try:\n    import lost\nexcept (OSError, ModuleNotFoundError):\n    pass",
    ),
    "another error": (Guard.NONE, "try:\n    import lost\nexcept OSError:\n    pass"),
    "in the else of a try": (
        Guard.NONE,
        "try:\n    x = 1\nexcept ImportError:\n    pass\nelse:\n    import lost",
    ),
    "behind an exit": (
        Guard.CONDITION,
        "def f():\n    if not ok():\n        return\n    import lost",
    ),
}


def only_site(text: str, root: Path) -> ImportSite:
    """The import of `lost`."""
    module = module_of(project_of(root, {"model.py": textwrap.dedent(text)}), "model.py")
    (site,) = import_sites(module)
    return site


@pytest.mark.parametrize(("kind", "text"), GUARDS.values(), ids=GUARDS)
def test_guards_are_told_apart(kind: Guard, text: str, tmp_path: Path) -> None:
    """By tests, handlers and exits around the import."""
    assert guarding(only_site(text, tmp_path)).kind is kind


def test_an_import_in_a_handler_stands_in_for_the_body(tmp_path: Path) -> None:
    """It runs only where the body fails."""
    site = only_site("try:\n    x()\nexcept ImportError:\n    import lost", tmp_path)
    assert len(site.stands_in_for) == 1
    assert not site.lazy


def test_imports_in_functions_are_lazy(tmp_path: Path) -> None:
    """At any depth."""
    site = only_site(
        "class A:\n    def f(self):\n        for _ in x:\n            import lost", tmp_path
    )
    assert site.lazy

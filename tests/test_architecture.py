"""The house rules that a machine can keep: who imports whom, sizes, names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gptdoctor"
LONGEST_FILE = 300  # lines; longer ones hold more than one idea
LONGEST_FUNCTION = 40

TEXT_SIDE = {"core", "config", "source", "defect", "defects", "catalog", "judge", "diagnose"}
# Which parts of ours a part may import, and which packages from outside. Longer names first:
# "worker.session" is its own part beside "worker.child".
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "core": (set(), set()),
    "config": ({"core"}, set()),
    "config_keys": ({"core"}, set()),
    "config_file": ({"core", "config", "config_keys"}, set()),
    "settings": ({"core", "config", "config_file", "catalog", "source"}, set()),
    "whole_files": ({"core"}, set()),
    "write_config": ({"core", "config", "config_file", "whole_files"}, {"tomlkit"}),
    # `.gitignore` files are read as git reads them.
    "source.ignore_patterns": (set(), {"pathspec"}),
    "source": ({"core", "config", "source.laid_out", "source.ignore_patterns"}, set()),
    "defect": ({"core", "source"}, set()),
    "defects": ({"core", "source", "defect"}, set()),
    "catalog": ({"core", "defect", "defects"}, set()),
    "judge": ({"core", "defect", "catalog"}, set()),
    "diagnose": ({"core", "config", "source", "defect", "catalog", "judge"}, set()),
    "told_models": ({"core", "config", "source"}, set()),
    "dispatch": ({"core", "source", "defect", "catalog"}, set()),
    "walk": ({"source", "defect", "dispatch"}, set()),
    "scan": ({"core", "source", "defect", "dispatch", "walk"}, set()),
    "scan_file": ({"core", "source", "diagnose", "scan", "specimen.discover"}, set()),
    "scan_files": ({"core", "source", "dispatch", "scan_file"}, set()),
    "static": ({"core", "source", "cache", "scan_files"}, set()),
    "remedies": ({"core", "source", "defect"}, {"libcst"}),
    "specimen.discover": ({"core", "source"}, set()),
    "specimen": ({"core", "source"}, {"torch"}),
    "probes": ({"core", "specimen"}, {"torch"}),
    "worker.codec": ({"core"}, set()),
    "worker.protocol": ({"core", "worker.codec"}, set()),
    "worker.session": ({"core", "worker"}, set()),
    # The parent's side alone may use psutil: the model's interpreter need not have it.
    "worker.capacity": (set(), {"psutil"}),
    "worker.spawned": ({"core", "worker"}, {"psutil"}),
    "worker": ({"core", "specimen", "probes", "worker"}, {"torch"}),
    "cache": ({"core", "config", "source", "worker.codec"}, {"diskcache", "platformdirs"}),
    "prepare": (
        {"core", "config", "source", "scan", "scan_file", "specimen.discover", "told_models"},
        set(),
    ),
    "weigh": (TEXT_SIDE | {"prepare", "told_models"}, set()),
    "baseline": ({"core", "config", "diagnose", "whole_files"}, set()),
    "changed": (TEXT_SIDE | {"scan_file"}, set()),
    "settling": (TEXT_SIDE | {"baseline", "changed"}, set()),
    "running": ({"core", "cache", "worker"}, set()),
    "checkup": (
        {"core", "config", "source", "diagnose", "prepare", "weigh", "running", "cache", "worker"}
        | {"static", "told_models", "settling"},
        set(),
    ),
    "repair": ({"core", "config", "source", "catalog", "checkup", "remedies"}, {"libcst"}),
    "prove": ({"core", "catalog", "defect", "source.laid_out"}, set()),
    "source.laid_out": (set(), set()),
    "report": ({"core", "config", "defect", "catalog", "diagnose", "source.laid_out"}, {"rich"}),
    # The Python API is reached from the package itself, and loaded only when it is called.
    "": ({"integrations"}, {"torch"}),
    "integrations": ({"*"}, {"torch", "rich", "psutil"}),
    "watching": ({"core"}, {"watchfiles"}),
    "cli": ({"*"}, {"typer"}),
    "__main__": ({"cli"}, set()),
}
STANDARD = frozenset(__import__("sys").stdlib_module_names)
SOURCES = sorted(PACKAGE.rglob("*.py"))


def dotted(file: Path) -> str:
    """The dotted name of a module of ours, without "gptdoctor."."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def part_of(name: str) -> str:
    """The longest part of the table that `name` belongs to."""
    fitting = [part for part in ALLOWED if name == part or name.startswith(f"{part}.")]
    return max(fitting, key=len) if fitting else name


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted modules that a tree imports; what only type checkers read does not count."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from (f"{base}.{alias.name}" for alias in node.names)
        yield from imports(node)


@pytest.mark.parametrize("file", SOURCES, ids=dotted)
def test_a_part_imports_only_what_the_table_allows(file: Path) -> None:
    """Data flows one way: each import is one that the table of the design permits."""
    part = part_of(dotted(file))
    ours, outside = ALLOWED.get(part, (set(), set()))
    for name in imports(ast.parse(file.read_text())):
        top, _, rest = name.partition(".")
        if top != "gptdoctor":
            assert top in STANDARD or top in outside, f"{part} imports {name}"
        elif rest and "*" not in ours:
            target = part_of(rest)
            allowed = target == part or target in ours or target.partition(".")[0] in ours
            assert allowed or rest == "__version__", f"{part} imports {name}"


@pytest.mark.parametrize("file", SOURCES, ids=dotted)
def test_files_and_functions_stay_small(file: Path) -> None:
    """A file is at most 300 lines and a function at most 40."""
    text = file.read_text()
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


def test_no_module_is_called_utils() -> None:
    """A module's name says what it knows."""
    vague = {"utils", "helpers", "common", "misc"}
    assert not [file for file in SOURCES if file.stem in vague]


def test_each_remedy_mends_a_defect_of_the_same_name() -> None:
    """One defect, one file of the same name in `defects/`, `remedies/` and `fixtures/`."""
    families = [path for path in (PACKAGE / "defects").iterdir() if path.is_dir()]
    defects = {
        f"{family.name}/{file.stem}"
        for family in families
        for file in family.glob("*.py")
        if file.stem != "__init__"
    }
    remedies = {
        f"{file.parent.name}/{file.stem}"
        for file in (PACKAGE / "remedies").glob("*/*.py")
        if file.stem != "__init__"
    }
    assert defects
    assert remedies <= defects
    for name in defects:
        assert (ROOT / "fixtures" / name / "sick.py").is_file(), name
        assert (ROOT / "fixtures" / name / "healthy.py").is_file(), name

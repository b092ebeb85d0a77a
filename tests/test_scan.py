"""The scan: it finds the same however it goes about it, and nothing that is written stops it."""

from __future__ import annotations

import ast
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, seed, settings

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Suspicion
from gptdoctor.defect import Defect, NamedIn, Visit, calls
from gptdoctor.dispatch import Dispatch
from gptdoctor.scan import TORCH_BYTES, scan_module
from gptdoctor.scan_file import scan_file
from gptdoctor.scan_files import LEAST_BYTES, Task, run, scan_files
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.walk import walk, ways_for
from tests.programs import programs

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
# A package with models of many kinds, as others write them.
TRANSFORMERS = ("bert", "llama", "t5", "mixtral", "whisper")
PROGRAMS = int(os.environ.get("GPTDOCTOR_PROGRAMS", "200"))  # generated in one test run

# One rule of each kind of trigger, for texts that no real rule would speak of.
AWKWARD = {
    "a null byte": b"import torch\nx = '\0'\n",
    "a null byte among code": b"import torch\0\n",
    "half a string": b"import torch\nx = '''abc\n",
    "no UTF-8": b"import torch\nx = '\xff\xfe'\n",
    "a wrong cookie": b"# coding: no-such-code\nimport torch\n",
    "Latin 1": "# coding: latin-1\nimport torch\nx = 'é'\n".encode("latin-1"),
    "a lone surrogate": b"import torch\nx = '\\ud800'\ny = torch.softmax(x)\n",
    "a byte order mark": b"\xef\xbb\xbfimport torch\n",
    "old line ends": b"import torch\r\rclass A(torch.nn.Module):\r    pass\r",
    "deep brackets": b"import torch\nx = " + b"[" * 5000 + b"]" * 5000 + b"\n",
    "a long sum": b"import torch\ndef f(x):\n    return " + b"+".join([b"x"] * 4000) + b"\n",
    "a long chain": b"import torch\ndef f(x):\n    return x" + b".view(1)" * 3000 + b"\n",
    "deep blocks": b"import torch\n"
    + b"".join(b" " * depth + b"if x:\n" for depth in range(90))
    + b" " * 90
    + b"torch.softmax(x)\n",
    "many elif": b"import torch\nif x:\n    pass\n" + b"elif x:\n    torch.cat([])\n" * 3000,
    "nothing but a tab": b"\t# torch\n",
    "an empty class": b"import torch\nclass A(torch.nn.Module): ...\n",
}


def project_of(root: Path) -> Project:
    """A project without installed packages."""
    return Project(root=root, search_paths=(root / "installed",))


def module_of(root: Path, text: str) -> tuple[Project, SourceModule]:
    """A text as a module of a project."""
    (root / "model.py").write_text(text)
    project = project_of(root)
    module = project.read(root / "model.py")
    assert isinstance(module, SourceModule)
    return project, module


def shown(suspicions: tuple[Suspicion, ...]) -> list[tuple[str, object]]:
    """What two scans are compared by."""
    return [(one.rule, one.location) for one in suspicions]


@pytest.mark.parametrize("data", AWKWARD.values(), ids=AWKWARD)
def test_what_no_rule_can_read_stops_nothing(tmp_path: Path, data: bytes) -> None:
    """A file is scanned or is an error with a place, and is no failure of ours."""
    (tmp_path / "model.py").write_bytes(data)
    found = scan_file(project_of(tmp_path), tmp_path / "model.py", named=True)
    assert not found.failed, found.errors


def test_a_file_that_vanishes_stops_nothing(tmp_path: Path) -> None:
    """Between the search for files and their reading anything may happen."""
    found = scan_file(project_of(tmp_path), tmp_path / "gone.py", named=True)
    assert [error.kind for error in found.errors] == ["read-error"]


def test_a_rule_that_fails_is_told_and_the_others_are_asked(tmp_path: Path) -> None:
    """A fault of ours is an error of that file with the rule's code, and never silence."""

    def fail(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
        raise ZeroDivisionError
        yield

    real = all_defects()
    broken = [_with(real[0], "GD998", fail), *real]
    text = "import torch\n\ndef f(x):\n    return torch.softmax(x)\n"
    project, module = module_of(tmp_path, text)
    scanned = scan_module(project, module, (), Dispatch(broken))
    assert [(one.rule, one.line) for one in scanned.failures] == [("GD998", 4)]
    whole = scan_module(project, module, (), Dispatch(real))
    assert shown(scanned.suspicions) == shown(whole.suspicions)


def _with(defect: Defect, code: str, judge: object) -> Defect:
    """A defect that asks for each softmax, and for what the module itself defines."""
    from dataclasses import replace

    own = NamedIn(ast.Call, lambda project, module: frozenset({"own"}))
    suspects = {calls("softmax"): judge, own: judge}
    return replace(defect, code=code, suspects=suspects)  # type: ignore[arg-type]


def test_a_visit_knows_its_place(tmp_path: Path) -> None:
    """Parents, function, class and symbol are made from the walk when they are asked for."""
    seen: list[Visit] = []

    def look(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
        seen.append(visit)
        yield from ()

    text = (
        "import torch\nclass A(torch.nn.Module):\n    def forward(self, x):\n"
        "        return [own(torch.softmax(y)) for y in x]\n"
    )
    project, module = module_of(tmp_path, text)
    scan_module(project, module, (), Dispatch([_with(all_defects()[0], "GD998", look)]))
    assert [visit.symbol for visit in seen] == ["A.forward"] * 2
    assert [visit.owner.name for visit in seen if visit.owner] == ["A"] * 2
    inner = max(seen, key=lambda visit: len(visit.parents))
    kinds = [type(one).__name__ for one in inner.parents]
    assert kinds == ["Module", "ClassDef", "FunctionDef", "Return", "ListComp", "Call"]


def test_the_walk_meets_every_call_in_every_position(tmp_path: Path) -> None:
    """Nothing that the walk passes by holds code that runs; annotations alone are left out."""
    files = [*FIXTURES.rglob("*.py"), *(ROOT / "gptdoctor").rglob("*.py")]
    wanted = (ast.Call, ast.Attribute, ast.Lambda, ast.For, ast.keyword, ast.comprehension)
    ways = ways_for(wanted)
    for file in files:
        tree = ast.parse(file.read_text())
        table = _all_of(wanted)
        met = {hit[0] for hit in walk(tree, table, ways)}
        assert met == {node for node in _without_types(tree) if isinstance(node, wanted)}


def _all_of(kinds: tuple[type[ast.AST], ...]) -> object:
    from gptdoctor.dispatch import Handler, Table

    handler = (Handler("GD998", lambda node, visit: iter(())),)
    return Table(kinds=dict.fromkeys(kinds, (handler, {})))


def _without_types(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations."""
    yield tree
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _without_types(child)


def test_no_filter_costs_a_finding_of_the_fixtures() -> None:
    """With the words of the rules out of the way the scan finds the same, in every file."""
    _same_unfiltered(sorted(FIXTURES.rglob("*.py")), ROOT)


def test_the_filter_of_files_passes_by_nothing() -> None:
    """Where no word of torch is, no rule has anything to say, asked or not."""
    library = Path(sysconfig.get_path("stdlib"))
    folders = [library / name for name in ("asyncio", "concurrent", "email", "unittest")]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    passed_by = [file for file in files if not TORCH_BYTES.search(file.read_bytes())]
    assert len(passed_by) > 50
    _same_unfiltered(passed_by, library)


def test_no_filter_costs_a_finding_of_others() -> None:
    """Nor in a package that nobody here wrote."""
    transformers = pytest.importorskip("transformers")
    folder = Path(transformers.__file__).parent / "models"
    files = [file for name in TRANSFORMERS for file in sorted((folder / name).glob("*.py"))]
    _same_unfiltered(files, folder.parents[1])


def _same_unfiltered(files: list[Path], root: Path) -> None:
    project = project_of(root)
    whole, plain = Dispatch(all_defects()), Dispatch(all_defects(), filtering=False)
    for file in files:
        module = project.read(file)
        if isinstance(module, SourceModule):
            filtered = scan_module(project, module, (), whole)
            assert shown(filtered.suspicions) == shown(
                scan_module(project, module, (), plain).suspicions
            ), file


def test_processes_find_what_one_finds(tmp_path: Path) -> None:
    """Cut into pieces and scanned side by side, a tree gives the same findings and notes."""
    sick = sorted(FIXTURES.glob("*/*/sick.py"))
    padding = "#" * (2 * LEAST_BYTES // len(sick))
    for number, file in enumerate(sick):
        folder = tmp_path / f"part{number % 7}"
        folder.mkdir(exist_ok=True)
        (folder / f"model{number}.py").write_text(file.read_text() + padding)
    (tmp_path / "pyproject.toml").write_text("")
    files = tuple(sorted(tmp_path.rglob("*.py")))
    alone = run(Task(root=tmp_path, search_paths=(), files=files, named=frozenset()))
    many = scan_files(tmp_path, (), files, frozenset(), processes=2)
    assert many.files == alone.files
    assert any(scan.findings for scan in many.files.values())


# The same programs each time; another number gives others, for a benchmark's many processes.
@seed(int(os.environ.get("GPTDOCTOR_PROGRAMS_SEED", "0")))
@settings(
    max_examples=PROGRAMS, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
@given(programs())
# An argument of a function around the one that turns it.
@example(
    "import torch\ndef forward(self, x):\n    def inner(self, y):\n        return x.T + logits\n"
)
# A lambda has arguments, and they are no list.
@example(
    "import torch\nfrom torch import nn\nclass Model(nn.Module):\n    def forward(self, x):\n"
    "        return (lambda x, *a, k=x: x)\n"
)
def test_no_program_makes_a_rule_fail(program: str) -> None:
    """Whatever is written where a rule looks, no handler raises, filtered or not."""
    module = _in_memory(program)
    project = Project(root=Path("/nowhere"))
    found = scan_module(project, module, ("Model",), _WHOLE)
    assert not found.failures, found.failures[0].error
    assert shown(found.suspicions) == shown(
        scan_module(project, module, ("Model",), _PLAIN).suspicions
    )


_WHOLE, _PLAIN = Dispatch(all_defects()), Dispatch(all_defects(), filtering=False)


def _in_memory(text: str) -> SourceModule:
    file = Path("/nowhere/model.py")
    return SourceModule(path="model.py", file=file, dotted="model", text=text, tree=ast.parse(text))

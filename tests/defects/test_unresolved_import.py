"""GD501, unresolved-import: which imports are reported, and what measurements say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.findings import Conviction, Status, Suspicion
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.import_dependencies import ImportDependencies, ImportFailure
from gptdoctor.core.measurements.record import Measured, ModelRecord
from gptdoctor.defects.imports.unresolved_import import DEFECT
from gptdoctor.scan import ModelNames, scan
from gptdoctor.source.dependencies import declared_distribution
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from tests.defects.marks import marked, plain
from tests.defects.records import NO_RECORD
from tests.defects.scanning import scan_files

MODEL = """
class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.part = Part(dim)
"""

# Packages that are installed where the models run, and the files beside the model.
AROUND = {
    "installed/torch/__init__.py": "",
    "installed/torch/nn/__init__.py": "from torch.nn.modules import *\n",
    "installed/torch/nn/modules/__init__.py": "class Linear: ...\nclass Module: ...\n",
    "installed/lazy/__init__.py": "def __getattr__(name):\n    return load(name)\n",
    "beside.py": """\
from __future__ import annotations
import math
try:
    FLAG = True
except Exception:
    OTHER = 1
if math.pi > 3:
    def chosen(): ...
for turn in range(3):
    pass
with open("x") as handle:
    first, *rest = handle
annotated: int
assigned: int = 1
class Part: ...
def make():
    global made_later
""",
    "old_names.py": """\
def __getattr__(name):
    if name == "Old":
        return 1
    raise AttributeError(name)
""",
    "starred.py": "from beside import *\n",
    "dark.py": "from lost_package import *\n",
    "mapped.py": "globals().update(Part=int)\n",
    "replaced.py": "import sys\nsys.modules[__name__] = object()\n",
    "package/__init__.py": "from .inner import Part\n",
    "package/inner.py": "class Part: ...\n",
    "loose/inner.py": "class Part: ...\n",
}

REPORTED = {
    "a package that is nowhere": "from lost_package.blocks import Part  # here",
    "a plain import": "import lost_package.blocks as blocks  # here",
    "a module that is missing beside": "from .lost import Part  # here",
    "a module missing in a package": "from package.lost import Part  # here",
    "a name missing in a module": "from beside import Party as Part  # here",
    "a name missing in a package": "from package import Party  # here",
    "a name missing through a star": "from starred import Party  # here",
    "a name missing in a folder": "from .loose import Part  # here",
    "a name that is only annotated": "from beside import annotated  # here",
    "a name that __getattr__ does not know": "from old_names import New  # here",
    "a name missing in an installed package": "from torch.nn import Party  # here",
    "a module missing in an installed package": "from torch.nn.lost import Part  # here",
    "too many dots": "from ..beside import Part  # here",
    "the branch that is not for type checkers": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            Part = None
        else:
            from lost_package import Part  # here
    """,
    "a try that catches something else": """
        try:
            from lost_package import Part  # here
        except OSError:
            Part = None
    """,
    "a guard that is not asked": """
        try:
            from lost_package import Part  # here
        except ImportError:
            Part = None
    """,
    "a guard that passes": """
        try:
            from lost_package import Part  # here
        except (ImportError, AttributeError):
            pass
    """,
    "suppressed and used": """
        import contextlib
        with contextlib.suppress(ImportError):
            from lost_package import Part  # here
    """,
    "derived from what is None": """
        try:
            from lost_package import Base  # here
        except ImportError:
            Base = None

        class Part(Base):
            pass
    """,
    "both places are missing": """
        try:
            from lost_package import Part
        except ImportError:
            from other_lost_package import Part  # here
    """,
}

LEFT_ALONE = {
    "a file beside": "from beside import Part, FLAG, OTHER, chosen, turn, first, rest, assigned",
    "a name declared global": "from beside import made_later, Part",
    "a relative sibling": "from .beside import Part",
    "a package and its module": "from package import inner, Part\nimport package.inner",
    "a folder without __init__": "from loose.inner import Part",
    "through a star": "from starred import Part",
    "a star from elsewhere may bring it": "from dark import Part",
    "globals may hold it": "from mapped import Part",
    "the module may be replaced": "from replaced import Part",
    "a name that __getattr__ knows": "from old_names import Old as Part",
    "a lazy package": "from lazy import Part",
    "installed names": "from torch.nn import Linear as Part",
    "the standard library": "import os.path\nfrom functools import partial as Part",
    "for type checkers": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from lost_package import Part
    """,
    "behind a test": """
        if is_lost_package_available():
            from lost_package import Part
    """,
    "a fallback of the same name": """
        try:
            from lost_package import Part
        except ImportError:
            class Part:
                pass
    """,
    "a fallback from elsewhere": """
        try:
            from lost_package import Part
        except ImportError:
            from beside import Part
    """,
    "an error in its own words": """
        try:
            from lost_package import Part
        except ImportError as error:
            raise ImportError("pip install lost-package") from error
    """,
    "paths that the file changes": """
        import sys
        sys.path.append("..")
        from lost_package import Part
    """,
}

GUARDED = """
        try:
            from lost_package import Part
            FOUND = True
        except ImportError:
            {}
            FOUND = False
        {}
"""

ASKED = {
    "a test on the name": (
        "Part = None",
        "def make(dim):\n            return Part(dim) if Part is not None else None",
    ),
    "a test on the flag": (
        "pass",
        "def make(dim):\n            if not FOUND:\n                return None\n"
        "            return Part(dim)",
    ),
    "an exit before": (
        "Part = None",
        "def make(dim, slow):\n            if slow:\n                return None\n"
        "            return Part(dim)",
    ),
    "a definition that a test chooses": (
        "Part = None",
        "def fast(dim):\n            return Part(dim)\n\n        make = fast if FOUND else None",
    ),
    "a table to choose from": (
        "Part = None",
        'def fast(dim):\n            return Part(dim)\n\n        KINDS = {"fast": fast}',
    ),
    "bound again": ("Part = None", "if Part is None:\n            Part = object"),
    "never used": ("Part = None", ""),
}


def findings(body: str, extra: dict[str, str] | None = None, tail: str = MODEL) -> list[int]:
    """The lines of GD501 in a model's file that starts with `body`."""
    text = f"from torch import nn\n{plain(body)}{tail}"
    found = scan_files({"model.py": text, **AROUND, **(extra or {})})
    return [line for rule, line in found if rule == "GD501"]


@pytest.mark.parametrize("body", REPORTED.values(), ids=REPORTED)
def test_an_import_that_finds_nothing_is_reported(body: str) -> None:
    """Modules, names and packages, in the project and among what is installed."""
    assert findings(body) == [line + 1 for line in marked(plain(body))]


@pytest.mark.parametrize("body", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_imports_that_may_work_are_left_alone(body: str) -> None:
    """What is found, what is guarded, and what the text cannot tell."""
    assert findings(body) == []


@pytest.mark.parametrize(("handler", "use"), ASKED.values(), ids=ASKED)
def test_a_guard_that_is_asked_is_left_alone(handler: str, use: str) -> None:
    """A name that may be None is no defect where the code looks before it uses it."""
    assert (
        findings(GUARDED.format(handler, use), tail="\n\nclass Net(nn.Module):\n    pass\n") == []
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[project]\ndependencies = ["Lost.Package[fast]>=2"]\n'),
        ("requirements-dev.txt", "# tools\nlost-package==1.0 ; python_version > '3'\n"),
        ("setup.cfg", "[options]\ninstall_requires =\n    lost_package\n"),
        ("setup.py", "from setuptools import setup\nsetup(install_requires=['lost-package'])\n"),
        ("environment.yml", "dependencies:\n  - pip:\n    - lost-package=1.0\n"),
    ],
    ids=lambda value: value if "." in value[:20] else "",
)
def test_a_declared_package_is_no_defect(name: str, text: str, tmp_path: Path) -> None:
    """That it is not installed is a note; nothing is suspected."""
    (tmp_path / name).write_text(text)
    (tmp_path / "installed/torch").mkdir(parents=True)
    (tmp_path / "installed/torch/__init__.py").write_text("from . import nn")
    (tmp_path / "installed/torch/nn.py").touch()
    project, module, found = scanned(tmp_path, "from lost_package import Part")
    assert found == []
    assert declared_distribution(project, module, "lost_package") == "lost-package"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["torch", "absent-vision>=1"], []),
        (["torch"], ["GD501"]),
        (["torch", "absent-vision ; sys_platform == 'win32'"], ["GD501"]),
        ([], ["GD501"]),
    ],
    ids=["another is missing, too", "all is there", "missing elsewhere", "nothing is required"],
)
def test_what_may_come_with_a_missing_package_is_no_defect(
    lines: list[str], found: list[str], tmp_path: Path
) -> None:
    """Where the environment is not the project's, an undeclared package may be a guest of one."""
    (tmp_path / "pyproject.toml").write_text(f"[project]\ndependencies = {lines!r}\n")
    (tmp_path / "installed/torch").mkdir(parents=True)
    (tmp_path / "installed/torch-2.4.dist-info").mkdir()
    (tmp_path / "installed/torch/__init__.py").write_text("from . import nn")
    (tmp_path / "installed/torch/nn.py").touch()
    _, _, suspicions = scanned(tmp_path, "from guest import Part")
    assert [one.rule for one in suspicions] == found


def scanned(root: Path, body: str) -> tuple[Project, SourceModule, list[Suspicion]]:
    """A project whose model starts with `body`, and what is suspected there."""
    (root / "model.py").write_text(f"from torch import nn\n{body}\n{MODEL}")
    project = Project(root=root, search_paths=(root / "installed",))
    module = project.read(root / "model.py")
    assert isinstance(module, SourceModule)
    return project, module, list(scan(project, [module], ModelNames(by_path={})))


def test_without_an_interpreter_only_the_project_is_judged() -> None:
    """Search paths without torch are not where the models run."""
    text = f"from torch import nn\nfrom lost_package import Part\nfrom .lost import It\n{MODEL}"
    assert [line for rule, line in scan_files({"model.py": text}) if rule == "GD501"] == [3]


def test_files_far_from_any_network_are_left_alone() -> None:
    """A tool beside the models may lack what it likes, but not a file that a model imports."""
    tool = "import torch\nfrom lost_package import plot\n"
    assert findings("from beside import Part", {"tool.py": tool}) == []
    assert findings("from tool import plot", {"tool.py": tool}) == [2]


SCRIPT = """
net = nn.Linear(3, 4)
net(0).sum().backward()
"""


def test_scripts_that_build_or_train_a_network_are_judged() -> None:
    """For names and modules that are not there; packages are for their user to install."""
    assert findings("from torch.nn import Missing\n", tail=SCRIPT) == [2]
    assert findings("from torch.nn import Linear\n", tail=SCRIPT) == []
    assert findings("import elsewhere\n", tail=SCRIPT) == []
    assert findings("from torch.nn import Missing\n", tail="print(Missing)\n") == []


def test_lazy_imports_count_where_the_model_runs_them() -> None:
    """In the constructor and what it calls; loading another project's weights is a choice."""
    tail = """

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.build()

    def build(self):
        from lost_package import Part

        self.part = Part()

    @classmethod
    def from_pretrained(cls, name):
        from another_lost_package import load

        return load(name)
"""
    assert findings("import math", tail=tail) == [11]


def test_the_details_tell_where_the_name_is(tmp_path: Path) -> None:
    """A module of the project that defines the name itself is named."""
    (tmp_path / "vein.py").write_text("class Projector:\n    pass\n")
    (tmp_path / "users.py").write_text("from vein import Projector\n")
    _, _, (found,) = scanned(tmp_path, "from .blocks import Projector as Part")
    assert found.details == {
        "module": "blocks",
        "name": "Projector",
        "names": ("Projector",),
        "lack": "module",
        "defined_in": "vein.py",
    }


def failure(*, guarded: bool = False, needed: bool = True) -> ImportFailure:
    """A failed import of a name."""
    return ImportFailure(
        path="model.py",
        line=3,
        module="lost.blocks",
        name="Part",
        guarded=guarded,
        needed=needed,
        error="ModuleNotFoundError: No module named 'lost'",
    )


def convictions(*failures: ImportFailure, crash: Crash | None = None) -> list[Conviction]:
    """What is read in the failures of one file."""
    built = Construction(
        outcome="crashed" if crash else "built",
        build="",
        call="",
        entry="forward",
        parameters=0,
        vocabulary=0,
        batch=0,
        length=0,
        inputs=(),
        optional_inputs=(),
        returns="",
        crash=crash,
        tried=(),
    )
    record = ModelRecord(
        target=NO_RECORD.target,
        measured=(Measured(probe="construction", measurement=built),),
        unmeasured=(),
        ending=NO_RECORD.ending,
        output="",
        seconds=0.0,
        torch=None,
        python="3.11",
    )
    measurement = ImportDependencies(imported=True, failures=failures, seconds=0.1)
    return list(DEFECT.convicts["import-dependencies"](measurement, record))


def test_an_unguarded_failure_confirms() -> None:
    """At the line of the import, with the error's own words."""
    (found,) = convictions(failure())
    assert found.status is Status.CONFIRMED
    assert found.place is not None
    assert (found.place.path, found.place.symbol, found.place.line) == ("model.py", "", 3)
    assert found.values["module"] == "lost.blocks"


def test_a_guarded_failure_refutes() -> None:
    """The code deals with it."""
    (found,) = convictions(failure(guarded=True))
    assert found.status is Status.REFUTED


def test_a_guarded_failure_that_breaks_the_construction_confirms() -> None:
    """None was put in its place, and then called; another None is another matter."""
    called, other = (
        Crash(
            stage="construction",
            kind="TypeError",
            message="'NoneType' object is not callable",
            statement=statement,
        )
        for statement in ("self.part = Part(dim)", "self.rest = build(dim)")
    )
    (found,) = convictions(failure(guarded=True), crash=called)
    assert found.status is Status.CONFIRMED
    (found,) = convictions(failure(guarded=True), crash=other)
    assert found.status is Status.REFUTED


def test_a_file_that_imports_refutes() -> None:
    """For all code that ran."""
    (found,) = convictions()
    assert (found.status, found.place) == (Status.REFUTED, None)

"""Installed packages that several models share: imported once, and seen only by their users."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.worker.interpreter import choose_python
from gptdoctor.worker.preloading import Preloading
from gptdoctor.worker.session import Session
from tests.worker.conftest import HEALTHY, request_for, write
from tests.worker.test_hostile import built

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

SHARED = """\
import os, pathlib, helper_of_shared
with open(pathlib.Path(__file__).with_name("imported.txt"), "a") as file:
    file.write("x")
OFFERED = helper_of_shared.NAME
"""
SEES = "import sys\nprint('shared' in sys.modules)\n"
USES = SEES + "import shared\n"
CLASHES = USES + "import helper_of_shared\nprint(helper_of_shared.NAME, shared.OFFERED)\n"
FILES = {
    "one.py": USES,
    "two.py": USES,
    "clash/three.py": CLASHES,
    "none.py": SEES,
    "deadly_one.py": "import deadly\n",
    "deadly_two.py": "import deadly\n",
}
IMPORTS = {"none.py": (), "deadly_one.py": ("deadly",), "deadly_two.py": ("deadly",)}


def asking(root: Path, name: str, *imports: str) -> ExamineRequest:
    """A request for a file that is known to import something."""
    request = request_for(root, name)
    return replace(request, target=replace(request.target, imports=imports))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that are not the project's."""
    folder = tmp_path_factory.mktemp("installed").resolve()
    deadly = "import os\nif not os.path.exists('deadly_one.py'): os.abort()\n"
    write(
        folder,
        {"shared.py": SHARED, "helper_of_shared.py": "NAME = 'installed'\n", "deadly.py": deadly},
    )
    return folder


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> dict[str, ModelRecord]:
    """The record of each file, all examined in one session."""
    root = tmp_path_factory.mktemp("project").resolve()
    write(root, {name: text + HEALTHY for name, text in FILES.items()})
    write(root, {"clash/helper_of_shared.py": "NAME = 'own'\n"})
    requests = [asking(root, name, *IMPORTS.get(name, ("shared",))) for name in FILES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPTDOCTOR_WORKER", "fork")
        patch.setenv("PYTHONPATH", str(installed))
        with Session(choose_python(None, str(root)), str(root)) as session:
            return dict(zip(FILES, session.examine(requests), strict=True))


def test_all_models_are_examined_in_order(records: dict[str, ModelRecord]) -> None:
    """Whatever the order in which they ran, each record is told in its turn, and is whole."""
    assert [record.target.path for record in records.values()] == list(FILES)
    assert all(built(record) for record in records.values())


def test_a_shared_package_is_imported_once(
    records: dict[str, ModelRecord], installed: Path
) -> None:
    """The children find it loaded."""
    assert records["one.py"].output == "True\n"
    assert records["two.py"].output == "True\n"
    assert (installed / "imported.txt").read_text() == "x"


def test_others_do_not_see_it(records: dict[str, ModelRecord]) -> None:
    """A model whose files do not import the package runs where it is not loaded."""
    assert records["none.py"].output == "False\n"


def test_a_module_of_the_users_is_not_hidden(records: dict[str, ModelRecord]) -> None:
    """A file that imports its neighbour gets it, also where a package has one of that name."""
    assert records["clash/three.py"].output == "True\nown installed\n"


def test_a_package_that_dies_ahead_is_imported_by_the_children(
    records: dict[str, ModelRecord],
) -> None:
    """An import that ends the process is tried again where it belongs."""
    assert records["deadly_one.py"].ending.kind == "finished"


def expecting(*asked: tuple[str, tuple[str, ...]]) -> Preloading:
    """What is known after these files with their imports were announced."""
    preloading = Preloading()
    preloading.expect([asking(Path("/p"), name, *imports) for name, imports in asked])
    return preloading


def test_only_what_several_files_import_is_loaded_ahead() -> None:
    """One file's import is its own affair, and so is one that did harm."""
    preloading = expecting(("a.py", ("x", "x.y", "torch.fft")), ("b.py", ("x", "x.z", "torch.fft")))
    assert preloading.modules_of(frozenset({"x"})) == ("x", "torch.fft")
    preloading.forbid(["x"])
    assert preloading.modules_of(frozenset({"x"})) == ("torch.fft",)


def test_nothing_is_loaded_that_a_file_does_not_import() -> None:
    """Packages are shared by the files that import all of them; torch is always there."""
    preloading = expecting(*[(f"{name}.py", ("x",)) for name in "ab"], ("c.py", ("x", "y")))
    root = Path("/p")
    assert preloading.packages_for(asking(root, "c.py", "x", "y")) == {"x"}
    assert preloading.packages_for(asking(root, "d.py", "y")) == frozenset()
    assert preloading.packages_for(asking(root, "e.py", "torch")) == frozenset()
    devices = replace(asking(root, "a.py", "x"), devices=True)
    assert preloading.packages_for(devices) == frozenset()
    patched = replace(asking(root, "x/a.py", "x"), overlay={"x/a.py": ""})
    assert preloading.packages_for(patched) == frozenset()


def test_a_second_examination_of_the_same_file_shares_with_the_first() -> None:
    """Repairs are proven by examining one model again and again."""
    preloading = expecting(("a.py", ("x",)))
    assert preloading.packages_for(asking(Path("/p"), "a.py", "x")) == frozenset()
    preloading.expect([asking(Path("/p"), "a.py", "x")])
    assert preloading.packages_for(asking(Path("/p"), "a.py", "x")) == {"x"}


def test_a_file_that_is_examined_is_not_loaded_ahead() -> None:
    """The user's own code runs in its own child alone."""
    preloading = expecting(("x/a.py", ("x.b", "x.c")), ("x/b.py", ("x.b", "x.c")))
    assert preloading.modules_of(frozenset({"x"})) == ("x.c",)

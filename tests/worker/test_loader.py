"""What importing the user's file does."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.specimen.load import Loaded, load_module
from tests.worker.conftest import request_for, write

Load = Callable[..., Loaded]


@pytest.fixture
def load(tmp_path: Path, same_process: None) -> Load:
    """Writes files and imports the first one."""

    def load(files: Mapping[str, str], overlay: Mapping[str, str] | None = None) -> Loaded:
        write(tmp_path, files)
        return load_module(request_for(tmp_path, next(iter(files)), overlay=overlay or {}))

    return load


def construction(outcome: str, crash: Crash | None = None) -> Construction:
    """What building the model came to."""
    return Construction(
        outcome=outcome,
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


def facts(loaded: Loaded) -> list[tuple[str, int, str, str | None, bool, bool]]:
    """The failures, without their errors."""
    return [
        (each.path, each.line, each.module, each.name, each.guarded, each.needed)
        for each in loaded.dependencies().failures
    ]


def test_a_script_sees_its_own_siblings(load: Load) -> None:
    """A script's folder comes first on the search path, and it is never `__main__`."""
    loaded = load(
        {
            "sub/model.py": "import layers\nNAME = __name__\nif NAME == '__main__': 1 / 0\n",
            "sub/layers.py": "X = 1\n",
            "layers.py": "X = 2\n",
        }
    )
    assert loaded.module is not None
    assert loaded.module.NAME == "model"
    assert loaded.module.layers.X == 1
    assert loaded.dependencies().failures == ()


def test_a_package_is_imported_under_its_full_name(load: Load, tmp_path: Path) -> None:
    """The folders with `__init__.py` above a file make its name, and theirs is run first."""
    loaded = load(
        {
            "src/pkg/sub/model.py": "from ..base import X\nfrom pkg.base import X as Y\n",
            "src/pkg/base.py": "X = object()\n",
            "src/pkg/__init__.py": "LOADED = True\n",
            "src/pkg/sub/__init__.py": "from .model import X\n",
        }
    )
    assert loaded.module is not None
    assert loaded.module.__name__ == "pkg.sub.model"
    assert str(tmp_path / "src/pkg/sub/model.py") == loaded.module.__file__
    assert loaded.module.X is loaded.module.Y
    assert sys.modules["pkg"].sub.model is loaded.module


def test_a_model_in_a_package_file_itself(load: Load) -> None:
    """The target may be an `__init__.py`."""
    loaded = load({"pkg/__init__.py": "from .part import X\n", "pkg/part.py": "X = 3\n"})
    assert loaded.module is not None
    assert (loaded.module.__name__, loaded.module.X) == ("pkg", 3)


@pytest.mark.parametrize("path", ["nets/gpt/model.py", "model.py"], ids=["below", "in-root"])
def test_relative_imports_without_init_files(load: Load, path: str) -> None:
    """Folders serve as packages where relative imports need them."""
    folder = Path(path).parent
    loaded = load({path: "from .layers import X\n", str(folder / "layers.py"): "X = 4\n"})
    assert loaded.module is not None
    assert loaded.module.X == 4
    assert facts(loaded) == []


@pytest.mark.parametrize("stem", ["json", "test", "statistics", "gpt-4o", "v1.5"])
def test_a_name_that_python_uses_or_cannot_spell(load: Load, stem: str) -> None:
    """A script may be named as a module of Python's, which stays in its place."""
    import json

    loaded = load({f"{stem}.py": "import json\nOWN = json\n"})
    assert loaded.module is not None
    assert json is loaded.module.OWN
    assert json is sys.modules["json"]


def test_a_package_with_a_name_that_python_uses(load: Load) -> None:
    """Relative imports work in it under the safe name that it gets."""
    loaded = load(
        {
            "json/model.py": "from .part import X\n",
            "json/part.py": "X = 5\n",
            "json/__init__.py": "",
        }
    )
    assert loaded.module is not None
    assert loaded.module.__name__ == "examined_json.model"
    assert loaded.module.X == 5


def test_a_package_whose_files_import_their_siblings_as_scripts_do(load: Load) -> None:
    """The folder of the file itself comes last on the search path, and helps them out."""
    loaded = load(
        {
            "nets/model.py": "from layers import X\n",
            "nets/layers.py": "X = 6\n",
            "nets/__init__.py": "",
        }
    )
    assert loaded.module is not None
    assert loaded.module.X == 6
    assert facts(loaded) == []


def test_modules_run_anew_for_each_attempt(load: Load) -> None:
    """The user's modules of a failed attempt are dropped; others keep their state."""
    loaded = load(
        {
            "pkg/model.py": "from . import state\nstate.COUNT += 1\nimport gone_a\nimport gone_b\n",
            "pkg/state.py": "COUNT = 0\n",
            "pkg/__init__.py": "",
        }
    )
    assert loaded.module is not None
    assert loaded.module.state.COUNT == 1
    assert len(facts(loaded)) == 2


def test_what_a_package_lacks_is_named_by_the_package(load: Load) -> None:
    """`from . import x` names the package, `from .x import y` the module that is missing."""
    loaded = load(
        {
            "pkg/model.py": "from . import gone\nfrom .absent import y\nfrom .lazy import z\n",
            "pkg/lazy.py": "def __getattr__(name):\n"
            "    raise (ImportError if name == 'z' else AttributeError)(name)\n",
            "pkg/__init__.py": "",
        }
    )
    assert loaded.module is not None
    assert facts(loaded) == [
        ("pkg/model.py", 1, "pkg", "gone", False, False),
        ("pkg/model.py", 2, "pkg.absent", None, False, False),
        ("pkg/model.py", 3, "pkg.lazy", "z", False, False),
    ]


def test_a_sibling_with_the_name_of_a_loaded_module_replaces_nothing(load: Load) -> None:
    """Modules that are loaded already stay what they are, whatever lies beside the script."""
    loaded = load({"model.py": "import inspect\nOWN = inspect\n", "inspect.py": "raise OSError\n"})
    assert loaded.module is not None
    assert inspect is loaded.module.OWN


def test_a_guarded_import_is_left_to_the_users_fallback(load: Load) -> None:
    """The user's own handler runs, and the failure is told as guarded and not needed."""
    loaded = load(
        {
            "model.py": "try:\n    from no_such.pkg import fast\n"
            "except ImportError:\n    fast = None\n"
        }
    )
    assert loaded.module is not None
    assert loaded.module.fast is None
    assert facts(loaded) == [("model.py", 2, "no_such.pkg", None, True, False)]
    assert "No module named 'no_such'" in loaded.dependencies().failures[0].error


def test_a_missing_name_is_told_with_its_module_and_line(load: Load) -> None:
    """A name that a sibling lacks gets a stand-in; what is there comes through unchanged."""
    loaded = load(
        {
            "pkg/model.py": "from .blocks import (\n  Block,\n  Gone,\n)\nclass M(Block): ...\n",
            "pkg/blocks.py": "class Block: ...\n",
            "pkg/__init__.py": "from .model import M\n",
        }
    )
    assert loaded.module is not None
    assert facts(loaded) == [("pkg/model.py", 1, "pkg.blocks", "Gone", False, False)]
    assert loaded.module.Block is sys.modules["pkg.blocks"].Block
    assert not hasattr(sys.modules["pkg.blocks"], "Gone")


def test_every_unresolved_import_is_told(load: Load) -> None:
    """Failures in several files and statements are all found, each once."""
    loaded = load(
        {
            "model.py": "import gone_a\nimport part\nfrom part import Y, Z\n",
            "part.py": "import gone_b.deep\nfrom os import no_such_name\n",
        }
    )
    assert loaded.module is not None
    assert {
        ("model.py", 1, "gone_a", None, False, False),
        ("part.py", 1, "gone_b.deep", None, False, False),
        ("part.py", 2, "os", "no_such_name", False, False),
        ("model.py", 3, "part", "Y", False, False),
        ("model.py", 3, "part", "Z", False, False),
    } == set(facts(loaded))


USES_THAT_DO_NOT_NEED_IT = """\
from __future__ import annotations
import copy, typing
import gone.deep as deep
import gone.deep
import os.gone
from gone import A, B
Alias = A | None
Other = None | A
Shape = A["b t", int]
Maybe = typing.Optional[A]
def f(x: A, y: gone.deep.B) -> A[int]: ...
class M:
    kind: A = A
    other: A.B = copy.deepcopy(B)
MAP = {A: 1, "b": deep.C}
HERE = os.path.join("a", "b")
FLAG = isinstance(3, A) or A is None or A == 3
"""


def test_binding_and_annotating_do_not_need_what_is_missing(load: Load) -> None:
    """A stand-in can be bound, subscripted, joined with `|`, copied and tested by identity."""
    loaded = load({"model.py": USES_THAT_DO_NOT_NEED_IT})
    assert loaded.crash is None
    assert loaded.module is not None
    assert not loaded.module.FLAG
    assert {("gone.deep", False), ("os.gone", False), ("gone", False)} == {
        (each.module, each.needed) for each in loaded.dependencies().failures
    }


USES = [
    "class M(A): ...",
    "A()",
    "for _ in A.b: ...",
    "A.__version__ > '2'",
    "if A.FLAG: ...",
    "A.SIZE * 2",
    "2 ** A.SIZE",
    "with A: ...",
    "B, C = A",
    "range(A.N)",
]


@pytest.mark.parametrize("use", USES)
def test_using_what_is_missing_says_that_it_is_needed(load: Load, use: str) -> None:
    """A class of the model's that calls, subclasses or computes with a stand-in is a crash."""
    loaded = load({"model.py": f"from gone.mod import A\nclass Tiny:\n    {use}\n"})
    assert loaded.module is None
    assert loaded.crash is not None
    assert (
        loaded.crash.stage,
        loaded.crash.kind,
        loaded.crash.path,
        loaded.crash.line,
    ) == ("import", "MissingError", "model.py", 3)
    assert "line 1 of model.py failed with ModuleNotFoundError" in loaded.crash.message
    assert facts(loaded) == [("model.py", 1, "gone.mod", None, False, True)]
    assert not loaded.dependencies().imported


@pytest.mark.parametrize("use", USES)
def test_what_the_model_does_without_is_set_aside(load: Load, use: str) -> None:
    """The same at the top level costs the model nothing, and is told."""
    loaded = load({"model.py": f"from gone.mod import A\n{use}\nclass Tiny: ...\n"})
    assert loaded.crash is None
    assert facts(loaded) == [("model.py", 1, "gone.mod", None, False, False)]


def test_what_a_set_aside_statement_would_have_made_is_a_stand_in_too(load: Load) -> None:
    """Through any number of names the import is to blame where the model needs it after all."""
    text = "from gone import A\nB = A()\nclass C(B): ...\nclass Tiny:\n    def run(self): C()\n"
    loaded = load({"model.py": text})
    assert loaded.module is not None
    assert not loaded.dependencies().failures[0].needed
    with pytest.raises(ImportError, match=r"line 1 of model\.py"):
        loaded.module.Tiny().run()
    assert loaded.dependencies(construction("crashed")).failures[0].needed


def test_the_models_own_base_is_needed(load: Load) -> None:
    """A model that descends from what is missing cannot be made: at the line of its class."""
    loaded = load({"model.py": "from gone import A\nclass Part(A): ...\nclass Tiny(Part): ...\n"})
    assert loaded.module is None
    assert loaded.crash is not None
    assert (loaded.crash.kind, loaded.crash.line) == ("MissingError", 3)
    assert facts(loaded) == [("model.py", 1, "gone", None, False, True)]


DECORATED = """\
from gone import register, checked, HubMixin
class Base: ...
@register("tiny")
class Tiny(Base, HubMixin, repo="x"):
    @checked
    def size(self): return 3
    @property
    def twice(self): return 2 * self.size()
@checked
def helper(): return 4
"""


def test_missing_decorators_and_mixins_are_done_without(load: Load) -> None:
    """What they decorate stays as it is; if the model then fails, they are to blame."""
    loaded = load({"model.py": DECORATED})
    assert loaded.module is not None
    assert loaded.module.Tiny().twice == 6
    assert loaded.module.helper() == 4
    assert not loaded.dependencies(construction("built")).failures[0].needed
    crash = Crash(stage="construction", kind="TypeError", message="", path="model.py", line=8)
    assert loaded.dependencies(construction("crashed", crash)).failures[0].needed


def test_no_function_stands_for_a_kernel(load: Load) -> None:
    """What a missing compiler of kernels would have made says so when it is launched."""
    text = "import tilelang\n@tilelang.jit\ndef kernel(x): ...\nclass Tiny: ...\n"
    loaded = load({"model.py": text})
    assert loaded.module is not None
    with pytest.raises(ImportError, match="kernel is needed here"):
        loaded.module.kernel[(1,)](3)


def test_need_is_learned_when_the_model_is_built(load: Load) -> None:
    """A stand-in called in a constructor is needed, unless the model was built after all."""
    loaded = load(
        {"model.py": "from gone import Block\nclass M:\n    def __init__(self): Block(3)\n"}
    )
    assert loaded.module is not None
    assert not loaded.dependencies().failures[0].needed
    with pytest.raises(ImportError, match=r"gone\.Block is needed here|gone is needed here"):
        loaded.module.M()
    assert loaded.dependencies(construction("crashed")).failures[0].needed
    assert not loaded.dependencies(construction("built")).failures[0].needed


def test_an_import_inside_a_function_is_judged_by_the_crash(load: Load) -> None:
    """A late import that ends the construction is unguarded and needed; a caught one is not."""
    loaded = load(
        {
            "model.py": "def a():\n    import gone_a\n"
            "def b():\n    try: import gone_b\n    except ImportError: pass\n"
        }
    )
    assert loaded.module is not None
    loaded.module.b()
    with pytest.raises(ModuleNotFoundError):
        loaded.module.a()
    crash = Crash(
        stage="construction", kind="ModuleNotFoundError", message="", path="model.py", line=2
    )
    found = loaded.dependencies(construction("crashed", crash)).failures
    assert {("gone_a", False, True), ("gone_b", True, False)} == {
        (each.module, each.guarded, each.needed) for each in found
    }


def test_a_translated_import_error_still_gets_a_stand_in(load: Load) -> None:
    """`raise X from` and `raise RuntimeError` in the handler do not deal with the failure."""
    loaded = load(
        {
            "model.py": "import ops\n",
            "ops.py": "try:\n    import gone\nexcept ImportError:\n    raise OSError('get it')\n",
        }
    )
    assert loaded.module is not None
    assert facts(loaded) == [("ops.py", 2, "gone", None, False, False)]


def test_a_star_import_of_nothing_is_needed(load: Load) -> None:
    """No stand-in can know what `from gone import *` would have brought."""
    loaded = load({"model.py": "from gone import *\n"})
    assert loaded.module is None
    assert facts(loaded) == [("model.py", 1, "gone", None, False, True)]


def test_a_package_whose_own_import_fails(load: Load, tmp_path: Path) -> None:
    """An installed package that cannot be imported is a failure of the user's statement."""
    site = tmp_path / ".venv/lib/site-packages"
    site.mkdir(parents=True)
    (site / "lame.py").write_text("import its_dependency\n")
    loaded = load({"model.py": f"import sys\nsys.path.append({str(site)!r})\nimport lame\n"})
    assert loaded.module is not None
    assert facts(loaded) == [("model.py", 3, "lame", None, False, False)]


def test_stand_ins_answer_no_other_file(load: Load, tmp_path: Path) -> None:
    """Neither third-party code nor the user's other files see a stand-in."""
    site = tmp_path / ".venv/site-packages"
    site.mkdir(parents=True)
    (site / "careful.py").write_text("try: import gone\nexcept ImportError: gone = None\n")
    loaded = load(
        {
            "model.py": f"import sys\nsys.path.append({str(site)!r})\n"
            "import gone, careful, other\nTHEIRS = careful.gone, other.gone\n",
            "other.py": "try: import gone\nexcept ImportError: gone = None\n",
        }
    )
    assert loaded.module is not None
    assert loaded.module.THEIRS == (None, None)
    assert "gone" not in sys.modules


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("x = 1\ny = undefined\n", "NameError", 2),
        ("def f():\n    f()\nclass Tiny:\n    f()\n", "RecursionError", 2),
        ("import sys\nclass Tiny:\n    sys.exit(3)\n", "SystemExit", 3),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt", 1),
        ("x = 1\nif x\n", "SyntaxError", 2),
        ("import bad\n", "SyntaxError", 3),
        ("import round_a\n", "ImportError", 1),
        ("raise ImportError('not today')\n", "ImportError", 1),
    ],
)
def test_other_failures_are_crashes(load: Load, text: str, kind: str, line: int) -> None:
    """What ends the import and is no unresolved import is a crash with its place."""
    loaded = load(
        {
            "model.py": text,
            "bad.py": "\n\ndef f(:\n",
            "round_a.py": "from round_b import B\nA = 1\n",
            "round_b.py": "from round_a import A\nB = 1\n",
        }
    )
    assert loaded.module is None
    assert loaded.crash is not None
    assert ("import", kind, line) == (loaded.crash.stage, loaded.crash.kind, loaded.crash.line)
    assert facts(loaded) == []


def test_the_overlay_is_served_for_target_and_siblings(load: Load) -> None:
    """Overlaid text runs under the file's own path, and quotes itself in tracebacks."""
    loaded = load(
        {
            "pkg/model.py": "from .part import X\n",
            "pkg/part.py": "X = 'disk'\n",
            "pkg/__init__.py": "",
        },
        overlay={
            "pkg/model.py": "# -*- coding: latin-1 -*-\nfrom .part import X\nÄ = 'ä'\n"
            "def fail():\n    raise ValueError  # overlaid\n",
            "pkg/part.py": "X = 'overlay'\n",
        },
    )
    assert loaded.module is not None
    assert (loaded.module.X, loaded.module.Ä) == ("overlay", "ä")
    assert "# overlaid" in inspect.getsource(loaded.module.fail)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        loaded.module.fail()
    assert "# overlaid" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_nothing_is_written_beside_the_users_files(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an overlay not even bytecode is written, and none that lies there is believed."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    files = {"model.py": "import part\n", "part.py": "X = 1\n"}
    loaded = load(files, overlay={"model.py": "import part\nY = 2\n", "part.py": "X = 3\n"})
    assert loaded.module is not None
    assert loaded.module.part.X == 3
    assert set(files) == {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert not list(tmp_path.glob("__pycache__/part*"))


def test_a_script_gets_no_arguments_of_ours(load: Load, tmp_path: Path) -> None:
    """A script that parses its arguments at its top level finds none."""
    loaded = load({"model.py": "import argparse\nargparse.ArgumentParser().parse_args()\n"})
    assert loaded.crash is None

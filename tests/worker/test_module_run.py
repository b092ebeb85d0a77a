"""What becomes of a file that works, or fails for want of something, at its top level."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gptdoctor.specimen.load import Loaded, load_module
from gptdoctor.specimen.small_names import given_in
from gptdoctor.specimen.stand_in import NotRunError
from tests.worker.conftest import request_for, write

Load = Callable[..., Loaded]


@pytest.fixture
def load(tmp_path: Path, same_process: None, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Writes files and imports the first one, in the folder that they lie in."""
    monkeypatch.chdir(tmp_path)

    def load(files: Mapping[str, str], build: str | None = None) -> Loaded:
        write(tmp_path, files)
        return load_module(request_for(tmp_path, next(iter(files)), build=build))

    return load


def skipped(loaded: Loaded) -> list[tuple[str, int, str]]:
    """Path, line and kind of what was not run."""
    return [(one.path, one.line, one.kind) for one in loaded.dependencies().skipped]


LECTURE = """\
import time
with open("input.txt") as file:
    text = file.read()
chars = sorted(set(text))
vocab_size = len(chars)
stoi = {c: i for i, c in enumerate(chars)}
data = [stoi[c] for c in text]
n_embd = int(len(data) / 2)

class Config:
    size = vocab_size

class Tiny:
    def __init__(self, width=n_embd): self.sizes = (vocab_size, len(chars), width, Config.size)
    def encode(self, text): return [data[0] + 1 for c in text]

model = Tiny()
while True:
    time.sleep(3600)
"""


def test_what_a_missing_file_would_have_told_gets_small_values(load: Load) -> None:
    """Names that the model reads are given by their names; the loop below is not run."""
    loaded = load({"model.py": LECTURE})
    assert loaded.module is not None
    assert loaded.module.Tiny().sizes == (97, 97, 64, 97)
    assert skipped(loaded) == [
        ("model.py", 2, "failed"),
        ("model.py", 4, "dependent"),
        ("model.py", 7, "dependent"),
        ("model.py", 8, "dependent"),
        ("model.py", 17, "call"),
        ("model.py", 18, "loop"),
    ]
    assert {name: one.code for name, one in given_in(loaded.module).items()} == {
        "chars": "range(97)",
        "n_embd": "64",
    }


def test_what_no_name_tells_is_refused_when_it_is_needed(load: Load) -> None:
    """With the line that was not run, and why."""
    loaded = load({"model.py": LECTURE})
    assert loaded.module is not None
    with pytest.raises(NotRunError, match=r"line 2 of model.py.*FileNotFoundError"):
        loaded.module.Tiny().encode("x")


def test_a_file_that_is_there_is_read(load: Load) -> None:
    """Nothing is made up where the user's own statements work."""
    loaded = load({"model.py": LECTURE, "input.txt": "hello"})
    assert loaded.module is not None
    assert loaded.module.Tiny().sizes == (4, 4, 2, 4)
    assert not given_in(loaded.module)


ENVIRONMENT = """\
import os, sys
rank = int(os.environ["RANK_OF_NOBODY"])
if len(sys.argv) < 2:
    sys.exit("usage: model.py FILE")
device = f"cuda:{rank}"
assert rank > 3, "run this on a GPU"
class Tiny:
    place = (rank, device)
"""


def test_what_a_launcher_would_have_set_is_done_without(load: Load) -> None:
    """One process alone has rank 0."""
    loaded = load({"model.py": ENVIRONMENT})
    assert loaded.module is not None
    assert loaded.module.Tiny.place == (0, "cuda:0")
    assert ("model.py", 2, "failed") in skipped(loaded)


def test_siblings_are_run_in_parts_too(load: Load) -> None:
    """And what they cannot make is told where it was to be made."""
    loaded = load(
        {
            "model.py": "from data import vocab_size, words, config\nclass Tiny:\n"
            "    size = vocab_size, config\n    def first(self): return words[0] + 1\n",
            "data.py": "import urllib.request\nconfig = dict(a=1)\n"
            "words = urllib.request.urlopen('https://example.org').read().split()\n"
            "vocab_size = len(words)\nwhile True: pass\n",
        }
    )
    assert loaded.module is not None
    assert loaded.module.Tiny.size == (97, {"a": 1})
    assert skipped(loaded) == [("data.py", 3, "download"), ("data.py", 5, "loop")]


def test_a_name_that_the_build_expression_wants_is_run(load: Load) -> None:
    """The user may build the model from what a script makes at its top level."""
    text = "class Tiny: ...\nconfig = tuple(open(__file__))\nwhile True: pass\n"
    assert load({"model.py": text}, build="Tiny(config)").module is not None
    loaded = load({"other.py": text}, build="Tiny(config)")
    assert skipped(loaded) == [("other.py", 3, "loop")]


def test_a_mistake_of_the_files_own_is_a_crash(load: Load) -> None:
    """An undefined name is no matter of this machine, though work stands below it."""
    loaded = load({"model.py": "import time\nx = undefined\nclass Tiny: ...\ntime.sleep(3600)\n"})
    assert loaded.crash is not None
    assert (loaded.crash.kind, loaded.crash.line) == ("NameError", 2)


def test_future_imports_and_lines_hold_for_every_part(load: Load) -> None:
    """Each statement is compiled as it would have been in its file."""
    text = (
        "'''doc'''\nfrom __future__ import annotations\nimport time\n"
        "def f(x: Nowhere) -> Nothing:\n    raise ValueError\n'''more'''\n"
        "class Tiny: ...\ntime.sleep(3600)\n"
    )
    loaded = load({"model.py": text})
    assert loaded.module is not None
    assert loaded.module.__doc__ == "doc"
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        loaded.module.f(1)
    assert caught.traceback[-1].lineno + 1 == 5


def test_the_loaded_files_are_told_the_models_own_first(load: Load) -> None:
    """Those that a function imports later are told when they are asked for again."""
    loaded = load(
        {
            "model.py": "import b\nclass Tiny: ...\ndef late():\n    import c\n",
            "b.py": "import a\n",
            "a.py": "",
            "c.py": "",
            "unused.py": "",
        }
    )
    assert own_files(loaded) == ["model.py", "a.py", "b.py"]
    assert loaded.module is not None
    loaded.module.late()
    assert own_files(loaded) == ["model.py", "a.py", "b.py", "c.py"]


def own_files(loaded: Loaded) -> list[str]:
    """Those of the project; our own tests are loaded here as well."""
    return [file for file in loaded.dependencies().files if not file.startswith("/")]


def test_a_package_that_cannot_start_here_is_a_failed_import(load: Load, tmp_path: Path) -> None:
    """Whatever it raises: the statement of the user's gets a stand-in."""
    site = tmp_path / ".venv/site-packages"
    site.mkdir(parents=True)
    (site / "gpu_only.py").write_text("raise RuntimeError('No CUDA GPUs are available')\n")
    text = f"import sys\nsys.path.append({str(site)!r})\nimport gpu_only\nclass Tiny: ...\n"
    loaded = load({"model.py": text})
    assert loaded.module is not None
    [failure] = loaded.dependencies().failures
    assert (failure.line, failure.error) == (3, "RuntimeError: No CUDA GPUs are available")


def test_folders_that_are_not_marked_as_packages_serve_as_such(load: Load) -> None:
    """A file may be run from any folder between its own and the root."""
    loaded = load(
        {
            "work/nets/gpt/model.py": "from gpt.parts import X\nimport nets.gpt.parts\n",
            "work/nets/gpt/parts.py": "X = 3\n",
        }
    )
    assert loaded.crash is None
    assert not loaded.dependencies().failures


def test_relative_imports_beyond_the_root_of_the_disk_end(load: Load) -> None:
    """A file that was copied out of a deep package misses what it imports, and is loaded."""
    loaded = load({"model.py": f"from {'.' * 40}far import x\nclass Tiny: ...\n"})
    assert loaded.module is not None
    assert len(loaded.dependencies().failures) == 1


def test_no_folder_of_a_marked_package_is_on_the_search_path(load: Load, tmp_path: Path) -> None:
    """Its names would answer for other packages: a module `json` in it, or a folder `xlstm`."""
    loaded = load(
        {"pkg/nets/gpt/model.py": "", "pkg/__init__.py": "", "pkg/nets/__init__.py": ""}
        | {"pkg/nets/gpt/__init__.py": "import sys\nPATH = list(sys.path)\n"}
    )
    assert loaded.module is not None
    path = sys.modules["pkg.nets.gpt"].PATH
    assert not {str(tmp_path / "pkg"), str(tmp_path / "pkg/nets")} & set(path)

"""A second run answers from the first, and a change runs again exactly the models it concerns."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gptdoctor.checkup import Checkup
from gptdoctor.config import Options
from gptdoctor.core.diagnosis import Examination
from gptdoctor.worker import session
from tests.commands import check_json, gptdoctor
from tests.worker.conftest import HEALTHY, write

GREEDY = """
    def generate(self, ids, temperature=1.0):
        return self(ids)[:, -1].argmax(-1)
"""
FILES = {
    "pyproject.toml": "[project]\nname = 'three'\n",
    "first.py": "import shared\nimport first_part\n" + HEALTHY.replace("Tiny", "First"),
    "second.py": "from shared import WIDTH\nimport nowhere_to_be_found\n"
    + HEALTHY.replace("Tiny", "Second")
    + GREEDY,
    "third/__init__.py": "",
    "third/model.py": "from . import part\n" + HEALTHY.replace("Tiny", "Third"),
    "third/part.py": "",
    "shared.py": "WIDTH = 16\n",
    "first_part.py": "",
    "unused.py": "",
}
ALL = {"First", "Second", "Third"}
FAST = ("--fast",)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A project of three models and a cache that knows them."""
    root, cache = tmp_path_factory.mktemp("three"), tmp_path_factory.mktemp("cache")
    write(root, FILES)
    assert run(root, cache) == ALL
    return root, cache


def run(root: Path, cache: Path, *words: str, fast: bool = True) -> set[str]:
    """Check the project; the models that had to be run.

    By few probes, unless `fast` is False: what is kept does not depend on what was measured.
    """
    document = check_json(root, *(FAST if fast else ()), *words, cache=cache)
    names = {model["name"] for model in document["models"]}
    assert names == ALL
    return {model["name"] for model in document["models"] if not model["cached"]}


def test_only_what_a_change_concerns_is_run_again(folders: tuple[Path, Path]) -> None:
    """A private part, a shared one, a module that was missing, and what concerns nobody."""
    root, cache = folders
    assert run(root, cache) == set()
    os.utime(root / "shared.py", (1, 1))
    assert run(root, cache) == set(), "a new time is no change"
    write(root, {"unused.py": "x = 1\n", "another.py": "x = 1\n"})
    assert run(root, cache) == set(), "no model uses these"
    write(root, {"first_part.py": "x = 1\n"})
    assert run(root, cache) == {"First"}
    write(root, {"third/part.py": "x = 1\n"})
    assert run(root, cache) == {"Third"}
    write(root, {"shared.py": "WIDTH = 17\n"})
    assert run(root, cache) == {"First", "Second"}
    write(root, {"nowhere_to_be_found.py": ""})
    assert run(root, cache) == {"Second"}
    assert run(root, cache) == set()


def test_other_options_and_no_cache_run_all(folders: tuple[Path, Path]) -> None:
    """Another seed is another question; which findings are shown is not."""
    root, cache = folders
    run(root, cache)
    assert run(root, cache, "--seed", "1") == ALL
    assert run(root, cache, "--no-cache") == ALL
    assert run(root, cache, "--ignore", "GD401", "--fail-on", "low") == set()


def test_the_answer_is_the_same_and_says_where_it_is_from(folders: tuple[Path, Path]) -> None:
    """All but the time and the mark."""
    root, cache = folders
    first = check_json(root, *FAST, "--no-cache", cache=cache)
    run(root, cache)
    again = check_json(root, *FAST, cache=cache)
    assert first["findings"] == again["findings"] != []
    for model in first["models"]:
        model["cached"] = True
        model["facts"].pop("milliseconds_per_step")
    for model in again["models"]:
        model["facts"].pop("milliseconds_per_step")
    assert first["models"] == again["models"]
    assert "results from the cache" in gptdoctor("check", *FAST, root, cache=cache).out


def test_repairs_are_proven_anew(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """`fix` may start from what is known, and runs what it patches."""
    root, cache = folders
    run(root, cache, fast=False)
    fixed = gptdoctor("fix", root, cache=cache)
    assert "proven" in fixed.out, fixed.out + fixed.err
    assert run(root, cache, fast=False) == set(), "nothing was written"


def test_no_worker_is_started_when_all_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second examination has nobody to ask."""
    monkeypatch.setenv("GPTDOCTOR_CACHE_DIR", str(tmp_path / "cache"))
    write(tmp_path / "project", {"pyproject.toml": "", "m.py": HEALTHY})
    time.sleep(0.05)  # a file that changes as the check starts is not trusted
    first = examined(tmp_path / "project")
    monkeypatch.setattr(session, "Session", None)
    again = examined(tmp_path / "project")
    assert [model.cached for model in (*first.models, *again.models)] == [False, True]
    monkeypatch.setattr("gptdoctor.cache.results.ResultCache.answer", lambda self: None)
    assert [model.cached for model in examined(tmp_path / "project").models] == [True]
    with pytest.raises(TypeError):  # the session that is none: another seed has to be run
        examined(tmp_path / "project", seed=1)


def examined(root: Path, seed: int = 0) -> Examination:
    """One checkup of a folder in this process."""
    with Checkup(Options(targets=(str(root),), seed=seed), root) as one:
        return one.examine()


def built_by(name: str, statement: str) -> str:
    """A model whose constructor does something first."""
    head = "def __init__(self, vocab_size=32, dim=16):\n"
    return HEALTHY.replace("Tiny", name).replace(head, f"{head}        {statement}\n")


def test_what_hung_or_died_is_tried_again(tmp_path: Path) -> None:
    """Time-outs and ends of the process are never kept, and do not keep others from it."""
    # beside the cache: a folder in which something is made meanwhile is not settled
    project = tmp_path / "project"
    write(
        project,
        {
            "pyproject.toml": "",
            "well.py": HEALTHY.replace("Tiny", "Well"),
            "hangs.py": built_by("Hangs", "import time; time.sleep(60)"),
            "dies.py": built_by("Dies", "import os; os._exit(0)"),
        },
    )
    for expected in ({"Well": False}, {"Well": True}):
        # several times what the one that is well takes, and waited for twice
        document = check_json(project, *FAST, "--timeout", "6", cache=tmp_path / "cache")
        cached = {model["name"]: model["cached"] for model in document["models"]}
        assert cached == {"Hangs": False, "Dies": False, **expected}

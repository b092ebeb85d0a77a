"""The cache of scans: believed while nothing that a scan rests on has changed, and no longer."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from gptdoctor.cache.scan_grounds import ScanGrounds
from gptdoctor.cache.scan_record import ScanRecord
from gptdoctor.cache.scans import ScanCache
from gptdoctor.cache.store import Store
from gptdoctor.cache.surroundings import Surroundings
from gptdoctor.core.diagnosis import SourceError
from gptdoctor.core.scans import FileScan
from gptdoctor.scan_files import Task, run
from gptdoctor.source.told import packed

LAYER = """\
from torch import nn


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x):
        return self.inner(x)
"""
MODEL = """\
from torch import nn

from layers import Layer


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = Layer(8)

    def forward(self, x):
        return self.layer(x)
"""
PLAIN = "import torch\n\nx = torch.zeros(3)\n"


class Place:
    """A project on disk with a cache beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        self.cache = folder / "cache"
        (self.root / "pyproject.toml").write_text("")
        # With torch in sight: where imports find nothing, the whole project is asked.
        self.installed = folder / "site-packages"
        (self.installed / "torch").mkdir(parents=True)
        (self.installed / "torch/__init__.py").write_text("def zeros(n): ...\n")
        (self.installed / "torch/nn.py").write_text("class Module: ...\nclass Linear: ...\n")
        # Last, as each waits a moment: the files of torch must not be quite new either.
        for name, text in (("layers.py", LAYER), ("model.py", MODEL), ("plain.py", PLAIN)):
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file as of a while ago: what is quite new is no good witness."""
        file = self.root / name
        file.write_text(text)
        self.age(file)

    @staticmethod
    def age(file: Path) -> None:
        """No program can set the time of change, so a moment has to pass."""
        os.utime(file, (time.time() - 100,) * 2)
        time.sleep(0.03)

    def scan(self, surroundings: str = "") -> tuple[list[str], dict[str, FileScan]]:
        """One run: the names of the files that it scanned, and all that was found."""
        around = Surroundings(fingerprint=surroundings, folders=())
        store = Store(self.cache, pytest.fail)
        kept = ScanCache(store, around, self.root)
        files = sorted(self.root.glob("*.py"))
        known = kept.known(files, ())
        left = tuple(file for file in files if file not in known)
        paths = (self.installed,)
        task = Task(
            root=self.root, search_paths=paths, files=left, named=frozenset(), told=kept.told()
        )
        results = run(task)
        if left:
            kept.keep(results.files, (), results.footprints, results.told)
        else:
            kept.keep_times()
        store.close()
        every = {**known, **results.files}
        return [file.name for file in left], {file.name: scan for file, scan in every.items()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A project that has been scanned once."""
    place = Place(tmp_path)
    assert place.scan()[0] == ["layers.py", "model.py", "plain.py"]
    return place


def test_an_unchanged_project_is_not_read(place: Place) -> None:
    """All comes from the cache."""
    assert place.scan()[0] == []


def test_a_changed_file_and_those_that_rest_on_it_are_scanned_again(place: Place) -> None:
    """A layer that takes more than it is given makes a finding in the file of its caller."""
    before = place.scan()[1]["model.py"].findings
    place.write("layers.py", LAYER.replace("self, width", "self, width, depth"))
    again, found = place.scan()
    assert again == ["layers.py", "model.py"]
    new = {one.rule for one in found["model.py"].findings} - {one.rule for one in before}
    assert new == {"GD502"}


def test_an_edit_that_changes_no_answer_costs_one_file(place: Place) -> None:
    """What a file asks of another is a name: what stands beside it may change."""
    place.write("layers.py", LAYER + "\n\ndef beside(x):\n    return x\n")
    again, found = place.scan()
    assert again == ["layers.py"]
    place.write("layers.py", LAYER.replace("self, width", "self, width, depth"))
    again, found = place.scan()
    assert again == ["layers.py", "model.py"]
    assert {one.rule for one in found["model.py"].findings} == {"GD502"}


def test_what_is_behind_a_name_counts(place: Place) -> None:
    """A class that another one rests on changes what those hear that ask for the other."""
    base = LAYER.replace("class Layer", "class Base") + "\n\nclass Layer(Base):\n    pass\n"
    place.write("layers.py", base)
    assert place.scan()[0] == ["layers.py", "model.py"]
    place.write("layers.py", base.replace("self, width", "self, width, depth"))
    again, found = place.scan()
    assert again == ["layers.py", "model.py"]
    assert {one.rule for one in found["model.py"].findings} == {"GD502"}


def test_what_is_handed_on_by_a_third_file_counts(place: Place) -> None:
    """An import leads from file to file; on the way, names that it does not mention are nothing."""
    place.write("parts.py", "from layers import Layer\n\nOTHER = 1\n")
    place.write("model.py", MODEL.replace("from layers", "from parts"))
    place.scan()
    place.write("parts.py", "from layers import Layer\n\nOTHER = 2\n")
    assert place.scan()[0] == ["parts.py"]
    place.write("layers.py", LAYER.replace("self, width", "self, width, depth"))
    again, found = place.scan()
    assert "model.py" in again
    assert {one.rule for one in found["model.py"].findings} == {"GD502"}
    place.write("layers.py", LAYER)
    again, found = place.scan()
    assert "model.py" in again
    assert not found["model.py"].findings


def test_a_base_behind_a_file_that_hands_a_name_on_counts(place: Place) -> None:
    """What a class takes is told by a base in a third file, though none is parsed for it."""
    place.write("layers.py", LAYER.replace("class Layer", "class Base"))
    place.write("parts.py", "from layers import Base\n\nclass Layer(Base):\n    pass\n")
    place.write("handed.py", "from parts import Layer\n")
    place.write("model.py", MODEL.replace("from layers", "from handed"))
    assert not place.scan()[1]["model.py"].findings
    text = LAYER.replace("class Layer", "class Base").replace("self, width", "self, width, depth")
    place.write("layers.py", text)
    again, found = place.scan()
    assert "model.py" in again
    assert {one.rule for one in found["model.py"].findings} == {"GD502"}


def test_a_name_that_is_only_imported_there_is_missed_when_it_goes(place: Place) -> None:
    """Lines alone tell that a file offers it, and when they no longer do."""
    place.write("parts.py", "if True:\n    from layers import Layer\n")
    place.write("model.py", MODEL.replace("from layers", "from parts"))
    assert not place.scan()[1]["model.py"].findings
    place.write("parts.py", "if True:\n    from layers import Layer as Other\n")
    again, found = place.scan()
    assert "model.py" in again
    assert {one.rule for one in found["model.py"].findings} == {"GD501"}


def test_an_edit_of_a_file_that_is_not_scanned_is_seen_each_time(place: Place) -> None:
    """A file outside of what is scanned is asked; an edit that matters to nobody is no witness."""
    asked = place.root / "apart" / "layers.py"
    asked.parent.mkdir()
    (place.root / "layers.py").rename(asked)
    place.write("apart/__init__.py", "")
    place.write("model.py", MODEL.replace("from layers", "from apart.layers"))
    place.scan()
    place.write("apart/layers.py", LAYER + "\nOTHER = 1\n")
    assert place.scan()[0] == []
    place.write("apart/layers.py", LAYER.replace("self, width", "self, width, depth"))
    assert place.scan()[0] == ["model.py"]


def test_a_file_on_which_nothing_rests_is_scanned_alone(place: Place) -> None:
    """An edit of one file of many costs one file."""
    place.write("plain.py", PLAIN + "y = 1\n")
    assert place.scan()[0] == ["plain.py"]
    assert place.scan()[0] == []


def test_a_file_that_was_only_touched_is_known(place: Place) -> None:
    """Contents decide where times have moved, and the new times are kept."""
    time.sleep(0.03)
    os.utime(place.root / "layers.py")
    assert place.scan()[0] == []


def test_a_file_checked_out_and_back_is_known(place: Place) -> None:
    """Only what is there now counts."""
    place.write("layers.py", LAYER + "# another branch\n")
    place.write("layers.py", LAYER)
    assert place.scan()[0] == []


def test_a_module_that_goes_is_missed_by_those_that_import_it(place: Place) -> None:
    """What is looked for in a folder depends on the folder's entries."""
    (place.root / "layers.py").rename(place.root / "parts.py")
    again, _ = place.scan()
    assert "model.py" in again
    assert "parts.py" in again


def test_comments_that_silence_are_kept_with_the_findings(place: Place) -> None:
    """All that a scan tells of a file comes back as it was, the comment's lines among it."""
    place.write("plain.py", PLAIN + "y = 1  # gptdoctor: ignore[GD101] for a test\n")
    scanned = place.scan()[1]["plain.py"]
    again, found = place.scan()
    assert again == []
    assert found["plain.py"] == scanned
    assert found["plain.py"].comments[0].lines == (4, 4)


def test_another_version_of_ours_knows_nothing(place: Place) -> None:
    """The surroundings hold the fingerprint of our own sources."""
    assert place.scan("another")[0] == ["layers.py", "model.py", "plain.py"]


def test_findings_come_back_as_they_were(place: Place) -> None:
    """What the cache gives equals what the scan gave."""
    place.write("layers.py", LAYER.replace("self, width", "self, width, depth"))
    first = place.scan()[1]
    again, second = place.scan()
    assert again == []
    assert second == first
    assert any(scan.findings for scan in second.values())


def test_a_failure_of_ours_is_not_kept(tmp_path: Path) -> None:
    """The next run tries again."""
    place = Place(tmp_path)
    around = Surroundings(fingerprint="", folders=())
    error = SourceError(path="plain.py", line=1, kind="internal-error", message="a fault")
    file = place.root / "plain.py"
    store = Store(place.cache, pytest.fail)
    kept = ScanCache(store, around, place.root)
    results = run(Task(root=place.root, search_paths=(), files=(), named=frozenset()))
    kept.keep({file: FileScan(digest="x", errors=(error,))}, (), results.footprints, {})
    store.close()
    assert place.scan()[0] == ["layers.py", "model.py", "plain.py"]


def test_a_record_crosses_json_unchanged() -> None:
    """Every value comes back, and of the grounds every path that a number stood for."""
    record = ScanRecord(
        scans={"/p/a.py": 0},
        stamps={"/p/a.py": (1, 2, 3, "d")},
        folders={"/p": "f"},
        tree="t",
        grounds="g",
    )
    assert ScanRecord.from_plain(json.loads(json.dumps(record.to_plain()))) == record
    grounds = ScanGrounds(
        links={"/p/a.py": {"/p/b.py": {"Layer"}, "/p/c.py": set()}},
        looked={"/p/b.py": {"/p"}},
        wide={"/p/c.py"},
        told={"/p/b.py": packed({"Layer": "1", "": "2"})},
        signs={"/p/b.py": (1, 2, 3, "s")},
        outline="o",
    )
    assert ScanGrounds.from_plain(json.loads(json.dumps(grounds.to_plain()))) == grounds

"""The folder on disk: what it gives back, and what it never does."""

from __future__ import annotations

import json
import pickle
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from gptdoctor.cache.store import FOLDER_VARIABLE, Store, cache_folder

VALUE = {"a": [1, 2.5, None, True, "text"], "b": {}}


class Bomb:
    """Writes a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[Path, bytes]]:
        return Path.write_bytes, (self.file, b"ran")


def rewrite(folder: Path, column: str, value: object) -> None:
    """Set a column of all rows behind the store's back."""
    with sqlite3.connect(folder / "cache.db") as database:
        database.execute(f"UPDATE Cache SET {column} = ?", (value,))
    database.close()


def filled(folder: Path) -> None:
    """Keep `VALUE` under "key"."""
    store = Store(folder, pytest.fail)
    store.put("key", VALUE)
    store.close()


def test_a_value_is_given_back_by_the_next_store(tmp_path: Path) -> None:
    """What one run keeps, the next one has."""
    filled(tmp_path)
    store = Store(tmp_path, pytest.fail)
    assert store.get("key") == VALUE
    assert store.get("other") is None
    store.close()


@pytest.mark.parametrize("mode", range(1, 5))
def test_no_row_is_unpickled(tmp_path: Path, mode: int) -> None:
    """Whoever can write to the folder cannot run code here: rows that ask for it are ignored."""
    filled(tmp_path)
    mark = tmp_path / "mark"
    rewrite(tmp_path, "value", pickle.dumps(Bomb(mark)))
    rewrite(tmp_path, "mode", mode)
    store = Store(tmp_path, pytest.fail)
    assert store.get("key") is None
    store.close()
    assert not mark.exists()


def test_no_file_that_a_row_names_is_opened_or_removed(tmp_path: Path) -> None:
    """A row that names a file of the user's is ignored, and the file outlives the row."""
    precious = tmp_path / "precious"
    precious.write_bytes(zlib.compress(json.dumps("secret").encode()))
    folder = tmp_path / "cache"
    filled(folder)
    rewrite(folder, "filename", "../precious")
    store = Store(folder, pytest.fail)
    assert store.get("key") is None
    store.put("key", VALUE)
    store.clear()
    store.close()
    assert precious.exists()


@pytest.mark.parametrize("broken", [b"", b"no zlib", zlib.compress(b"{no json")])
def test_a_broken_value_is_a_miss_and_is_written_anew(tmp_path: Path, broken: bytes) -> None:
    """Nothing is said of it."""
    filled(tmp_path)
    rewrite(tmp_path, "value", broken)
    store = Store(tmp_path, pytest.fail)
    assert store.get("key") is None
    store.put("key", VALUE)
    assert store.get("key") == VALUE
    store.close()


def test_a_folder_that_cannot_be_used_is_told_of_once(tmp_path: Path) -> None:
    """It is no error: the run goes on without."""
    (tmp_path / "file").write_text("not a folder")
    told: list[str] = []
    store = Store(tmp_path / "file", told.append)
    store.put("key", VALUE)
    assert store.get("key") is None
    store.close()
    [text] = told
    assert str(tmp_path / "file") in text


def test_a_broken_database_is_told_of_and_started_anew(tmp_path: Path) -> None:
    """One run goes without, the next one has a cache again."""
    filled(tmp_path)
    (tmp_path / "cache.db").write_bytes(b"this is no database" * 1000)
    told: list[str] = []
    store = Store(tmp_path, told.append)
    assert store.get("key") is None
    store.close()
    assert len(told) == 1
    filled(tmp_path)


def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    """All that both keep is there afterwards."""
    code = (
        "import sys; from pathlib import Path; from gptdoctor.cache.store import Store\n"
        "store = Store(Path(sys.argv[1]), sys.exit)\n"
        "for number in range(50): store.put(f'{sys.argv[2]} {number}', [number] * 1000)\n"
        "store.close()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [process.wait(60) for process in processes] == [0, 0]
    store = Store(tmp_path, pytest.fail)
    for name in "ab":
        assert all(store.get(f"{name} {number}") == [number] * 1000 for number in range(50))
    store.close()


def test_the_folder_is_the_one_that_the_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, the platform says where caches are kept."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert cache_folder().name == "gptdoctor"

"""The folder on disk: plain values by key, kept by a library that many processes may share.

A cache is a help and never a duty: a folder that is full, read-only, locked or broken costs one
line of text, and the run goes on without it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import diskcache  # type: ignore[import-untyped]
import platformdirs

FOLDER_VARIABLE = "GPTDOCTOR_CACHE_DIR"
# A model's record takes 5 to 50 KB: some thousands of models. What was stored first goes first.
_MOST_BYTES = 100 * 1024 * 1024
# Nothing is lost with a result: the disk need not be waited for (30 ms of every run). What a loss
# of power may break is started anew.
_SYNCHRONOUS_OFF = 0
# Another process holds the lock for milliseconds; whoever waits longer is better off without.
_LOCK_SECONDS = 2.0
# Of zlib: a third of the time of its default, for a fifth more room.
_LEVEL = 1


class JsonDisk(diskcache.Disk):  # type: ignore[misc]
    """Keeps texts as keys and JSON as values, compressed, in the database itself.

    The library's own way is pickle, and its JSON class still unpickles what a row is marked as:
    whoever can write to the folder could run code here. This one reads rows of bytes as JSON, and
    refuses all others. It opens and removes no file that a row names.
    """

    def put(self, key: str) -> tuple[str, bool]:
        """The key as the database has it."""
        return key, True

    def get(self, key: Any, raw: bool) -> str:
        """The key as we have it."""
        return str(key)

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, None, Any]:
        """Size beside the database, mode, file and column of a value."""
        text = json.dumps(value, separators=(",", ":"))
        return (
            0,
            diskcache.core.MODE_RAW,
            None,
            sqlite3.Binary(zlib.compress(text.encode(), _LEVEL)),
        )

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """The value of a row; raises ValueError for one that is not ours."""
        if mode != diskcache.core.MODE_RAW or filename is not None or not isinstance(value, bytes):
            raise ValueError("a row of the cache holds no JSON")
        try:
            return json.loads(zlib.decompress(value))
        except (zlib.error, RecursionError) as error:
            raise ValueError(str(error)) from error

    def remove(self, file_path: str) -> None:
        """Nothing: no value of ours has a file."""


class Store:
    """Values by key. Nothing that happens to the folder is an error; `tell` hears of it once."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._cache = self._open()

    def get(self, key: str) -> Any:
        """The value, or None where there is none that can be read."""
        if self._cache is None:
            return None
        try:
            return self._cache.get(key)
        except ValueError:
            return None  # a broken value is written anew
        except Exception as error:  # whatever a broken database makes the library do
            self._give_up(error)
            return None

    def put(self, key: str, value: Any) -> None:
        """Keep a value that JSON can hold."""
        if self._cache is None:
            return
        try:
            self._cache.set(key, value)
        except Exception as error:
            self._give_up(error)

    def count(self) -> int:
        """How many values there are."""
        return 0 if self._cache is None else len(self._cache)

    def clear(self) -> int:
        """Forget everything; returns how many values there were."""
        return 0 if self._cache is None else int(self._cache.clear())

    def close(self) -> None:
        """Let go of the folder; safe to call again."""
        cache, self._cache = self._cache, None
        if cache is not None:
            with suppress(sqlite3.Error):
                cache.close()

    def _open(self) -> diskcache.Cache | None:
        try:
            # Results quote the user's code: they are nobody else's to read.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return diskcache.Cache(
                str(self._folder),
                timeout=_LOCK_SECONDS,
                disk=JsonDisk,
                size_limit=_MOST_BYTES,
                sqlite_synchronous=_SYNCHRONOUS_OFF,
            )
        except Exception as error:
            self._give_up(error)
            return None

    def _give_up(self, error: Exception) -> None:
        self._cache = None
        told = f"the result cache in {self._folder} is not used ({error})"
        if type(error) is sqlite3.DatabaseError:  # malformed; its subclasses mean other things
            self._remove()
            told += "; the next run starts a new one"
        self._tell(told)

    def _remove(self) -> None:
        for file in self._folder.glob(f"{diskcache.core.DBNAME}*"):
            with suppress(OSError):
                file.unlink()


def cache_folder() -> Path:
    """Where results are kept: what GPTDOCTOR_CACHE_DIR names, else the platform's place."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("gptdoctor")

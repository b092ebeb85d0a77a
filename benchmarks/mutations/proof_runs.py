"""Runs the tests on stdin, the files of each case in a fork; a line of JSON for each on stdout.

torch, and what the bases import, are imported once for all forks.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import types
from pathlib import Path
from typing import Any

import torch

SECONDS = 60.0  # for one file of tests


def ended(text: str, names: list[str]) -> dict[str, str]:
    """How each test of a file fails, "" where it passes."""
    module = sys.modules["health"] = types.ModuleType("health")  # where dataclasses look
    exec(compile(text, "test_model_health.py", "exec"), vars(module))
    return {name: _ended(vars(module)[name]) for name in names}


def _ended(test: Any) -> str:
    try:
        test()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return ""


def apart(case: dict[str, Any]) -> dict[str, str]:
    """The same in a fork with a time limit; {"": why} where the file cannot be run at all."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _silenced(case["folder"])
        try:
            answer = ended(case["text"], case["names"])
        except BaseException as error:
            answer = {"": f"{type(error).__name__}: {error}"}
        short = {name: how[:300] for name, how in answer.items()}
        os.write(writing, json.dumps(short).encode())
        os._exit(0)
    os.close(writing)
    until = time.monotonic() + SECONDS
    data = _read(reading, until)
    why = "it ended itself" if time.monotonic() < until else f"no answer in {SECONDS:g} s"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    told: dict[str, str] = json.loads(data) if data else {"": why}
    return told


def _silenced(folder: str) -> None:
    """A fork works in the folder of its case, and prints to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.chdir(folder)
    sys.path.insert(0, folder)


def _read(descriptor: int, until: float) -> bytes:
    parts = b""
    while (left := until - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            return b""
        part = os.read(descriptor, 1 << 16)
        if not part:
            return parts
        parts += part
    return b""


def main() -> None:
    """Import what the bases import, then run all cases in turn."""
    torch.set_num_threads(1)  # a fork after threaded operations hangs
    sys.dont_write_bytecode = True
    asked = json.load(sys.stdin)
    for file in asked["bases"]:
        exec(compile(Path(file).read_text(), file, "exec"), vars(_module(file)))
    for case in asked["cases"]:
        print(json.dumps({"name": case["name"], "told": apart(case)}), flush=True)


def _module(file: str) -> types.ModuleType:
    module = sys.modules["base"] = types.ModuleType("base")
    module.__file__ = file  # asked for by decorators that read a class's text
    return module


if __name__ == "__main__":
    main()

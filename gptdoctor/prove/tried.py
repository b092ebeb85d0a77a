"""The tests, run once before they are given away: each has to fail today."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gptdoctor.core.errors import DoctorError

# Runs in the interpreter of the models, without pytest: a test is a plain function.
_RUNNER = """
import json, os, sys, types
text, file, answer, names = json.loads(sys.stdin.read())
told = {}
try:
    module = sys.modules["health"] = types.ModuleType("health")  # where dataclasses look
    space = module.__dict__
    space["__file__"] = file
    exec(compile(text, file, "exec"), space)
    for name in names:
        try:
            space[name]()
            told[name] = ""
        except BaseException as error:
            told[name] = f"{type(error).__name__}: {error}"
except BaseException as error:
    told = {"": f"{type(error).__name__}: {error}"}
with open(answer, "w") as stream:
    json.dump(told, stream)
os._exit(0)
"""


def tried(
    text: str, file: Path, names: Sequence[str], python: str, seconds: float
) -> Mapping[str, str]:
    """How each test fails, by name; "" where it passes.  `file`: where the text is to lie.

    Raises DoctorError where the file cannot be run at all.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        given = json.dumps([text, str(file), str(answer), list(names)])
        process = subprocess.Popen(  # noqa: S603 - the interpreter that ran the models
            [python, "-c", _RUNNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=file.parent,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": ""},
            start_new_session=True,
        )
        try:
            process.communicate(given.encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            raise _unrun(f"they take over {seconds:g} s", "give them more with --timeout") from None
        finally:
            _end(process)
        if not answer.exists():
            raise _unrun("the process ended itself", "see whether the model's file can be imported")
        told: dict[str, str] = json.loads(answer.read_text())
    if "" in told:
        hint = "what gptdoctor left out when it loaded the file may be to blame: see check"
        raise _unrun(f"the model's file cannot be used as it is: {told['']}", hint)
    return told


def _unrun(why: str, hint: str) -> DoctorError:
    return DoctorError(f"the tests could not be tried: {why}", hint=hint)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process with all that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()

"""Which Python runs the models, and where it would look for what they import."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from gptdoctor.core.errors import ProtocolError, UsageError, WorkerError
from gptdoctor.worker.codec import from_plain

# Printing a list takes 20 ms; a cold network disk may need seconds for the interpreter itself.
_ANSWER_SECONDS = 20.0


def choose_python(explicit: str | None, root: str) -> str:
    """The interpreter for the project at `root`; only files are looked at, nothing is run.

    What the user names; else the active virtual environment or the project's `.venv`, where they
    hold torch; else our own; else an active conda environment that does hold it.
    """
    if explicit is not None:
        return _named(explicit)
    with_torch = [
        *_with_torch(os.environ.get("VIRTUAL_ENV")),
        *_with_torch(str(Path(root, ".venv"))),
        *([sys.executable] if find_spec("torch") is not None else []),
        *_with_torch(os.environ.get("CONDA_PREFIX")),
    ]
    return with_torch[0] if with_torch else sys.executable


def search_paths(python: str) -> tuple[str, ...]:
    """Where `python` looks for modules, without the folders of a script or of the user's call."""
    if python == sys.executable:
        ours = {str(Path.cwd()), str(Path(sys.argv[0]).absolute().parent), ""}
        return tuple(entry for entry in sys.path if entry not in ours)
    # -I: no code of the user's is run, and so PYTHONPATH, which the worker heeds, is added here.
    named = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return (*(str(Path(entry).absolute()) for entry in named), *_ask_for_paths(python))


def _named(explicit: str) -> str:
    found = shutil.which(str(Path(explicit).expanduser()))
    if found is None:
        hint = "give the path of a Python interpreter, such as .venv/bin/python"
        raise UsageError(f"There is no program {explicit} that could run the models.", hint=hint)
    return str(Path(found).absolute())  # not resolved: a link is what makes a virtual environment


def _with_torch(environment: str | None) -> list[str]:
    """The interpreter of an environment that holds torch, as far as its files tell."""
    if not environment:
        return []
    prefix = Path(environment)
    python = next(
        (one for one in (prefix / "bin/python", prefix / "Scripts/python.exe") if one.is_file()),
        None,
    )
    places = ("lib*/python3*/site-packages", "Lib/site-packages")  # Windows has the second
    torch = any(any(prefix.glob(f"{place}/torch/__init__.py")) for place in places)
    if python is None or not torch:
        return []
    return [sys.executable if prefix == Path(sys.prefix) else str(python)]


def _ask_for_paths(python: str) -> tuple[str, ...]:
    """The search path of another interpreter, from itself."""
    code = "import json, sys; print(json.dumps(sys.path))"
    try:
        answer = subprocess.run(  # noqa: S603  the interpreter that the user chose
            [python, "-I", "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_SECONDS,
            check=True,
        )
        return tuple(from_plain(json.loads(answer.stdout), tuple[str, ...]))
    except (OSError, subprocess.SubprocessError, ValueError, ProtocolError) as error:
        hint = "choose another interpreter with --python"
        raise WorkerError(f"{python} does not say where it imports from.", hint=hint) from error

"""The first lines that run in the model's interpreter: `python bootstrap.py ROOT CONTROL REPLIES`.

With both descriptors it becomes the fork server; without them it examines one model, and speaks by
its standard streams.

That interpreter has no gptdoctor of its own.  This makes the package importable from here without
putting our site-packages, and all that lies in it, on the stranger's search path.  The file keeps
to what Python 3.6 understands, so that one that is too old can say so.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

OLDEST = (3, 11)  # the first with `co_qualname`, which says in which function a place is


def main() -> None:
    """Say that this Python is too old, or become the fork server."""
    sys.dont_write_bytecode = True
    root = sys.argv[1]
    descriptors = [int(number) for number in sys.argv[2:4]]
    here = Path(__file__).resolve().parent
    if sys.path and Path(sys.path[0]).resolve() == here:
        del sys.path[0]
    version = sys.version.split()[0]
    if tuple(sys.version_info[:2]) < OLDEST:
        error = (
            f"{sys.executable} is Python {version}, and models can be run with 3.11 or newer: "
            "choose another interpreter with --python"
        )
        said = {"torch": None, "python": version, "error": error, "unlimited": ()}
        line = json.dumps({"Ready": said}).encode() + b"\n"
        os.write(descriptors[1] if descriptors else 1, b"0 " + line if descriptors else line)
        return
    _make_package(here.parent)
    if descriptors:
        from gptdoctor.worker.forkserver import serve

        control, replies = descriptors
        serve(control, replies, root)
    from gptdoctor.worker.single import serve_one

    serve_one(root)


def _make_package(folder: Path) -> None:
    """Put the package `gptdoctor` that lies in `folder` into `sys.modules`."""
    spec = importlib.util.spec_from_file_location(
        "gptdoctor", str(folder / "__init__.py"), submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(str(folder))
    module = importlib.util.module_from_spec(spec)
    sys.modules["gptdoctor"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":  # not where multiprocessing imports the main file again, for the user
    main()

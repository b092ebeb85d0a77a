"""Every causal language model of transformers, built, called and run backward, with no word said.

    pip install -c constraints.txt -e '.[torch,bench]'
    python -m benchmarks.causal_models              # all classes of the mapping, about 4 minutes
    python -m benchmarks.causal_models Llama GPT2   # those whose names hold one of these words

The denominator is every class of transformers' own `MODEL_FOR_CAUSAL_LM_MAPPING_NAMES`; one that
needs a package that is not installed is listed, and counts as missed.  No model is downloaded, and
no configuration is given: gptdoctor finds out how to build and how to call each of them.

The same builds and passes are then made in one plain process, in a loop, with no isolation: what
the fork server, a process for each model, limits and messages cost is the ratio of the two.
Exit code 1 where a bound is missed.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.outcome import Outcome, outcome_of
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import entry_of, target_of
from gptdoctor.worker.interpreter import search_paths
from gptdoctor.worker.session import Session

MAPPING = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"
LEAST_SHARE = 0.90
MOST_RATIO = 1.5
SECONDS = 60.0  # the default of the command line


def package() -> Path:
    """The folder of transformers, found without importing it."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        sys.exit("transformers is not installed: pip install -c constraints.txt -e '.[bench]'")
    return Path(spec.origin).parent


def class_names(folder: Path) -> list[str]:
    """The names of the mapping, each once."""
    tree = ast.parse((folder / "models/auto/modeling_auto.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == MAPPING:
            pairs = next(one for one in ast.walk(node) if isinstance(one, ast.List))
            return sorted({ast.literal_eval(pair)[1] for pair in pairs.elts})
    sys.exit(f"{MAPPING} is not where it was")


def targets(folder: Path, names: list[str]) -> Iterator[ModelTarget]:
    """The classes as targets of an examination."""
    paths = tuple(Path(path) for path in search_paths(sys.executable))
    project = Project(root=folder.parent, search_paths=paths)
    files = {
        name: file
        for file in sorted(folder.glob("models/*/modeling_*.py"))
        for name in re.findall(r"^class (\w+)\(", file.read_text(), re.MULTILINE)
    }
    for name in names:
        module = project.read(files[name])
        if isinstance(module, SourceModule):
            info = project.classes(module)[name]
            yield target_of(project, info, entry_of(project, info) or "forward")


def request(target: ModelTarget, root: Path) -> ExamineRequest:
    """Build, call, and one step backward."""
    return ExamineRequest(
        target=target, root=str(root), seed=0, timeout_seconds=SECONDS, probes=("backward",)
    )


def isolated(requests: list[ExamineRequest], root: Path) -> tuple[list[Outcome], float]:
    """All rows, and the seconds from the start of the worker to the last word."""
    started = time.perf_counter()
    rows = []
    with Session(sys.executable, str(root)) as session:
        for record in session.examine(requests):
            rows.append(outcome_of(record))
            print(f"{rows[-1].name:48} {rows[-1].kind or 'examined'}", file=sys.stderr)
    return rows, time.perf_counter() - started


def plain(names: list[str]) -> None:
    """The same in this very process, one after the other (run as `--plain NAME ...`)."""
    import torch

    from gptdoctor.probes import backward
    from gptdoctor.specimen.build import build_specimen
    from gptdoctor.specimen.places import settle_package

    torch.set_num_threads(1)
    folder = package()
    done = 0
    for target in targets(folder, names):
        settle_package(str(folder.parent), target.path)
        try:
            module = importlib.import_module(target.path.removesuffix(".py").replace("/", "."))
            _, specimen = build_specimen(module, request(target, folder.parent))
            done += specimen is not None and backward.measure(specimen).crash is None
        except Exception as error:  # what a child would have told of one class ends no loop
            print(f"{target.name}: {error}", file=sys.stderr)
    print(json.dumps(done))


def without_isolation(names: list[str]) -> tuple[int, float]:
    """How many a plain process examines, and its seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.causal_models", "--plain", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1]), time.perf_counter() - started


def main() -> None:
    """Examine, print the table, hold it against the bounds."""
    folder = package()
    words = sys.argv[1:]
    names = [name for name in class_names(folder) if not words or any(w in name for w in words)]
    requests = [request(target, folder.parent) for target in targets(folder, names)]
    rows, seconds = isolated(requests, folder.parent)
    examined = [one.name for one in rows if not one.kind]
    ended = [one.name for one in rows if one.kind != "timeout"]
    again, plain_seconds = without_isolation(ended)
    share, ratio = len(examined) / len(names), seconds / plain_seconds
    print("| class | why it was not examined | |\n|---|---|---|")
    for one in rows:
        if one.kind:
            print(f"| {one.name} | {one.cells} |")
    kinds = dict(Counter(one.kind for one in rows if one.kind))
    print(f"\n{len(examined)} of {len(names)} examined ({share:.1%}); the rest by kind: {kinds}")
    slowest = max(rows, key=lambda one: one.seconds)
    print(f"slowest: {slowest.name} with {slowest.seconds:.1f} s")
    print(f"{seconds:.0f} s isolated; {again} of them in {plain_seconds:.0f} s in one process: "
          f"{ratio:.2f} times")  # fmt: skip
    sys.exit(0 if share >= LEAST_SHARE and ratio <= MOST_RATIO else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--plain"]:
        plain(sys.argv[2:])
    else:
        main()

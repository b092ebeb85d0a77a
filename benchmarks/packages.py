"""Models of other packages, unpacked as if they were a user's own files, and examined by path.

    python -m venv SCRATCH/env
    SCRATCH/env/bin/pip install -c constraints.txt torch -r benchmarks/packages_needs.txt
    python -m benchmarks.packages SCRATCH            # all, some minutes
    python -m benchmarks.packages SCRATCH litgpt     # those whose place holds one of the words

The wheels of `packages.txt` are downloaded and unpacked below SCRATCH, one folder each; none of
them is installed.  The denominator is fixed in `packages_models.txt`: every network of their files
that embeds ids and is no part of another one in its file, and every function that makes such a
one, whether it is a language model or not.  No configuration is given.  What gives no logits (an
encoder, a classifier, a table of positions) is run on ids or vectors and trained on its own output.

A model is examined if it was built, called, and run forward and backward to a finite loss that
reaches a parameter.  What crashed is told with its place, to be looked at by hand: `packages.md`.
"""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.outcome import Outcome, outcome_of
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import discover, entry_of, target_of
from gptdoctor.worker.session import Session

HERE = Path(__file__).parent
SECONDS = 60.0  # the default of the command line
SLOW_SECONDS = 10.0


def folders(scratch: Path) -> list[Path]:
    """One folder for each pinned package, with its files."""
    wheels = scratch / "wheels"
    if not wheels.exists():
        command = [str(scratch / "env/bin/pip"), "download", "--no-deps", "--dest", str(wheels)]
        subprocess.run([*command, "--quiet", "-r", str(HERE / "packages.txt")], check=True)
    found = []
    for wheel in sorted(wheels.glob("*.whl")):
        folder = scratch / "files" / wheel.name.split("-")[0].lower()
        if not folder.exists():
            zipfile.ZipFile(wheel).extractall(folder)
        found.append(folder)
    return found


def requests(folder: Path, words: list[str]) -> Iterator[ExamineRequest]:
    """The models of a package that the list names, as `gptdoctor check FILE::NAME` takes them."""
    project = Project(root=folder)
    for line in (HERE / "packages_models.txt").read_text().splitlines():
        package, _, place = line.partition(" ")
        if package != folder.name or not (not words or any(word in line for word in words)):
            continue
        yield ExamineRequest(
            target=_target(project, *place.split("::")),
            root=str(folder),
            seed=0,
            timeout_seconds=SECONDS,
            probes=("backward",),
        )


def _target(project: Project, path: str, name: str) -> ModelTarget:
    """The target that discovery gives, also where it takes the class for a part of another."""
    module = project.read(project.root / path)
    if not isinstance(module, SourceModule):
        sys.exit(f"{path} cannot be read")
    found = next((one for one in discover(project, [module]) if one.name == name), None)
    if found is not None:
        return found
    info = project.classes(module).get(name)
    if info is None:
        sys.exit(f"{path} has no {name}")
    return target_of(project, info, entry_of(project, info) or "forward")


def examined(scratch: Path, words: list[str]) -> Iterator[tuple[str, Outcome]]:
    """What became of each model, with its package, as it comes."""
    for folder in folders(scratch):
        asked = list(requests(folder, words))
        if not asked:
            continue
        with Session(str(scratch / "env/bin/python"), str(folder)) as session:
            for record in session.examine(asked):
                one = outcome_of(record)
                print(f"{folder.name:40} {one.name:40} {one.kind or 'examined'}", file=sys.stderr)
                yield folder.name, one


def main() -> None:
    """Examine, print the table and the totals."""
    started = time.perf_counter()
    rows = list(examined(Path(sys.argv[1]).resolve(), sys.argv[2:]))
    print(
        "| package | model | outcome | what it returns, or the reason | s |\n|---|---|---|---|---|"
    )
    for package, one in rows:
        print(f"| {package} | `{one.path}::{one.name}` | {one.cells} | {one.seconds:.1f} |")
    done = [one for _, one in rows if not one.kind]
    files = {(package, one.path) for package, one in rows}
    failed = {(package, one.path) for package, one in rows if one.kind}
    print(
        f"\n{len(done)} of {len(rows)} models examined ({len(done) / len(rows):.1%}), in "
        f"{len({package for package, _ in rows})} packages; all models of "
        f"{len(files - failed)} of {len(files)} files; {time.perf_counter() - started:.0f} s"
    )
    print(f"the rest by kind: {dict(Counter(one.kind for _, one in rows if one.kind))}")
    slow = Counter(package for package, one in rows if one.seconds > SLOW_SECONDS)
    print(f"slower than {SLOW_SECONDS:.0f} s, by package: {dict(slow)}")


if __name__ == "__main__":
    main()

"""Models of other packages, unpacked as if they were a user's own files, and examined by path.

    python -m venv SCRATCH/env
    SCRATCH/env/bin/pip install -c constraints.txt torch -r benchmarks/packages_needs.txt
    python benchmarks/packages.py SCRATCH            # all, some minutes
    python benchmarks/packages.py SCRATCH litgpt     # those whose place holds one of the words

The wheels of `packages.txt` are downloaded and unpacked below SCRATCH, one folder each; none of
them is installed.  The denominator is fixed in `packages_models.txt`: every network of their files
that embeds ids and is no part of another one in its file, and every function that makes such a
one, whether it is a language model or not.  No configuration is given.  What gives no logits (an
encoder, a classifier, a table of positions) is run on ids or vectors and trained on its own output.

A model is examined if it was built, called, and run forward and backward to a finite loss that
reaches a parameter.  What crashed is told with its place, to be looked at by hand: see `README.md`.
"""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.core.measurements.backward import Backward
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import discover, entry_of, target_of
from gptdoctor.worker.session import Session

HERE = Path(__file__).parent
SECONDS = 60.0  # the default of the command line
REASON_CHARACTERS = 200
SLOW_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one model."""

    package: str
    path: str
    name: str
    kind: str  # of the reason why it was not examined; "" where it was
    told: str  # what it returns, or the reason
    seconds: float


def folders(scratch: Path) -> list[Path]:
    """One folder for each pinned package, with its files."""
    wheels = scratch / "wheels"
    if not wheels.exists():
        command = [str(scratch / "env/bin/pip"), "download", "--no-deps", "--dest", str(wheels)]
        subprocess.run([*command, "-r", str(HERE / "packages.txt")], check=True)
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


def row(package: str, record: ModelRecord) -> Row:
    """What the worker tells of one model."""
    told = {measured.probe: measured.measurement for measured in record.measured}
    kind, text = _outcome(record, told.get("construction"), told.get("backward"))
    return Row(
        package=package,
        path=record.target.path,
        name=record.target.name,
        kind=kind,
        told=" ".join(text.split())[:REASON_CHARACTERS].replace("|", "/").replace("`", "'"),
        seconds=record.seconds,
    )


def _outcome(record: ModelRecord, built: object, step: object) -> tuple[str, str]:
    """The kind of reason, "" for an examined model, and what it returns or the reason."""
    if not isinstance(built, Construction):
        return record.ending.kind, f"{record.ending.detail} during {record.ending.stage}"
    if built.outcome != "built":
        crash = built.crash
        text = "; ".join(built.tried[:1])
        if crash is not None:
            text = f"{crash.kind}: {crash.message} at {crash.path}:{crash.line}"
        missing = "No module named" in text or "ImportError" in text
        return "needs a package" if missing else built.outcome, text
    if not isinstance(step, Backward) or step.crash is not None:
        crash = step.crash if isinstance(step, Backward) else None
        return "no step backward", str(crash or [one.reason for one in record.unmeasured])
    return ("", built.returns) if step.reached else ("no gradient", "it reaches no parameter")


def examined(scratch: Path, words: list[str]) -> Iterator[Row]:
    """All rows, as they come."""
    for folder in folders(scratch):
        asked = list(requests(folder, words))
        if not asked:
            continue
        with Session(str(scratch / "env/bin/python"), str(folder)) as session:
            for record in session.examine(asked):
                one = row(folder.name, record)
                print(f"{one.package:40} {one.name:40} {one.kind or 'examined'}", file=sys.stderr)
                yield one


def main() -> None:
    """Examine, print the table and the totals."""
    started = time.perf_counter()
    rows = list(examined(Path(sys.argv[1]).resolve(), sys.argv[2:]))
    print(
        "| package | model | outcome | what it returns, or the reason | s |\n|---|---|---|---|---|"
    )
    for one in rows:
        place = f"`{one.path}::{one.name}`"
        outcome = one.kind or "examined"
        print(f"| {one.package} | {place} | {outcome} | {one.told} | {one.seconds:.1f} |")
    done = [one for one in rows if not one.kind]
    files = {(one.package, one.path) for one in rows}
    failed = {(one.package, one.path) for one in rows if one.kind}
    packages = {one.package for one in rows}
    print(
        f"\n{len(done)} of {len(rows)} models examined ({len(done) / len(rows):.1%}), in "
        f"{len(packages)} packages; all models of {len(files - failed)} of {len(files)} files; "
        f"{time.perf_counter() - started:.0f} s"
    )
    print(f"the rest by kind: {dict(Counter(one.kind for one in rows if one.kind))}")
    slow = Counter(one.package for one in rows if one.seconds > SLOW_SECONDS)
    print(f"slower than {SLOW_SECONDS:.0f} s, by package: {dict(slow)}")


if __name__ == "__main__":
    main()

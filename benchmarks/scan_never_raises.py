"""The scan raises on nothing: on the code of others, and on programs made by chance.

    python -m benchmarks.scan_never_raises [--programs 100000] [--processes 2] [FOLDER]...

Scanned are, without any filter of files, all of the standard library's own tests, of torch and of
transformers, where they are installed, and the folders given.  Counted are files, files that are no
Python (which is told and no failure), findings, and failures of rules; exit code 1 where there is
one.  The programs come from tests/programs.py and need hypothesis.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from gptdoctor.scan_files import scan_files

ROOT = Path(__file__).parents[1]
# Hypothesis keeps what it has drawn: 0.7 MB for each program.
BATCH = 2_000
TESTS = "tests/test_scan.py::test_no_program_makes_a_rule_fail"


def main() -> None:
    """Scan everything, print a table, and fail where a rule has."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--programs", type=int, default=0)
    parser.add_argument("--processes", type=int, default=None)
    asked = parser.parse_args()
    print("| code | files | no Python | findings | failures | seconds |\n|---|---|---|---|---|---|")
    failed = 0
    for folder in [*_known(), *asked.folders]:
        failed += _scan(folder, asked.processes)
    if asked.programs:
        failed += _generate(asked.programs, asked.processes or os.cpu_count() or 1)
    raise SystemExit(1 if failed else 0)


def _known() -> list[Path]:
    folders = [Path(sysconfig.get_path("stdlib"), "test")]
    for name in ("torch", "transformers"):
        spec = find_spec(name)
        folders += [Path(spec.origin).parent] if spec is not None and spec.origin else []
    return [folder for folder in folders if folder.is_dir()]


def _scan(folder: Path, processes: int | None) -> int:
    files = sorted(folder.rglob("*.py"))
    started = time.perf_counter()
    # All are named: a file that is named is parsed whatever is in it.
    results = scan_files(folder.parent, (), files, frozenset(files), processes)
    seconds = time.perf_counter() - started
    scans = results.files
    failures = [one for scan in scans.values() for one in scan.errors if scan.failed]
    bad = sum(bool(scan.errors) and not scan.failed for scan in scans.values())
    found = sum(len(scan.findings) for scan in scans.values())
    print(f"| {folder.name} | {len(files)} | {bad} | {found} | {len(failures)} | {seconds:.0f} s |")
    for one in failures:
        print(f"  {one.path}:{one.line} {one.message}", file=sys.stderr)
    assert len(scans) == len(files), "a file was lost"
    return len(failures)


def _generate(count: int, processes: int) -> int:
    """Programs by chance, other ones in each process; how many processes have failed."""
    seeds = range(-(-count // BATCH))
    started = time.perf_counter()
    with ThreadPoolExecutor(processes) as pool:
        failed = sum(pool.map(_batch, seeds))
    seconds = time.perf_counter() - started
    print(f"| programs | {BATCH * len(seeds)} | 0 | | {failed} | {seconds:.0f} s |")
    return failed


def _batch(seed: int) -> bool:
    """Whether one of the programs of a seed makes a rule fail, or something ends the process."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", TESTS]
    own = {"GPTDOCTOR_PROGRAMS": str(BATCH), "GPTDOCTOR_PROGRAMS_SEED": str(seed)}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"seed {seed}, exit code {done.returncode}\n{done.stdout[-5000:]}", file=sys.stderr)
    return done.returncode != 0


if __name__ == "__main__":
    main()

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
from importlib.util import find_spec
from pathlib import Path

from gptdoctor.scan_files import scan_files

ROOT = Path(__file__).parents[1]
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
    """Programs by chance, other ones in each process; how many of these have failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", TESTS]
    each = -(-count // processes)
    started = time.perf_counter()
    running = []
    for number in range(processes):
        own = {"GPTDOCTOR_PROGRAMS": str(each), "GPTDOCTOR_PROGRAMS_SEED": str(number)}
        environment = {**os.environ, **own}
        running.append(subprocess.Popen(command, cwd=ROOT, env=environment))
    failed = sum(one.wait() != 0 for one in running)
    seconds = time.perf_counter() - started
    print(f"| programs | {each * processes} | 0 | | {failed} | {seconds:.0f} s |")
    return failed


if __name__ == "__main__":
    main()

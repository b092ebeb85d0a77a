"""What the scan says of packages that others keep, for a reader to judge.

    python -m benchmarks.scanning.precision SCRATCH
    python -m benchmarks.scanning.precision SCRATCH -o benchmarks/scanning/precision.md
    python -m benchmarks.scanning.precision SCRATCH --all        # medium and low ones, too

Every finding of critical and high stands in the table with its judgement by hand, from
`judged.txt`, a line each: rule, path, symbol, and "true: ..." or "false: ...".  The bound is one
false one in 100,000 lines.  Exit code 1: it is passed, or a finding has no judgement.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.scanning.corpus import HERE, Found, scanned, sources, unpacked

JUDGED = HERE / "judged.txt"
GRAVE = ("critical", "high")
LINES_PER_FALSE = 100_000


def judgements() -> dict[tuple[str, str, str], str]:
    """What was judged by hand, by rule, path and symbol."""
    lines = JUDGED.read_text().splitlines() if JUDGED.exists() else []
    told = (line.split(maxsplit=3) for line in lines if line and not line.startswith("#"))
    return {(rule, path, symbol): text for rule, path, symbol, text in told}


def lines_by_package(files: Path) -> Counter[str]:
    """The lines of all Python files, blank ones and comments too."""
    return Counter(
        {
            folder.name: sum(file.read_bytes().count(b"\n") for file in sources(folder))
            for folder in sorted(path for path in files.iterdir() if path.is_dir())
        }
    )


def table(found: Sequence[Found], lines: Mapping[str, int]) -> Iterator[str]:
    """The findings by package and severity, and the grave ones one by one."""
    yield "| package | lines | critical | high | medium | low |"
    yield "|---|---|---|---|---|---|"
    for package, count in sorted(lines.items()):
        own = Counter(one.severity for one in found if one.path.startswith(f"{package}/"))
        told = " | ".join(str(own[word]) for word in (*GRAVE, "medium", "low"))
        yield f"| {package} | {count} | {told} |"
    yield ""
    yield "| rule | findings |"
    yield "|---|---|"
    for (rule, name), number in sorted(Counter((one.rule, one.name) for one in found).items()):
        yield f"| {rule} {name} | {number} |"


def listed(found: Sequence[Found], judged: Mapping[tuple[str, str, str], str]) -> Iterator[str]:
    """Findings with what was judged of them."""
    yield "| rule | severity | place | judged |"
    yield "|---|---|---|---|"
    for one in found:
        text = judged.get(one.place, "**not judged**: " + one.message).replace("|", "\\|")
        yield f"| {one.rule} {one.name} | {one.severity} | {one.path}:{one.line} | {text} |"


def main() -> int:
    """Scan, tell, and hold what was judged false against the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--all", action="store_true", help="list medium and low ones as well")
    given = parser.parse_args()
    files = unpacked(given.scratch)
    found, lines, judged = list(scanned(files)), lines_by_package(files), judgements()
    grave = [one for one in found if one.severity in GRAVE]
    false = [one for one in grave if judged.get(one.place, "").startswith("false")]
    unjudged = [one for one in grave if one.place not in judged]
    total = sum(lines.values())
    text = [
        f"{len(grave)} findings of critical and high in {total} lines: {len(false)} false, "
        f"{len(unjudged)} not judged; the bound is {total // LINES_PER_FALSE} false ones.",
        "",
        *table(found, lines),
        "",
        *listed(found if given.all else grave, judged),
    ]
    print("\n".join(text), file=given.output.open("w") if given.output else sys.stdout)
    return int(bool(unjudged) or len(false) > total // LINES_PER_FALSE)


if __name__ == "__main__":
    sys.exit(main())

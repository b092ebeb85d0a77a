"""Specimens in the spellings of writers who knew the rules' names alone: what does the scan find?

    python -m benchmarks.scanning.spellings
    python -m benchmarks.scanning.spellings -o benchmarks/scanning/spellings.md

Each file `specimens/SET/CODE_s1.py` holds one defect, of the rule CODE, on the line that ends in
`# SICK`; `CODE_h1.py` is a look-alike without any.  The writers saw a rule's code, its name and
one sentence, and neither our rules, our fixtures nor what was found.  A defect is found where its
rule tells something, and told in the right place where that line is among those of the finding.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.scanning.corpus import Found, scanned

SPECIMENS = Path(__file__).parent / "specimens"
MARK = "# SICK"
# A line or two off is the same statement: some mark the call, some the name that it is given to.
NEAR = 2


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """One file."""

    file: Path
    found: tuple[Found, ...]  # all that is told of it

    @property
    def rule(self) -> str:
        """The code of the rule that it was written for."""
        return self.file.stem.partition("_")[0]

    @property
    def sick(self) -> bool:
        """Whether it holds a defect."""
        return "_s" in self.file.stem

    @cached_property
    def own(self) -> list[Found]:
        """What its rule tells of it."""
        return [one for one in self.found if one.rule == self.rule]

    @property
    def placed(self) -> bool:
        """Whether its rule tells it where the writer saw it."""
        lines = self.file.read_text().splitlines()
        marked = [number for number, line in enumerate(lines, 1) if MARK in line]
        return any(abs(one.line - line) <= NEAR for one in self.own for line in marked)


def specimens(folder: Path = SPECIMENS) -> Iterator[Specimen]:
    """All specimens, each with what a scan tells of it."""
    told: dict[str, list[Found]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as elsewhere:  # each set is a project of its own there
        for one in scanned(Path(shutil.copytree(folder, Path(elsewhere) / "specimens"))):
            told[one.path].append(one)
    for file in sorted(folder.glob("*/*.py")):
        path = file.relative_to(folder).as_posix()
        yield Specimen(file=file, found=tuple(told[path]))


def table(every: Sequence[Specimen]) -> Iterator[str]:
    """What was found by set, and by rule where it was missed or something was told besides."""
    sets: Mapping[str, list[Specimen]] = defaultdict(list)
    rules: Mapping[str, list[Specimen]] = defaultdict(list)
    for one in every:
        sets[one.file.parent.name].append(one)
        rules[one.rule].append(one)
    yield "| set | sick | found | in the right place | healthy | something told of |"
    yield "|---|---|---|---|---|---|"
    for name, those in sorted(sets.items()):
        yield _row(name, those)
    yield ""
    yield "| rule | sick | found | missed | healthy files with findings |"
    yield "|---|---|---|---|---|"
    for rule, those in sorted(rules.items()):
        sick = [one for one in those if one.sick]
        missed = ", ".join(_name(one) for one in sick if not one.own)
        alarms = ", ".join(
            f"{_name(one)} ({', '.join(sorted({found.rule for found in one.found}))})"
            for one in those
            if not one.sick and one.found
        )
        found = sum(bool(one.own) for one in sick)
        yield f"| {rule} | {len(sick)} | {found} | {missed} | {alarms} |"


def _row(name: str, those: Sequence[Specimen]) -> str:
    sick = [one for one in those if one.sick]
    found = sum(bool(one.own) for one in sick)
    placed = sum(one.placed for one in sick)
    alarms = sum(bool(one.found) for one in those if not one.sick)
    healthy = len(those) - len(sick)
    shares = [f"{count} ({count / max(len(sick), 1):.0%})" for count in (found, placed)]
    return f"| {name} | {len(sick)} | {' | '.join(shares)} | {healthy} | {alarms} |"


def _name(one: Specimen) -> str:
    return f"{one.file.parent.name}/{one.file.stem}"


def main() -> int:
    """Scan and tell; exit code 1 where anything is told of a healthy file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--specimens", type=Path, default=SPECIMENS)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    every = list(specimens(given.specimens))
    text = "\n".join(table(every))
    print(text, file=given.output.open("w") if given.output else sys.stdout)
    return int(any(one.found for one in every if not one.sick))


if __name__ == "__main__":
    sys.exit(main())

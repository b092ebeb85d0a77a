"""The specimens in the spellings of others, with all probes: is a healthy model left in peace?

    python -m benchmarks.scanning.spellings_run
    python -m benchmarks.scanning.spellings_run -o benchmarks/scanning/spellings_run.md

What `spellings` asks of the text, asked of a whole check, and of `healthy_models`: models of all
kinds by a writer who knew no rule at all.  A healthy file is convicted where a critical or high
finding is told of it, or its model is said not to train.  A defect of a file that holds a model is
confirmed, suspected or refuted by its own rule; what is refuted would be hidden from the user.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.scanning.spellings import SPECIMENS

HEALTHY = SPECIMENS.parent / "healthy_models"
NOT_TRAINED = frozenset({"untrainable", "degraded"})


@dataclass(kw_only=True)
class Checked:
    """One file, and what a check with all probes says of it."""

    name: str  # "first/GD101_s1"
    verdicts: list[str] = field(default_factory=list)  # of its models
    told: list[tuple[str, str]] = field(default_factory=list)  # rule and status
    grave: bool = False  # one of them is critical or high, and not refuted

    @property
    def sick(self) -> bool:
        """Whether it holds a defect."""
        return "_s" in self.name

    @property
    def convicted(self) -> bool:
        """Whether anything is held against it."""
        return self.grave or not NOT_TRAINED.isdisjoint(self.verdicts)

    @property
    def own(self) -> str:
        """The strongest that its rule says of it; "": nothing."""
        rule = self.name.partition("/")[2].partition("_")[0]
        said = {status for code, status in self.told if code == rule}
        return next((one for one in ("confirmed", "suspected", "refuted") if one in said), "")


def checked(folder: Path) -> Iterator[Checked]:
    """All files of one set, each with what is said of it."""
    with tempfile.TemporaryDirectory() as elsewhere:  # a project of its own there
        files = Path(shutil.copytree(folder, Path(elsewhere) / folder.name))
        command = [sys.executable, "-m", "gptdoctor", "check", "--no-cache", "--exit-zero"]
        command += ["--output-format", "json", str(files)]
        done = subprocess.run(command, capture_output=True, check=True, cwd=files)
    found: dict[str, Checked] = {
        file.name: Checked(name=f"{folder.name}/{file.stem}") for file in folder.glob("*.py")
    }
    document: dict[str, Any] = json.loads(done.stdout)
    for model in document["models"]:
        found[Path(model["path"]).name].verdicts.append(model["verdict"])
    for one in document["findings"]:
        status, file = one["evidence"]["status"], found[Path(one["path"]).name]
        file.told.append((one["rule"], status))
        file.grave |= status != "refuted" and one["severity"] in ("critical", "high")
    yield from (found[name] for name in sorted(found))


def table(sets: dict[str, list[Checked]]) -> Iterator[str]:
    """What was said by set, and the files that deserve a look."""
    yield "| set | healthy models | convicted | sick models | confirmed | suspected | refuted |"
    yield "|---|---|---|---|---|---|---|"
    for name, those in sets.items():
        models = [one for one in those if one.verdicts]
        healthy, sick = [one for one in models if not one.sick], [one for one in models if one.sick]
        said = Counter(one.own for one in sick)
        counts = " | ".join(str(said[one]) for one in ("confirmed", "suspected", "refuted"))
        convicted = sum(one.convicted for one in healthy)
        yield f"| {name} | {len(healthy)} | {convicted} | {len(sick)} | {counts} |"
    yield ""
    yield "| file | verdicts | findings |"
    yield "|---|---|---|"
    for one in (one for those in sets.values() for one in those):
        if one.own == "refuted" or (one.convicted and not one.sick):
            told = ", ".join(f"{rule} {status}" for rule, status in one.told)
            yield f"| {one.name} | {', '.join(one.verdicts)} | {told} |"


def main() -> int:
    """Check and tell; exit code 1 where a healthy file is convicted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    sets: dict[str, list[Checked]] = defaultdict(list)
    for folder in [*sorted(one for one in SPECIMENS.iterdir() if one.is_dir()), HEALTHY]:
        sets[folder.name] = list(checked(folder))
    text = "\n".join(table(sets))
    print(text, file=given.output.open("w") if given.output else sys.stdout)
    every = (one for those in sets.values() for one in those)
    return int(any(one.convicted for one in every if not one.sick))


if __name__ == "__main__":
    sys.exit(main())

"""The packages of `packages.txt`, unpacked as a user's own projects, and scans of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True, kw_only=True)
class Found:
    """One finding of a scan."""

    rule: str
    name: str
    severity: str
    path: str  # relative to the corpus: "timm/models/vit.py"
    line: int
    symbol: str
    message: str

    @property
    def place(self) -> tuple[str, str, str]:
        """What it is judged by: lines move from release to release, symbols hardly do."""
        return self.rule, self.path, self.symbol or "-"


def unpacked(scratch: Path) -> Path:
    """The folder with one folder for each package; downloaded where it is not there yet."""
    wheels, files = scratch / "wheels", scratch / "files"
    if not wheels.exists():
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        needs = ["--dest", str(wheels), "-r", str(HERE / "packages.txt")]
        subprocess.run([*pip, *needs], check=True)
    for wheel in sorted(wheels.glob("*.whl")):
        folder = files / wheel.name.split("-")[0].lower()
        if not folder.exists():
            zipfile.ZipFile(wheel).extractall(folder)
            (folder / "pyproject.toml").write_text(_project(folder))
    return files


def _project(folder: Path) -> str:
    """A project file that declares what the wheel declares: none of it is installed here."""
    metadata = next(folder.glob("*.dist-info/METADATA")).read_text()
    needs = re.findall(r"^Requires-Dist: (.+)$", metadata, re.MULTILINE)
    name = json.dumps(folder.name)
    return f'[project]\nname = {name}\nversion = "0"\ndependencies = {json.dumps(needs)}\n'


def scanned(files: Path) -> Iterator[Found]:
    """All that `gptdoctor check --static` finds in each package, with none of our caches."""
    for folder in sorted(path for path in files.iterdir() if path.is_dir()):
        for one in _document(folder)["findings"]:
            if one["evidence"]["status"] == "refuted":
                continue
            yield Found(
                rule=one["rule"],
                name=one["name"],
                severity=one["severity"],
                path=f"{folder.name}/{one['path']}",
                line=one["line"],
                symbol=one["symbol"],
                message=one["message"],
            )


def _document(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "gptdoctor", "check", "--static", "--no-cache"]
    done = subprocess.run(
        [*command, "--output-format", "json", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    if done.returncode not in (0, 1):
        sys.exit(f"{folder.name}: exit {done.returncode}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}


def sources(files: Path) -> list[Path]:
    """All Python files of the corpus, sorted."""
    return sorted(files.rglob("*.py"))

"""How often the static scan raises its voice on code that is known to train.

    pip install -c constraints.txt '.[bench]'
    python benchmarks/healthy_packages.py [FOLDER]     # default: transformers/models

Prints every finding of critical and high severity with its place, and how many files have one:
each line is there to be looked at by hand. What came of that is in `benchmarks/README.md`.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

LOUD = ("critical", "high")


def default_folder() -> Path:
    """The folder of transformers' models, found without importing them."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        sys.exit("transformers is not installed: pip install -c constraints.txt '.[bench]'")
    return Path(spec.origin).parent / "models"


def main() -> None:
    """Scan the folder and print what it says."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder()
    command = [sys.executable, "-m", "gptdoctor", "check", "--static", "--exit-zero"]
    done = subprocess.run(
        [*command, "--output-format", "json", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)
    findings = document["findings"]
    loud = [finding for finding in findings if finding["severity"] in LOUD]
    for finding in loud:
        print(f"{finding['path']}:{finding['line']}: {finding['rule']} {finding['excerpt']}")
    print(f"\n{document['summary']['files']} files; by rule: {dict(_by_rule(findings))}")
    print(f"{len({finding['path'] for finding in loud})} files have a critical or high finding")


def _by_rule(findings: list[dict[str, str]]) -> Counter[str]:
    return Counter(finding["rule"] for finding in findings)


if __name__ == "__main__":
    main()

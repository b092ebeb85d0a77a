"""Mutants with a proven effect, and their bases, written as projects of one file each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mutations.edit import Tree
from benchmarks.mutations.host import Host
from benchmarks.mutations.operator import Operator
from benchmarks.mutations.prove import candidates
from benchmarks.mutations.split import is_held_out, name_of

AT_ONCE = 2  # hosts that are proven at the same time
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One file for gptdoctor: a mutant, or a base where `operator` is None."""

    host: Host
    operator: Operator | None
    source: str
    first_line: int = 0
    last_line: int = 0
    effect: str = ""

    @property
    def name(self) -> str:
        """host/operator, by which mutants are split."""
        return name_of(self.host.name, self.operator.name if self.operator else "base")

    @property
    def folder(self) -> str:
        """The folder of its project."""
        return self.name.replace("/", "__")

    def write(self, below: Path) -> str:
        """Writes the project; returns what gptdoctor is asked to check, relative to `below`."""
        folder = below / self.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.host.file).write_text(self.source)
        return f"{self.folder}/{self.host.file}::{self.host.model}"


@dataclass(frozen=True, kw_only=True)
class Made:
    """The cases of some hosts, and how many places of operators had no effect."""

    bases: list[Case]
    mutants: list[Case]
    without_effect: list[str]


def made(hosts: Iterable[Host], operators: list[Operator], held_out: bool | None) -> Made:
    """All proven mutants of one half (None: of both), each host proven in a process of its own."""
    result = Made(bases=[], mutants=[], without_effect=[])
    there = [(host, base) for host in hosts if (base := _source(host)) is not None]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        proofs = list(pool.map(lambda one: _proofs(one[0], operators), there))
    for (host, base), found in zip(there, proofs, strict=True):
        result.bases.append(Case(host=host, operator=None, source=base))
        tree = Tree(base)
        for operator in operators:
            name = name_of(host.name, operator.name)
            if operator.name not in found or held_out not in (None, is_held_out(name)):
                continue
            proof = found[operator.name]
            if proof["place"] is None:
                result.without_effect.append(name)
            else:
                result.mutants.append(_case(host, operator, tree, proof))
    return result


def _case(host: Host, operator: Operator, tree: Tree, proof: dict[str, object]) -> Case:
    place = proof["place"]
    assert isinstance(place, int)
    one = candidates(operator, tree)[place]
    return Case(
        host=host,
        operator=operator,
        source=one.source,
        first_line=one.first_line,
        last_line=one.last_line,
        effect=str(proof["effect"]),
    )


def _source(host: Host) -> str | None:
    try:
        return host.source()
    except LookupError as error:
        print(f"{host.name} is left out: {error}", file=sys.stderr)
        return None


def _proofs(host: Host, operators: list[Operator]) -> dict[str, dict[str, object]]:
    command = [sys.executable, "-m", "benchmarks.mutations.prove", host.name]
    command += [operator.name for operator in operators]
    done = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["operator"]: line for line in lines}

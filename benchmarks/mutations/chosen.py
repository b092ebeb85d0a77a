"""Which mutants a run is about: the options that the commands of this folder share."""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter

from benchmarks.mutations.cases import Case, Made, made
from benchmarks.mutations.host import Host
from benchmarks.mutations.registry import all_operators, hosts
from benchmarks.mutations.split import is_fresh


def options_of(document: str | None) -> argparse.ArgumentParser:
    """A parser that knows the choice of mutants; `document`: of the module that is the command."""
    parser = argparse.ArgumentParser(description=document.splitlines()[0] if document else None)
    sets = parser.add_mutually_exclusive_group()
    sets.add_argument("--development", action="store_true", help="the half that may be seen")
    sets.add_argument("--held-out", action="store_true", help="the other half")
    sets.add_argument("--fresh", action="store_true", help="the hosts that are in neither half")
    parser.add_argument("--host", help="only this host")
    parser.add_argument("--operator", help="only this operator")
    parser.add_argument("--family", help="only the operators of this family")
    parser.add_argument("--per-operator", type=int, help="at most so many mutants of an operator")
    return parser


def chosen(options: argparse.Namespace) -> tuple[Made, list[Case]]:
    """All that was made of the chosen hosts and operators, and the mutants that are asked about."""
    half = True if options.held_out else False if options.development else None
    operators = [
        one
        for one in all_operators()
        if options.operator in (None, one.name) and options.family in (None, one.family)
    ]
    result = made(chosen_hosts(options), operators, half)
    return result, _limited(result.mutants, options.per_operator)


def chosen_hosts(options: argparse.Namespace) -> list[Host]:
    """The hosts that are asked about; without `--fresh` never a fresh one, not even by its name."""
    if options.host is not None and is_fresh(options.host) and not options.fresh:
        raise SystemExit(f"{options.host} is one of the fresh hosts: they need --fresh")
    there = [one for one in hosts() if is_fresh(one.name) == options.fresh]
    return [one for one in there if options.host in (None, one.name)]


def _limited(mutants: list[Case], most: int | None) -> list[Case]:
    """The first mutants of each operator in the order of a hash, which is the same each time."""
    if most is None:
        return mutants
    seen: Counter[str] = Counter()
    kept = []
    for case in sorted(mutants, key=lambda one: hashlib.sha256(one.name.encode()).digest()):
        assert case.operator is not None
        seen[case.operator.name] += 1
        if seen[case.operator.name] <= most:
            kept.append(case)
    return kept

"""Puts faults into healthy models, and counts how many of them gptdoctor finds.

    python -m benchmarks.mutations.run --development   # the half that may be looked at
    python -m benchmarks.mutations.run --held-out      # the other half
    python -m benchmarks.mutations.run --host nano --operator greedy
    python -m benchmarks.mutations.run --development --family routing

Prints Markdown: a line for each operator, totals, and every mutant that was missed. With
`--per-operator N` at most N mutants of each operator are examined; with `--prove-only` they are
written and not examined. Downloads, proofs and mutants are kept in $MUTATIONS_SCRATCH, or in the
system's temporary folder.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import time
from collections import Counter

from benchmarks.mutations.cases import Case, Made, made
from benchmarks.mutations.doctor import examine
from benchmarks.mutations.packaged import scratch
from benchmarks.mutations.registry import all_operators, hosts
from benchmarks.mutations.table import judged, lines


def main() -> None:
    """Make, prove, examine, tell."""
    options = _options()
    started = time.perf_counter()
    half = True if options.held_out else False if options.development else None
    chosen = [one for one in hosts() if options.host in (None, one.name)]
    operators = [
        one
        for one in all_operators()
        if options.operator in (None, one.name) and options.family in (None, one.family)
    ]
    result = made(chosen, operators, half)
    _tell_made(result)
    mutants = _limited(result.mutants, options.per_operator)
    folder = scratch() / "cases"
    shutil.rmtree(folder, ignore_errors=True)
    if options.prove_only:
        for case in [*result.bases, *mutants]:
            case.write(folder)
        return
    bases = {case.host.name: one for case, one in examine(result.bases, folder)}
    rows = [judged(case, one, bases[case.host.name]) for case, one in examine(mutants, folder)]
    print("\n".join(lines(rows, bases)))
    print(f"{time.perf_counter() - started:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    halves = parser.add_mutually_exclusive_group()
    halves.add_argument("--development", action="store_true", help="the half that may be seen")
    halves.add_argument("--held-out", action="store_true", help="the other half")
    parser.add_argument("--host", help="only this host")
    parser.add_argument("--operator", help="only this operator")
    parser.add_argument("--family", help="only the operators of this family")
    parser.add_argument("--per-operator", type=int, help="at most so many mutants of an operator")
    parser.add_argument("--prove-only", action="store_true", help="only write the mutants")
    return parser.parse_args()


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


def _tell_made(result: Made) -> None:
    families = Counter(case.operator.family for case in result.mutants if case.operator)
    count = len(result.mutants)
    operators = {case.operator.name for case in result.mutants if case.operator}
    print(
        f"{count} mutants of {len(operators)} operators and {len(result.bases)} hosts have a "
        f"proven effect; {len(result.without_effect)} more places have none.\n"
    )
    print(", ".join(f"{family} {number}" for family, number in sorted(families.items())) + "\n")


if __name__ == "__main__":
    main()

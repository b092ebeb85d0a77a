"""Puts faults into healthy models, and counts how many of them gptdoctor finds.

    python -m benchmarks.mutations.run --development   # the half that may be looked at
    python -m benchmarks.mutations.run --held-out      # the other half
    python -m benchmarks.mutations.run --fresh         # the hosts that are in neither half
    python -m benchmarks.mutations.run --host nano --operator greedy
    python -m benchmarks.mutations.run --development --family routing

Prints Markdown: a line for each operator, totals, and every mutant that was missed. With
`--per-operator N` at most N mutants of each operator are examined; with `--prove-only` they are
written and not examined. Downloads, proofs and mutants are kept in $MUTATIONS_SCRATCH, or in the
system's temporary folder.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter

from benchmarks.mutations.cases import Made
from benchmarks.mutations.chosen import chosen, options_of
from benchmarks.mutations.doctor import examine
from benchmarks.mutations.packaged import scratch
from benchmarks.mutations.table import judged, lines


def main() -> None:
    """Make, prove, examine, tell."""
    parser = options_of(__doc__)
    parser.add_argument("--prove-only", action="store_true", help="only write the mutants")
    options = parser.parse_args()
    started = time.perf_counter()
    result, mutants = chosen(options)
    _tell_made(result)
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

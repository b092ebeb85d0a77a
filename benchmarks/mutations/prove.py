"""Proves mutants of one host: which place of an operator has an effect that the base has not.

    python -m benchmarks.mutations.prove HOST [OPERATOR ...]

Prints one line of JSON for each operator. Each one is tried in a fork of its own with a time
limit, so that a mutant that hangs or crashes does no harm. Results are kept in the scratch folder
by content: of the effects, of how the host is built, and of the candidates.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.mutations.edit import Mutant, Tree, edits, mutant
from benchmarks.mutations.host import Host
from benchmarks.mutations.operator import Operator
from benchmarks.mutations.packaged import scratch
from benchmarks.mutations.registry import all_operators, hosts

HERE = Path(__file__).parent
SECONDS = 60.0
PLACES = 12  # candidates that are tried for one operator and host


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The first candidate with an effect, by its index; None where none has."""

    place: int | None
    effect: str | None
    notes: tuple[str, ...] = ()


def candidates(operator: Operator, tree: Tree) -> list[Mutant]:
    """The mutants that an operator makes of a source, in order."""
    made = (mutant(operator, tree, edit) for edit in edits(operator, tree))
    return [one for one in made if one is not None][:PLACES]


def prove(host: Host, operator: Operator, base: str, mutants: list[Mutant]) -> Proof:
    """Tries the candidates in order, in this process."""
    from benchmarks.mutations.subject import Subject

    notes = []
    for place, one in enumerate(mutants):
        for effect in operator.effects:
            try:
                holds = effect(Subject(host, one.source, base))
                if holds and not effect(Subject(host, base, base)):
                    return Proof(place=place, effect=effect.__name__)
                notes.append(f"{place} {effect.__name__}: {'also on the base' if holds else 'no'}")
            except Exception as error:
                notes.append(f"{place} {effect.__name__}: {type(error).__name__}: {error}"[:300])
    return Proof(place=None, effect=None, notes=tuple(notes))


def prove_apart(host: Host, operator: Operator, base: str, mutants: list[Mutant]) -> Proof:
    """The same in a fork, which is killed at the time limit."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        proof = prove(host, operator, base, mutants)
        os.write(writing, json.dumps(asdict(proof)).encode())
        os._exit(0)
    os.close(writing)
    answer = _answer(reading, time.monotonic() + SECONDS)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    if not answer:
        return Proof(place=None, effect=None, notes=("no answer: it hung or crashed",))
    return Proof(**json.loads(answer))


def _answer(descriptor: int, until: float) -> bytes:
    parts = b""
    while (left := until - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            return b""
        part = os.read(descriptor, 65536)
        if not part:
            return parts
        parts += part
    return b""


def key_of(host: Host, operator: Operator, base: str, mutants: list[Mutant]) -> str:
    """What a proof depends on, as a hash."""
    files = [*sorted((HERE / "effects").glob("*.py")), HERE / "subject.py", HERE / "host.py"]
    texts = [file.read_text() for file in [*files, HERE / "sidecars" / f"{host.name}.py"]]
    texts += [effect.__name__ for effect in operator.effects]
    texts += [base, *(one.source for one in mutants)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def main() -> None:
    """Prove the operators of one host, and print a line for each."""
    import torch

    torch.set_num_threads(1)  # a fork after threaded operations hangs
    host = next(one for one in hosts() if one.name == sys.argv[1])
    base = host.source()
    tree = Tree(base)
    from benchmarks.mutations.subject import load

    load(base, f"first_{host.name}")  # what it imports is then imported once for all forks
    store = scratch() / "proofs"
    store.mkdir(exist_ok=True)
    for operator in all_operators():
        if sys.argv[2:] and operator.name not in sys.argv[2:]:
            continue
        found = candidates(operator, tree)
        if not found:
            continue
        kept = store / f"{key_of(host, operator, base, found)}.json"
        if not kept.exists():
            proof = prove_apart(host, operator, base, found)
            kept.write_text(json.dumps(asdict(proof)))
        print(json.dumps({"operator": operator.name, **json.loads(kept.read_text())}), flush=True)


if __name__ == "__main__":
    main()

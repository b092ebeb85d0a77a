"""Asks the peers about the cases on stdin, each in a fork; a line of JSON for each on stdout."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import types
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import ids_of
from benchmarks.mutations.peer_checks import PEERS, Logits, alarm
from benchmarks.mutations.registry import hosts
from benchmarks.mutations.subject import load

SECONDS = 60.0


def of_mutant(case: dict[str, Any]) -> dict[str, str]:
    """What all peers say of a source of a host."""
    host = next(one for one in hosts() if one.name == case["host"])

    def make() -> tuple[nn.Module, Logits]:
        return host.build(load(case["source"], f"peer_{host.name}"), 2), host.logits

    return {peer: alarm(peer, make, ids_of(host, 4, 11)) for peer in PEERS}


def of_trap(case: dict[str, Any]) -> dict[str, str]:
    """What all peers say of a healthy trap, built and called as gptdoctor found out."""
    sys.path.insert(0, case["folder"])
    module = types.ModuleType("trap")
    exec(compile(case["text"], "trap.py", "exec"), vars(module))

    def make() -> tuple[nn.Module, Logits]:
        return module.build(), module.logits

    ids: Tensor = module.random_ids()
    return {peer: alarm(peer, make, ids) for peer in PEERS}


def said(case: dict[str, Any]) -> dict[str, str]:
    """What the peers say of one case."""
    return of_trap(case) if "text" in case else of_mutant(case)


def apart(case: dict[str, Any]) -> dict[str, str]:
    """The same in a fork with a time limit."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            answer = said(case)
        except BaseException as error:
            answer = dict.fromkeys(PEERS, f"{type(error).__name__}: {error}")
        os.write(writing, json.dumps({peer: one[:300] for peer, one in answer.items()}).encode())
        os._exit(0)
    os.close(writing)
    there = select.select([reading], [], [], SECONDS)[0]
    data = os.read(reading, 1 << 16) if there else b""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    answered: dict[str, str] = json.loads(data) if data else dict.fromkeys(PEERS, "no answer")
    return answered


def main() -> None:
    """All cases in turn."""
    torch.set_num_threads(1)  # a fork after threaded operations hangs
    for case in json.load(sys.stdin):
        print(json.dumps({"name": case["name"], "said": apart(case)}), flush=True)


if __name__ == "__main__":
    main()

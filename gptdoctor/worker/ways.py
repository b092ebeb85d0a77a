"""Which way models are run on this system: in forks of one process, or each in a fresh one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from gptdoctor.worker.link import Link
from gptdoctor.worker.spawn_link import SpawnLink

# "spawn" chooses fresh processes also where forks are possible: for tests, and for a system on
# which forked processes turn out to be ill.
VARIABLE = "GPTDOCTOR_WORKER"
_METAL = Path("/System/Library/Frameworks/Metal.framework")

AnyLink: TypeAlias = Link | SpawnLink


def can_fork(*, devices: bool) -> bool:
    """Whether forks serve: there are such, and the models are shown no device that fails in one.

    Metal does not work in a forked process; CUDA does where the parent has not touched it.
    """
    if os.environ.get(VARIABLE) == "spawn" or not hasattr(os, "fork"):
        return False
    return not (devices and _METAL.exists())


def start_link(python: str, root: str, *, devices: bool) -> AnyLink:
    """The line to what runs models, which is started at once."""
    return Link(python, root) if can_fork(devices=devices) else SpawnLink(python, root)

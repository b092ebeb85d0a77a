"""Which mutants may be looked at while gptdoctor is being made, and which are held out."""

from __future__ import annotations

import hashlib


def name_of(host: str, operator: str) -> str:
    """The name of a mutant."""
    return f"{host}/{operator}"


def is_held_out(name: str) -> bool:
    """Whether a mutant belongs to the held-out half: decided by its name alone."""
    return hashlib.sha256(name.encode()).digest()[0] >= 128

"""Which mutants may be looked at while gptdoctor is being made, and which are not."""

from __future__ import annotations

import hashlib

FRESH = frozenset({"attn_res", "bloom", "dispatch", "grouped", "qwen3", "selective"})
"""Hosts whose mutants belong to neither half: none was looked at while gptdoctor was being made."""


def name_of(host: str, operator: str) -> str:
    """The name of a mutant."""
    return f"{host}/{operator}"


def is_fresh(host: str) -> bool:
    """Whether all mutants of a host belong to the fresh set."""
    return host in FRESH


def is_held_out(name: str) -> bool:
    """Whether a mutant, not a fresh one, is in the held-out half: decided by its name alone."""
    return hashlib.sha256(name.encode()).digest()[0] >= 128

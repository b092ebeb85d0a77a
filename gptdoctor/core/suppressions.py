"""Why a finding is known and left alone: the user set it aside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class SuppressedBy(str, Enum):
    """What set a finding aside, the nearest to the code first."""

    COMMENT = "comment"  # `# gptdoctor: ignore[GD101] reason`
    FILE = "per-file-ignores"  # of pyproject.toml
    BASELINE = "baseline"  # it was there when the baseline was written
    BASE = "diff-base"  # it was there before the branch


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """What set a finding aside, and the reason that the user gave, "" for none."""

    by: SuppressedBy
    reason: str = ""

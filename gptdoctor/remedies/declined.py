"""The one way in which a remedy says no."""

from __future__ import annotations


class Declined(Exception):  # it is an answer, not a fault
    """Raised by a remedy that will not touch this code; its text, one sentence, says why."""

"""What all measurements are.

The probe `gradient-flow` fills in `GradientFlow` of `core/measurements/gradient_flow.py`: the
name leads to the file and the class, so that no list of measurements is kept anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one probe measured of one specimen."""

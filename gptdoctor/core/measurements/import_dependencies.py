"""What happened when the model's file and the project modules it needs were imported."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class ImportFailure:
    """An import statement of the user's project that did not resolve where the model runs."""

    path: str
    line: int
    module: str  # absolute, as resolved: "apt_model.modeling.blocks"
    name: str | None  # the name that the module lacks; None: the module itself is missing
    guarded: bool  # the user's own try/except dealt with it
    needed: bool  # building the model used what was missing
    error: str  # "ModuleNotFoundError: No module named 'apt_model'"


@dataclass(frozen=True, kw_only=True)
class ImportDependencies(Measurement):
    """Probe import-dependencies: the import statements that ran, and those that failed."""

    imported: bool  # the file was imported (with stand-ins for what failed)
    failures: tuple[ImportFailure, ...]
    seconds: float

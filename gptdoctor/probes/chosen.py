"""All probes, found by walking this folder."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import gptdoctor.probes
from gptdoctor.core.measurements.record import Unmeasured
from gptdoctor.core.specimens import is_asked
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.places import told


def chosen_probes(
    names: tuple[str, ...], without: tuple[str, ...] = (), *, fast: bool = False
) -> Iterator[Probe | Unmeasured]:
    """The probes that were asked for, in their order; first those that cannot be loaded.

    With `fast`, only the quick ones.
    """
    found = []
    for entry in pkgutil.iter_modules(gptdoctor.probes.__path__):
        name = entry.name.replace("_", "-")
        if not is_asked(name, names, without):
            continue
        try:
            probe = getattr(import_module(f"gptdoctor.probes.{entry.name}"), "PROBE", None)
        except Exception as error:
            yield Unmeasured(probe=name, reason=f"gptdoctor's own fault: {told(error, '')}")
            continue
        if isinstance(probe, Probe) and (probe.fast or not fast):
            found.append(probe)
    yield from sorted(found, key=lambda probe: (probe.order, probe.name))

"""The one network of a file: what its functions call their model, where nobody says which."""

from __future__ import annotations

import re

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

# What a function calls the network that it is given.
NETWORK = re.compile(r"^(model|net|network)$")


@kept(64)
def lone_network(project: Project, module: SourceModule) -> ClassInfo | None:
    """The one network of a file that is no part or base of another, where there is just one."""
    networks = [one for one in project.classes(module).values() if project.is_network(one)]
    parts = {part for one in networks for part in project.parts(one) if part is not one}
    bases = {base for one in networks for base in project.bases(one)}
    free = [one for one in networks if one not in parts and one not in bases]
    return free[0] if len(free) == 1 else None

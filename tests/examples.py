"""The examples of all rules that only a run shows, examined once for all tests of one process.

Modules of tests that ask for them are one group: pytest-xdist runs them in the same process.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from gptdoctor.catalog import all_defects
from tests.commands import examined

GROUP = "examples"
# Rules whose convictions stand alone; those of the others only settle what the text raised.
TEXT_FIRST = {"GD101", "GD201", "GD301", "GD401", "GD501", "GD502", "GD601", "GD701"}
TEXT_FIRST |= {"GD812", "GD815"}
BY_RUN = [one for one in all_defects() if one.convicts and one.code not in TEXT_FIRST]


def path_of(code: str, *, healed: bool = False) -> str:
    """The file of a rule's sick example, or of the healed one.

    A name with "example" in it would say that the file trains the model beside it: each model would
    be read with the texts of a dozen others.
    """
    return f"healed/{code}.py" if healed else f"sick/{code}.py"


@cache
def examples() -> tuple[Path, dict[str, Any]]:
    """The folder with all files, and the examination of it."""
    folder = Path(tempfile.mkdtemp(prefix="gptdoctor-examples-")).resolve()
    (folder / "pyproject.toml").write_text("")
    for place in ("sick", "healed"):
        (folder / place).mkdir()
    for defect in BY_RUN:
        (folder / path_of(defect.code)).write_text(defect.sick)
        (folder / path_of(defect.code, healed=True)).write_text(defect.healed)
    return folder, examined(folder)

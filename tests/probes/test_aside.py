"""What torch imports for tensors without data is there for them, and for nobody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gptdoctor.core.measurements.full_size import FullSize
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.worker.session import Session
from tests.commands import ROOT
from tests.worker.conftest import HEALTHY, write


def said(script: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.strip()


def test_what_lies_aside_is_out_of_sight_until_it_is_brought_back() -> None:
    """No module of it is loaded meanwhile; then all are, and none of them is imported again."""
    script = """
import sys
from gptdoctor.probes.instruments.aside import bring_back, import_aside
before = set(sys.modules)
import_aside()
hidden = set(sys.modules) == before
bring_back()
taken = sys.modules["sympy"]
import sympy.core
print(hidden, "mpmath" in sys.modules, sympy is taken)
"""
    assert said(script) == "True True True"


def test_what_the_user_s_file_has_loaded_stays(tmp_path: Path) -> None:
    """A module of the same name, or a copy of its own, is not exchanged."""
    script = """
import sys, types
from gptdoctor.probes.instruments.aside import bring_back, import_aside
import_aside()
theirs = sys.modules["sympy"] = types.ModuleType("sympy")
bring_back()
print(sys.modules["sympy"] is theirs, "mpmath" in sys.modules)
"""
    assert said(script) == "True False"


def test_distributed_tensors_are_not_imported_to_learn_that_there_are_none() -> None:
    """The stand-in answers torch, gives way to whoever wants more, and is gone afterwards."""
    script = """
import sys, torch
from gptdoctor.probes.instruments.fake_tensors import FakeTensors
name = "torch.distributed.tensor"
with FakeTensors()():
    torch.nn.Linear(3000, 3000)(torch.ones(2, 3000)).sum().backward()
    inside = name + "._ops" in sys.modules
    from torch.distributed.tensor import distribute_tensor
print(inside, name in sys.modules, callable(distribute_tensor))
with FakeTensors()():
    pass
print(sys.modules[name].distribute_tensor is distribute_tensor)
"""
    assert said(script).split() == ["False", "True", "True", "True"]


def test_each_model_of_a_session_is_examined_as_in_a_plain_process(tmp_path: Path) -> None:
    """Its file finds nothing of it loaded, and its full size is run all the same."""
    large = HEALTHY.replace("vocab_size=32, dim=16", "vocab_size=5000, dim=1000")
    plain = "import sys\nassert 'sympy' not in sys.modules\n"
    names = ["first.py", "second.py", "third.py"]
    write(tmp_path, dict.fromkeys(names, plain + large))
    requests = [
        ExamineRequest(
            target=ModelTarget(path=name, name="Tiny", line=1, end_line=1, entry="forward"),
            root=str(tmp_path),
            seed=0,
            timeout_seconds=60.0,
            probes=("full-size",),
        )
        for name in names
    ]
    with Session(sys.executable, str(tmp_path)) as session:
        records = list(session.examine(requests))
    found = [
        one.measurement.configurations[0].outcome
        for record in records
        for one in record.measured
        if isinstance(one.measurement, FullSize)
    ]
    assert found == ["ok", "ok", "ok"], records

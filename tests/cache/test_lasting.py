"""Which results are kept: those that another run would come to."""

from __future__ import annotations

import pytest

from gptdoctor.cache.lasting import lasts
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.record import Ending, Measured, ModelRecord, Unmeasured
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.worker.limits import memory_lack

TARGET = ModelTarget(path="m.py", name="Tiny", line=1, end_line=1, entry="forward")


def record(
    *,
    crash: Crash | None = None,
    tried: tuple[str, ...] = (),
    reason: str = "it has no generate",
    ending: str = "finished",
    output: str = "",
) -> ModelRecord:
    """A record of a model that was, or was not, built."""
    construction = Construction(
        outcome="built" if crash is None and not tried else "crashed",
        build="Tiny()",
        call="model(ids)",
        entry="forward",
        parameters=1,
        vocabulary=1,
        batch=1,
        length=1,
        inputs=(),
        optional_inputs=(),
        returns="logits",
        crash=crash,
        tried=tried,
    )
    return ModelRecord(
        target=TARGET,
        measured=(Measured(probe="construction", measurement=construction),),
        unmeasured=(Unmeasured(probe="sampling", reason=reason),),
        ending=Ending(kind=ending, stage="", detail=""),
        output=output,
        seconds=1.0,
        torch="2",
        python="3",
    )


def test_a_result_of_the_code_alone_lasts() -> None:
    """Also a crash that the code brings about by itself, whatever it prints."""
    crash = Crash(stage="forward", kind="RuntimeError", message="shapes cannot be multiplied")
    assert lasts(record())
    assert lasts(record(crash=crash))
    assert lasts(record(output="FileNotFoundError: never mind"))


@pytest.mark.parametrize("kind", ["timeout", "exit", "signal", "not-started", "broken"])
def test_an_end_of_the_process_does_not(kind: str) -> None:
    """Time-outs, kills and crashes of the process are tried again."""
    assert not lasts(record(ending=kind))


@pytest.mark.parametrize(
    "kind",
    ["MemoryError", "OutOfMemoryError", "FileNotFoundError", "ConnectionError", "URLError"],
)
def test_an_error_of_the_world_does_not(kind: str) -> None:
    """Memory, files and networks are another matter the next time."""
    assert not lasts(record(crash=Crash(stage="construction", kind=kind, message="?")))


@pytest.mark.parametrize(
    "words",
    [
        "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory",
        "CUDA out of memory",
        "OSError: libcudart.so.12: cannot open shared object file: No such file",
        f"needs {memory_lack(2**30, 'RuntimeError: std::bad_alloc')}",
        "RuntimeError: std::bad_alloc",
        "its import asks for more memory than there is (MemoryError)",
    ],
)
def test_limits_of_this_machine_do_not(words: str) -> None:
    """Wherever they are told: as a crash, among what was tried, or as why a probe abstained."""
    assert not lasts(record(crash=Crash(stage="forward", kind="RuntimeError", message=words)))
    assert not lasts(record(tried=(words,)))
    assert not lasts(record(reason=words))

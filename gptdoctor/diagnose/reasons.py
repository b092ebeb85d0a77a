"""Why something was not measured, in one sentence that names what blocks it."""

from __future__ import annotations

from gptdoctor.core.accelerators import device_in, package_of
from gptdoctor.core.findings import Suspicion
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.import_dependencies import ImportDependencies, ImportFailure
from gptdoctor.core.measurements.record import Ending, ModelRecord
from gptdoctor.defect import Defect


def why_not_measured(defect: Defect, suspicion: Suspicion, record: ModelRecord) -> str:
    """What kept the probes of `defect` from judging `suspicion` in this model."""
    blocked = what_blocks(record)
    if blocked is not None:
        return blocked
    for unmeasured in record.unmeasured:
        if unmeasured.probe in defect.convicts:
            return f"{unmeasured.probe} was not measured: {unmeasured.reason}"
    if not defect.convicts:
        return "no probe can judge this"
    for measured in record.measured:
        if measured.probe in defect.convicts and measured.ran(
            suspicion.location.path, *suspicion.extent
        ):
            return f"{measured.probe} ran this code and could not settle it"
    return "no probe reached this code"


def what_blocks(record: ModelRecord) -> str | None:
    """Why no probe could run on the model at all, or None."""
    if record.ending.kind != "finished" and not record.measured:
        return ending_sentence(record.ending)
    construction = construction_of(record)
    if construction is None:
        return ending_sentence(record.ending)
    if construction.outcome == "built":
        return None
    lack = machine_lacks(record)
    if lack is not None:
        return f"needs {lack}"
    missing = missing_import(record)
    if missing is not None:
        return f"blocked by the import at {missing}"
    if construction.crash is not None:
        return f"blocked by {crash_sentence(construction.crash)}"
    tried = "; ".join(construction.tried) or "no way was found"
    if construction.parameters:
        return f"the model was built, and no call of it works: {tried}"
    return f"the model was not built: {tried}"


def machine_lacks(record: ModelRecord) -> str | None:
    """A device or its package that the model is made for and this machine has not, or None.

    That is no defect of the model: "flash-attn, which is not installed (gpt.py:3)".
    """
    construction = construction_of(record)
    if construction is not None and construction.lack:
        return construction.lack
    failure = needed_failure(record)
    if failure is None:
        return None
    place = f"{failure.path}:{failure.line}"
    package = package_of(failure.module)
    if package is not None and "No module named" in failure.error:
        return f"{package}, which is not installed ({place})"
    device = device_in(failure.error)
    if package is None and device is None:
        return None
    return f"{device or package}, which does not work here ({place}: {failure.error})"


def tells_of_lack(crash: Crash) -> bool:
    """Whether the code broke where it asks for what is not here, of which another reason tells."""
    refused = crash.kind in ("MissingError", "NotRunError")
    return refused or crash.lacks_memory or device_in(crash.message) is not None


def missing_import(record: ModelRecord) -> str | None:
    """The first import that failed and is needed: "model.py:18 (GD501, No module named 'x')"."""
    failure = needed_failure(record)
    return None if failure is None else f"{failure.path}:{failure.line} (GD501, {failure.error})"


def needed_failure(record: ModelRecord) -> ImportFailure | None:
    """The first import that failed and that the model needs."""
    construction = construction_of(record)
    crash = construction.crash if construction else None
    for imports in record.told(ImportDependencies):
        for failure in imports.failures:
            unguarded = not failure.guarded and not imports.imported
            if failure.needed or unguarded or failure.explains(crash):
                return failure
    return None


def construction_of(record: ModelRecord) -> Construction | None:
    """What the construction of the model came to, or None where it was not reached."""
    return next(record.told(Construction), None)


def crash_sentence(crash: Crash) -> str:
    """An exception with its place: "ValueError in forward at model.py:80: ..."."""
    place = f" at {crash.path}:{crash.line}" if crash.path else ""
    message = crash.message.strip().splitlines()
    return f"{crash.kind} in {crash.stage}{place}" + (f": {message[0]}" if message else "")


def ending_sentence(ending: Ending) -> str:
    """How the worker's child ended, for a user."""
    where = f" during {ending.stage}" if ending.stage else ""
    match ending.kind:
        case "timeout":
            return f"timed out after {ending.detail}{where}; give it more with --timeout"
        case "exit":
            return f"the process ended itself ({ending.detail}){where}"
        case "signal":
            return f"the process was killed by {ending.detail}{where}"
        case "not-started":
            return ending.detail
        case _:
            return f"the examination ended early{where}: {ending.detail}"

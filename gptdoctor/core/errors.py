"""Every error a user can meet: one sentence, what to do next, and the exit code it means."""

from __future__ import annotations


class DoctorError(Exception):
    """An error that is told to the user in one sentence, without a traceback."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)  # for those who call us from Python, and see a traceback


class UsageError(DoctorError):
    """The call is wrong: a target that does not exist, an unknown rule."""


class CatalogError(DoctorError):
    """A defect's module is broken or a code is used twice: a fault of gptdoctor's own."""


class WorkerError(DoctorError):
    """The worker process could not be started or broke its protocol."""


class ProtocolError(WorkerError):
    """A line from the worker that is not what the protocol says."""


class RepairError(DoctorError):
    """A repair could not be written; the user's files are as they were."""


class ResultFileError(DoctorError):
    """A result file given to `report --from` cannot be read."""


class ConfigError(DoctorError):
    """`[tool.gptdoctor]` of a pyproject.toml is not what it may be; names the key."""

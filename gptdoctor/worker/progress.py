"""What the parent has heard of one job so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic

from gptdoctor.core.events import Listener, ModelFinished, ModelStarted, ProbeStarted
from gptdoctor.core.measurements.record import Ending, Measured, ModelRecord, Unmeasured
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.worker.protocol import Ended, Output, Ready, Reply, Stage, Started

# The fork server keeps the time limit; the parent takes over this much later, when it did not.
_GRACE_SECONDS = 10.0


@dataclass(kw_only=True)
class Progress:
    """One job, from its request to the record that it ends with, whatever happens."""

    request: ExamineRequest
    listener: Listener
    ending: Ending | None = None
    process: int | None = None  # the leader of its process group, once it has started
    alone: bool = False  # a second try, after a fork server died with this job and others
    _began: float = field(default_factory=monotonic)
    _stage: str = ""
    _measured: dict[str, Measured] = field(default_factory=dict)
    _unmeasured: dict[str, Unmeasured] = field(default_factory=dict)
    _output: str = ""
    _seconds: float = 0.0
    _fault: str = ""  # what was wrong with a line of its

    @property
    def overdue(self) -> float:
        """When the fork server has broken its word to end this job, on the monotonic clock."""
        return self._began + self.request.timeout_seconds + _GRACE_SECONDS

    def begin(self) -> None:
        """The request is about to be sent."""
        self._began = monotonic()
        if not self.alone:
            self.listener(ModelStarted(self.request.target.path, self.request.target.name))

    def take(self, message: Reply) -> None:
        """Hear one message of the job's."""
        match message:
            case Started():
                self.process = message.process
                self._began = monotonic()  # the limit counts from here, not from torch's import
            case Output():
                self._output = message.text
            case Ended():
                self._seconds = message.seconds
                self.end(message.ending)
            case _ if self._fault:
                pass  # the rest is not believed either
            case Stage():
                self._stage = message.stage
                target = self.request.target
                self.listener(ProbeStarted(target.path, target.name, message.stage))
            case Measured():
                self._measured[message.probe] = message  # a later word on the same is a better one
            case Unmeasured():
                self._unmeasured[message.probe] = message

    def distrust(self, fault: str) -> None:
        """A line of the job's was not what the protocol says; only what came before it stays."""
        self._fault = self._fault or fault

    def end(self, ending: Ending) -> None:
        """The job is over."""
        if self._fault:
            ending = Ending(kind="broken", stage="", detail=self._fault)
        self.ending = replace(ending, stage=self._stage)
        self.listener(ModelFinished(self.request.target.path, self.request.target.name))

    def start_over(self) -> None:
        """Forget what was heard: the fork server died, and this job may not be why."""
        self.alone = True
        self.process = None
        self._stage = self._fault = ""
        self._measured.clear()
        self._unmeasured.clear()

    def record(self, ready: Ready) -> ModelRecord:
        """All that was heard."""
        ending = self.ending or Ending(kind="not-started", stage="", detail=ready.error)
        return ModelRecord(
            target=self.request.target,
            measured=tuple(self._measured.values()),
            unmeasured=tuple(self._unmeasured.values()),
            ending=ending,
            output=self._output,
            seconds=self._seconds,
            torch=ready.torch,
            python=ready.python,
            unlimited=ready.unlimited,
        )

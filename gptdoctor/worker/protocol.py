"""What crosses the border between gptdoctor and the process that runs a stranger's code.

JSON, one message a line, checked against the types of `core` when it is written and when it is
read; never pickle, which would let the stranger's side run code on ours.  A message is an object
with one key, the name of its class.  On the way back each line begins with the number of its job
and a space, written by the fork server: a child cannot speak for another one, and a line that is
broken still says whose it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from json import JSONDecoder, JSONEncoder
from typing import Any, TypeAlias, cast, get_args

from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.measurements.record import Ending, Measured, Unmeasured
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.worker.codec import from_plain, to_plain

# Held from the start: the user's code may replace `json.dumps` in the child.  Infinity and what
# is not a number cross as Python's json spells them: both ends are Python.
_encode_json = JSONEncoder(separators=(",", ":")).encode
_decode_json = JSONDecoder().decode

# Exit statuses of a child for ends that say nothing of the model.  Any numbers do that shells,
# signals and sysexits.h leave alone.
CHANNEL_LOST = 83  # the user's code closed the descriptor that it did not know
OWN_FAULT = 84  # gptdoctor's own code failed there


@dataclass(frozen=True, kw_only=True)
class Examine:
    """Request: start this job at once."""

    job: int
    request: ExamineRequest


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Request: kill this job; it ends as any other does."""

    job: int


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Request: kill all jobs and exit.  A closed pipe means the same."""


@dataclass(frozen=True, kw_only=True)
class Preload:
    """Request, while no job runs: import these for all jobs that follow, and nothing else.

    "einops", or "transformers:GPT2Config" with a name; none of them: as it was at the start.
    """

    modules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Ready:
    """Reply, before all others: the interpreter runs, and here is what it can do."""

    torch: str | None
    python: str
    error: str  # why no job can be run and what to do, one sentence; "" when all is well
    unlimited: tuple[str, ...] = ()  # limits that this system cannot keep, in words


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Reply to `Preload`: jobs can be sent."""

    failed: tuple[str, ...]  # modules that did harm and were not imported


@dataclass(frozen=True, kw_only=True)
class Started:
    """Reply: the child of a job exists, and leads the process group of this number."""

    process: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Reply: "import", "construction" or the probe of this name is about to begin."""

    stage: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    """Reply of a child that did all that it was asked; an exit status of 0 proves nothing."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """Reply: what the user's code printed, the first 64 KiB."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Reply, the last one of a job.  The parent knows the stage, and fills it in."""

    ending: Ending
    seconds: float


Request: TypeAlias = Examine | Cancel | Preload | Stop
ChildReply: TypeAlias = Stage | Measured | Unmeasured | Finished
Reply: TypeAlias = Ready | Prepared | Started | Output | Ended | ChildReply


def encode(message: Request | Reply) -> bytes:
    """The line, with its end, that carries a message."""
    kind = type(message)
    return _encode_json({kind.__name__: to_plain(message, kind)}).encode() + b"\n"


def address(job: int, line: bytes) -> bytes:
    """A child's line as the fork server passes it on: with the number of its job."""
    return b"%d %s" % (job, line)


def decode_request(line: bytes) -> Request:
    """The request that a line of the parent carries."""
    return cast(Request, _decode(line, get_args(Request)))


def split_reply(line: bytes) -> tuple[int, bytes]:
    """The job's number and the rest of a line of the fork server."""
    number, space, message = line.partition(b" ")
    if not space or not number.isdigit():
        raise ProtocolError(f"a line has no number of a job: {line[:80]!r}")
    return int(number), message


def decode_reply(message: bytes) -> Reply:
    """The reply that a line, without its number, carries."""
    return cast(Reply, _decode(message, get_args(Reply)))


def _decode(line: bytes, kinds: tuple[type, ...]) -> Any:
    try:
        plain = _decode_json(line.decode())
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a line is not JSON: {line[:80]!r}") from error
    if not isinstance(plain, dict) or len(plain) != 1:
        raise ProtocolError(f"a line is no message: {line[:80]!r}")
    [(name, body)] = plain.items()
    for kind in kinds:
        if kind.__name__ == name:
            return from_plain(body, kind)
    raise ProtocolError(f"a message has the unknown kind {name!r}")

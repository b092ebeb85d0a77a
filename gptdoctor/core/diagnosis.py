"""What is said of each model, and of all that was examined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gptdoctor.core.cells import CellLine
from gptdoctor.core.comments import IgnoreComment
from gptdoctor.core.findings import Finding, Value


class Verdict(str, Enum):
    """Whether a model can be trained, worst first."""

    UNTRAINABLE = "untrainable"
    DEGRADED = "degraded"
    UNEXAMINED = "unexamined"
    TRAINABLE = "trainable"


GIVEN = "model"  # `SpecimenFacts.build` of a model that the user handed over, built


@dataclass(frozen=True, kw_only=True)
class SpecimenFacts:
    """The tiny instance that was examined, as code that a user can paste."""

    build: str  # "GPT4oModel(vocab_size=97, d_model=64)"
    call: str  # "model(text_ids)  # text_ids: int64 [3, 7]"
    parameters: int
    entry: str  # name of the method that was called: "forward", "forward_step"
    expression: str = ""  # the call as `--call` takes it: "model(text_ids=ids)"
    imports: tuple[str, ...] = ()  # with which build and call run in a file of their own
    logits: str = ""  # how logits [B, T, V] are read from `output`, what the call returns
    vectors: str = ""  # without logits: how what it gives for each row is read from `output`
    loss: str = ""  # how the loss of its own is read from it, "" where the entry gives none
    loss_labels: str = ""  # the parameter that has to be given labels for that
    labels_are_next: bool = False  # the labels are the ids shifted by one, and not the ids
    classes: str = ""  # code that makes its labels of `ids` where they are classes, no tokens
    own_lines: str = ""  # a statement on `model` with which it runs its class's own lines


@dataclass(frozen=True, kw_only=True)
class ToWrite:
    """The expressions with which a model could be run, with "..." for what nobody could guess."""

    build: str  # "GPT(config=...)"
    call: str  # "model(ids, memory=...)"
    built: bool  # whether `build` works, and the call alone is missing


@dataclass(frozen=True, kw_only=True)
class UnmeasuredProbe:
    """A probe that could not run, and why. Never counted as passed."""

    probe: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ModelDiagnosis:
    """One model: can it be trained, why (not), and what was measured."""

    name: str
    path: str
    line: int
    verdict: Verdict | None  # None when no user code was run (--static)
    reasons: tuple[str, ...]
    # The rule behind each reason, None where the measurement speaks for itself.
    reason_rules: tuple[str | None, ...] = ()
    specimen: SpecimenFacts | None = None
    facts: Mapping[str, Value] = field(default_factory=dict)
    measured: tuple[str, ...] = ()
    unmeasured: tuple[UnmeasuredProbe, ...] = ()
    notes: tuple[str, ...] = ()
    to_write: ToWrite | None = None  # where it could not be built or called
    ignored: bool = False  # left alone, as the user wants it
    in_cell: CellLine | None = None  # where `line` is, in a notebook
    output: str = ""  # what its code printed, where the user wants to see it
    cached: bool = False  # measured by an earlier run, and nothing that it rests on has changed
    known_reasons: tuple[str, ...] = ()  # those of `reasons` that the baseline holds already


@dataclass(frozen=True, kw_only=True)
class SourceError:
    """A file, or a cell of a notebook, that could not be read or parsed."""

    path: str
    line: int
    kind: str  # "syntax-error", "encoding-error", "read-error"
    message: str
    in_cell: CellLine | None = None  # where `line` is, in a notebook


@dataclass(frozen=True, kw_only=True)
class SkippedFile:
    """A file that was read and in which there is nothing to examine."""

    path: str
    reason: str  # "empty", "no model found", "a notebook in R"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the examination ran on."""

    python: str  # version of the interpreter that ran the models
    executable: str  # how the user named it, or "" for our own
    torch: str | None  # None: not installed there, or nothing was run
    platform: str
    seed: int
    live: bool
    # Why no model at all could be run, though that was asked for: no torch, no such interpreter.
    trouble: str = ""
    unlimited: tuple[str, ...] = ()  # limits that this system cannot keep, in words


@dataclass(frozen=True, kw_only=True)
class Examination:
    """All that one checkup found: the one value that reports are made from."""

    environment: Environment
    models: tuple[ModelDiagnosis, ...]
    findings: tuple[Finding, ...]
    errors: tuple[SourceError, ...]
    skipped: tuple[SkippedFile, ...]  # of the files that the user named, and empty ones
    files: int  # source files read
    seconds: float
    suppressed: tuple[Finding, ...] = ()  # findings that the user set aside: none of `findings`
    comments: tuple[IgnoreComment, ...] = ()  # of the files that were scanned
    remarks: tuple[str, ...] = ()  # on the run as a whole: a baseline that could be shorter

    @property
    def trainable(self) -> bool:
        """Whether every model was examined and can be trained; False where there is none."""
        verdicts = {model.verdict for model in self.models}
        return verdicts == {Verdict.TRAINABLE}

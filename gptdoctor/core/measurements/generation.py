"""How generation methods treat the model, its context and their prompt over several steps."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.written_call import WrittenCall

ENOUGH = 3  # rows of eight that say something of a step


@dataclass(frozen=True, kw_only=True)
class ModeSwitch:
    """One call of `train` or `eval` while a method generated."""

    path: str  # of the user's line that made it
    symbol: str
    line: int
    training: bool  # the mode that it asked for


@dataclass(frozen=True, kw_only=True)
class ModeUse:
    """What a method did to the training mode of the model."""

    trained_inside: bool  # a forward pass ran in training mode; the model was evaluating before
    left_training: bool  # training after it, evaluating before
    left_evaluating: bool  # evaluating after it, training before
    # It asked for the mode that the model was in, training, and generated in it.
    restores_unchanged: bool = False
    switches: tuple[ModeSwitch, ...] = ()

    def switch(self, training: bool, *, first: bool = False) -> Place | None:
        """Where the mode was last asked for, or at `first`."""
        found = [one for one in self.switches if one.training is training]
        if not found:
            return None
        one = found[0 if first else -1]
        return Place(path=one.path, symbol=one.symbol, line=one.line)


@dataclass(frozen=True, kw_only=True)
class GraphUse:
    """Whether forward passes kept what a backward pass would need, called with gradients on."""

    forward_calls: int
    with_gradients: int  # calls whose logits could be differentiated
    returned_gradients: bool  # what came back could be as well: that is what it is for


@dataclass(frozen=True, kw_only=True)
class ContextRun:
    """Generation from a prompt that is as long as the model can read."""

    limit: int  # tokens: one more, and the forward pass fails
    new_tokens: int  # that were given; 0 where it failed
    calls: int  # forward passes
    # Forward passes after the first whose last id was not the newest token.
    without_newest: int
    crash: Crash | None
    line: int | None  # of the method's own that failed, or chose what the model was to read
    in_forward: bool = False  # it was the forward pass that failed, or refused
    written: WrittenCall | None = None  # the call for a test


@dataclass(frozen=True, kw_only=True)
class EndRun:
    """Generation from known logits that call for the end token and then for others."""

    parameter: str  # that takes the end token
    goes_on: bool  # other tokens came after the end token, in a batch of one length
    rows_cut: bool  # rows that had not ended lost their tokens when another row ended
    line: int | None  # that compares with the end token, else the first that reads it
    # The call for a test, the end token, one of a text and one after it; of a wrong one.
    written: WrittenCall | None = None
    used: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PromptChange:
    """What a change of the prompt does, for the same random numbers."""

    changed: str  # "all tokens", "all tokens but the last", ...
    forward_rows: int  # in which the model's likeliest next token is another
    drawn_rows: int  # in which the method's next token is another


@dataclass(frozen=True, kw_only=True)
class FollowedStep:
    """How one new token agrees with the forward pass over all that stands before it."""

    rows: int  # whose likeliest token is clearly so
    agreeing: int  # in which the method, asked to be greedy, took it


@dataclass(frozen=True, kw_only=True)
class GeneratedMethod:
    """One method that generates, with the real model; None: it was not measured."""

    path: str
    symbol: str
    line: int
    mode: ModeUse | None = None
    graph: GraphUse | None = None
    context: ContextRun | None = None
    end: EndRun | None = None
    rows: int = 0  # prompts that were given for the two below
    changes: tuple[PromptChange, ...] = ()
    steps: tuple[FollowedStep, ...] = ()
    # Whether two runs with other random numbers draw the same from logits that are far apart:
    # else nothing but chance may be behind equal tokens.
    steady: bool = False
    call_line: int | None = None  # of the method's own: where it runs the model
    given_line: int | None = None  # where it copies or cuts what it runs the model on
    first_given_line: int | None = None  # the same of the first time, where later ones differ
    reading_line: int | None = None  # where it reads a position of the logits
    shortened: bool = False  # later forward passes got less than the text so far
    keeps_state: bool = False  # its text speaks of a cache or a state
    crash: Crash | None = None  # it does not run on the real model
    written: WrittenCall | None = None  # the call of three steps for a test
    prompted: WrittenCall | None = None  # that of one step with the prompts of the changes
    followed: WrittenCall | None = None  # that of all steps, where they do not all agree

    @property
    def place(self) -> Place:
        """The method."""
        return Place(path=self.path, symbol=self.symbol)

    def at(self, line: int | None) -> Place:
        """A line of the method."""
        return Place(path=self.path, symbol=self.symbol, line=line)

    @property
    def departs(self) -> bool:
        """Whether the first token follows from the prompt, and later ones mostly do not."""
        if not self.steps:
            return False
        first, *later = self.steps
        starts_right = first.rows >= ENOUGH and first.agreeing == first.rows
        return starts_right and any(
            step.rows >= ENOUGH and 2 * step.agreeing <= step.rows for step in later
        )


@dataclass(frozen=True, kw_only=True)
class Generation(Measurement):
    """Probe generation."""

    methods: tuple[GeneratedMethod, ...]

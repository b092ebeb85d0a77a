"""GD706: a text of a wrong length meets an assert, or an error from within that says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.odd_inputs import OddInputs, OverlongInput
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD706"
PROBE = "odd-inputs"
# Words by which an error speaks of lengths.  Those of torch ("index out of range in self", "The
# size of tensor a (34) must match the size of tensor b (32)") have none of them.
SPEAKS = ("length", "longer", "too long", "tokens", "positions", "context", "exceed", "at most")


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, OddInputs):
        return
    overlong = measurement.overlong
    if overlong is not None and overlong.crash is not None and not overlong.crash.lacks_memory:
        yield from _of_overlong(overlong, overlong.crash, record.target.entry_place)
    if measurement.empty is not None and _is_assert(measurement.empty):
        yield _of_empty(measurement.empty, record.target.entry_place)


def _of_overlong(overlong: OverlongInput, crash: Crash, entry: Place) -> Iterator[Conviction]:
    if crash.raised_there or (not _is_assert(crash) and _speaks(crash)):
        yield _conviction(overlong, crash, Status.REFUTED, entry, "refused in words")
    elif overlong.only_beyond and crash.path is not None:
        place, told = overlong.entry_place or entry, "let in, and fail inside"
        if _is_assert(crash):
            place, told = _place_of(crash) or entry, "refused by an assert alone"
        yield _conviction(overlong, crash, Status.CONFIRMED, place, told)


def _of_empty(crash: Crash, entry: Place) -> Conviction:
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=_place_of(crash) or entry,
        message="A text of no tokens is refused by an assert alone",
        values={"length": 0, "asserted": True, "error": _words(crash)},
    )


def _place_of(crash: Crash) -> Place | None:
    if crash.path is None:
        return None
    return Place(path=crash.path, symbol=crash.symbol, line=crash.line)


def _words(crash: Crash) -> str:
    return f"{crash.kind}: {crash.message}" if crash.message else crash.kind


def _is_assert(crash: Crash) -> bool:
    """Whether `python -O` takes away what refused: a raised AssertionError stays."""
    return crash.kind == "AssertionError" and not crash.raised_there


def _speaks(crash: Crash) -> bool:
    return any(word in crash.message for word in SPEAKS)


def _conviction(
    overlong: OverlongInput, crash: Crash, status: Status, place: Place, told: str
) -> Conviction:
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=(
            f"{overlong.length} tokens, where {overlong.declared} is {overlong.longest}, are {told}"
        ),
        values={
            "declared": overlong.declared,
            "longest": overlong.longest,
            "length": overlong.length,
            "asserted": _is_assert(crash),
            "error": _words(crash),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """A call with more tokens than the model says it takes: an error that says so."""
    length, words = values["length"], "|".join(SPEAKS)
    return f"""\
words = "{words}"
try:
    run(build().eval(), random_ids(length={length}))
except AssertionError:
    raise  # python -O removes an assert
except Exception as error:
    clear = isinstance(error, ValueError) or any(one in str(error) for one in words.split("|"))
    assert clear, f"{length} tokens: {{error!r}}"
"""


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim, block_size):
        super().__init__()
        self.block_size = block_size
        self.wte = nn.Embedding(vocab_size, dim)
        self.wpe = nn.Embedding(block_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        assert input_ids.size(1) <= self.block_size
        places = self.wpe(torch.arange(input_ids.size(1)))
        return self.lm_head(self.mix(self.wte(input_ids) + places)[0])

    def compute_loss(self, logits, targets):
        return F.cross_entropy(logits.mT, targets)
"""
BAD = """\
        assert input_ids.size(1) <= self.block_size
"""
GOOD = """\
        if input_ids.size(1) > self.block_size:
            raise ValueError(f"{input_ids.size(1)} tokens, and at most {self.block_size} fit")
"""

DEFECT = Defect(
    code=CODE,
    name="length-unguarded",
    severity=Severity.LOW,
    summary="A text longer than the model says it takes, or an empty one, is not refused in words.",
    explanation=(
        "The model names its longest text, and nothing but an assert holds longer ones off, which "
        "Python removes with -O; or nothing does, and an index or a size fails inside, with an "
        "error that speaks of no length. An assert may as well be all that holds an empty text "
        "off. Not meant: an error of the code's own, and models that take any length."
    ),
    harm=(
        "Whoever gives a text that is too long reads `index out of range in self`, on a GPU an "
        "assertion of the device that ends the process, and has to find out what was too long. "
        "With -O an assert is gone, and what it held off may give wrong numbers."
    ),
    confirmed_by=(
        "The probe odd-inputs makes the call that works with two tokens more than the model names "
        "as its longest, and where that fails, with the longest and with twice as many. An assert, "
        "or an error from within that names no length, confirms if the longest runs and both "
        "longer ones fail; an error of the code's own refutes. An assert that fails for a text of "
        "no tokens confirms as well."
    ),
    sick=SICK,
    healed=SICK.replace(BAD, GOOD),
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
)

"""GD401: the likeliest token is taken from logits that a temperature has scaled."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import SampledMethod, Sampling
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.core.repairs import Applicability, FixPromise
from gptdoctor.defect import Defect, Proof, Visit
from gptdoctor.source.classes import parameters
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.generation_tests import TEMPERATURE_MEASURES, follows_temperature
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.statements import any_between, lines_at, places_of
from gptdoctor.source.temperature import Frame, Met, Sign, met
from gptdoctor.source.token_choice import (
    GREEDY,
    in_loop,
    is_greedy_by_choice,
    joins,
    leaves,
    returned_beside,
    samples,
)
from gptdoctor.source.token_picks import Pick, picks

CODE = "GD401"
PROBE = "sampling"
# Text without these cannot hold the defect; most functions end here.
CHOOSING = ("argmax", ".max(", "topk", "sort(")
# Of these, `x.max()` gives no index, and who sorts has to say that the largest comes first.
_LARGEST = re.compile(r"\.max\((?!\))")
PLAIN = ("argmax", "topk", "sort(")
# Each by itself: joined, they take ten times as long; and a plain word is found first.
TEMPERATURE = {"temp": re.compile(r"temp(?:erature|s?\b|_)"), "tau": re.compile(r"tau\b")}
LETTER = re.compile(r"T\s*[:=,)]")
# Methods that choose tokens, by name; others that hold a temperature may route or quantise.
GENERATING = re.compile(r"generat|sampl|decod|next|predict|token|complet|continu|reply", re.I)
# All rows of a greedy method draw the likeliest token. On the probe's logits, linspace(0, 3, V),
# sampling at T = 1 draws it in under a tenth of the rows for V > 50, and in half for V = 3.
GREEDY_SHARE = 0.99
# Right samplers of every kind lie between 0.03 and 0.10 from softmax(z / T), greedy ones between
# 0.45 and 0.91.
FOLLOWS_TEMPERATURE = 0.2


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not _possible(node, visit):
        return
    function = functions_of(visit.project, visit.module).get(node)
    for pick in picks(function) if function else ():
        for frame in _frames(visit, function, pick) if function else ():
            temperature = _temperature(pick, frame)
            if temperature is not None:
                yield _suspicion(pick, frame, *temperature)
                break


def _possible(node: ast.FunctionDef | ast.AsyncFunctionDef, visit: Visit) -> bool:
    lines = _choosing(visit.module)
    return any_between(lines, node.lineno, node.end_lineno or node.lineno)


@kept(8)
def _choosing(module: SourceModule) -> list[int]:
    """The lines of a file that may choose a token, where it says anything of a temperature.

    Searched once, for all functions.
    """
    text = module.text
    if not _says_temperature(text):  # first: that it chooses is known of the file
        return []
    places = [one.start() for one in _LARGEST.finditer(text)]
    words = PLAIN if "descending" in text else PLAIN[:-1]
    places += [place for word in words for place in places_of(text, word)]
    return lines_at(text, places)


def _says_temperature(text: str) -> bool:
    small = text.lower()
    named = any(word in small and pattern.search(small) for word, pattern in TEMPERATURE.items())
    return named or _takes_letter(text)


def _takes_letter(text: str) -> bool:
    """Whether a `T` is a parameter; to look for the letter first takes a tenth of the time."""
    places = (found.start() for found in LETTER.finditer(text))
    alone = (place for place in places if not text[place - 1 : place].isalnum())  # no `BERT,`
    return any(text[:place].rstrip().endswith(("(", ",")) for place in alone)


def _frames(visit: Visit, function: Function, pick: Pick) -> Iterator[Frame]:
    """The function by itself; where it is given what it chooses from, as each caller calls it."""
    yield Frame(visit.project, function)
    signs = {one.sign for one in met(pick.operand, Frame(visit.project, function))}
    if Sign.GIVEN in signs and Sign.TEMPERATURE not in signs:
        for site in callers(visit.project, function):
            if not site.handed_on:
                caller = Frame(visit.project, site.function)
                yield Frame(visit.project, function, site.node, caller)


def _temperature(pick: Pick, frame: Frame) -> tuple[str, bool] | None:
    """The temperature that the choice ignores, and whether it chooses from probabilities."""
    try:
        return _ignored(pick, frame)
    except RecursionError:  # sums of a thousand terms: no choice of a token that anyone wrote
        return None


def _ignored(pick: Pick, frame: Frame) -> tuple[str, bool] | None:
    signs = list(met(pick.operand, frame))
    temperature = next((one.name for one in signs if one.sign is Sign.TEMPERATURE), None)
    if temperature is None or Met(Sign.NOISE) in signs or not _is_token(pick, frame, temperature):
        return None
    around = [frame, frame.caller] if frame.caller else [frame]
    if any(samples(one) for one in around) or is_greedy_by_choice(pick, frame):
        return None
    maps = [one.sign for one in signs if one.sign in (Sign.PROBABILITIES, Sign.LOGARITHM)]
    return temperature, maps[:1] == [Sign.PROBABILITIES]


def _is_token(pick: Pick, frame: Frame, temperature: str) -> bool:
    """Whether the choice becomes a token, and is no expert, code or class."""
    near = (frame.function, frame.function.outer, frame.caller and frame.caller.function)
    known = [function for function in near if function]
    given = {one.arg for each in known for one in parameters(each.node)}
    if any(GREEDY.search(each.name) for each in known):
        return False
    named = any(GENERATING.search(each.name) for each in known)
    asked = named or temperature in given
    if joins(pick, frame.function) and (asked or in_loop(pick, frame.function)):
        return True
    if not asked or frame.function.name in ("forward", "__call__"):
        return False
    return leaves(pick, frame.function) and (named or not _hands_out_scaled(pick, frame))


def _hands_out_scaled(pick: Pick, frame: Frame) -> bool:
    """Whether the scaled values leave beside the choice, so that the temperature has its effect."""
    return any(
        one.sign is Sign.TEMPERATURE
        for value in returned_beside(pick, frame.function)
        for one in met(value, Frame(frame.project, frame.function))
    )


def _suspicion(pick: Pick, frame: Frame, temperature: str, probabilities: bool) -> Suspicion:
    module, node = frame.function.module, pick.call
    return Suspicion(
        rule=CODE,
        location=module.location(node),
        symbol=frame.function.symbol,
        message=(
            f"`{pick.form}` takes the likeliest token whatever `{temperature}` is: dividing by a "
            "temperature never changes which logit is the largest"
        ),
        details={
            "operand": ast.unparse(pick.operand),
            "probabilities": probabilities,
            "temperature": temperature,
            "call": pick.form,
            "expression": ast.unparse(pick.whole),
            "dim": ast.unparse(pick.dim) if pick.dim is not None else None,
            "keepdim": pick.keepdim,
        },
        extent=(node.lineno, node.end_lineno or node.lineno),
    )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Sampling):
        return
    for method in measurement.methods:
        status = _status(method)
        if status is not None and method.parameter:
            yield _conviction(method, status)


def _status(method: SampledMethod) -> Status | None:
    """None: it crashed, or it neither is greedy nor follows the temperature."""
    # A low temperature makes right samplers nearly greedy: without a draw at T >= 1, no verdict.
    if method.crash is not None or not any(draw.temperature >= 1 for draw in method.draws):
        return None
    if all(draw.argmax_share >= GREEDY_SHARE for draw in method.draws):
        return Status.CONFIRMED
    if all(draw.total_variation <= FOLLOWS_TEMPERATURE for draw in method.draws):
        return Status.REFUTED
    return None


def _conviction(method: SampledMethod, status: Status) -> Conviction:
    name = f"`{method.symbol}`"
    told = f"draws as softmax(logits / {method.parameter}) says"
    if status is Status.CONFIRMED:
        told = f"takes the likeliest token at every `{method.parameter}`"
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=method.choice_place if status is Status.CONFIRMED else method.place,
        message=f"{name} {told}",
        values={
            "parameter": method.parameter,
            "temperatures": tuple(draw.temperature for draw in method.draws),
            "argmax_shares": tuple(draw.argmax_share for draw in method.draws),
            "total_variations": tuple(draw.total_variation for draw in method.draws),
            "entropies_nats": tuple(draw.entropy for draw in method.draws),
            "rows": tuple(draw.rows for draw in method.draws),
            **values_of(method.written),
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """Draws at three temperatures, against the distributions that they should follow."""
    return follows_temperature(values)


SICK = """\
import torch


@torch.no_grad()
def generate(model, ids, max_new_tokens, temperature=1.0):
    for _ in range(max_new_tokens):
        logits = model(ids)[:, -1, :]
        next_id = torch.argmax(logits / temperature, dim=-1, keepdim=True)  # always the same
        ids = torch.cat([ids, next_id], dim=1)
    return ids
"""

HEALED = """\
import torch


@torch.no_grad()
def generate(model, ids, max_new_tokens, temperature=1.0):
    for _ in range(max_new_tokens):
        logits = model(ids)[:, -1, :]
        probs = torch.softmax(logits / temperature, dim=-1)
        next_id = torch.multinomial(probs, num_samples=1)
        ids = torch.cat([ids, next_id], dim=1)
    return ids
"""

DEFECT = Defect(
    code=CODE,
    name="argmax-ignores-temperature",
    severity=Severity.MEDIUM,
    summary="The likeliest token is taken from logits that a temperature has scaled.",
    explanation=(
        "A token is chosen by argmax, by the index of max, or by topk with k = 1, from logits "
        "that a temperature has divided, directly, through softmax, or in a helper. Not meant: "
        "the branch for temperature 0 or for greedy decoding, and the Gumbel trick, which adds "
        "noise before its argmax."
    ),
    harm=(
        "Generation is greedy whatever the caller asks for: it repeats itself, and the parameter "
        "promises a choice that is not there."
    ),
    confirmed_by=(
        "The probe sampling lets the method draw from known logits at several temperatures. The "
        "likeliest token in every row at every temperature confirms; draws that follow "
        "softmax(logits / temperature) refute."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={ast.FunctionDef: _suspect, ast.AsyncFunctionDef: _suspect},
    words=CHOOSING,
    convicts={PROBE: _convict},
    fix=FixPromise(
        applicability=Applicability.SAFE,
        title="Draw the token from softmax(logits / temperature) with torch.multinomial",
        safety=(
            "Safe where the method was shown to be greedy at every temperature. Whether greedy "
            "decoding was wanted, with a temperature that was only forgotten, is a guess where "
            "nothing was measured."
        ),
        order=3,
    ),
    proof=Proof(measures=TEMPERATURE_MEASURES, test=_test),
)

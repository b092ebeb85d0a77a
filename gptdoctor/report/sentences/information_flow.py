"""The sentences of the rules about information flow."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, joined, percent, some
from gptdoctor.report.sentences.sentence import Sentence


def _future(values: Values, status: Status) -> str | None:
    lengths = [str(int(length)) for length in values.numbers("lengths")]
    if status is Status.REFUTED:
        told = f"no output moves when later tokens change, at T = {joined(lengths)}"
        return told if lengths else None
    influence, length = values.number("influence"), values.integer("length")
    output, token = values.integer("output_position"), values.integer("token_position")
    if influence is None or output is None or token is None or length is None:
        return None
    how = values.text("how") or "as called"
    called = "" if how == "as called" else f", {how}"
    ahead = values.integer("farthest_ahead") or 0
    reach = "exactly 1 position" if ahead == 1 else f"up to {count(ahead, 'position')}"
    return (
        f"at T = {length}{called}, the token at position {token} moves the output at position "
        f"{output} (outputs move by up to {percent(influence)} of the largest, and see {reach} "
        f"ahead)"
    )


def _rows(values: Values, status: Status) -> str | None:
    batch, length = values.integer("batch"), values.integer("length")
    if batch is None or length is None:
        return None
    size = f"at B = {batch}, T = {length}"
    if status is Status.REFUTED:
        return f"no row of a batch moves another, {size}"
    into, out = values.number("from_others"), values.number("to_others")
    alone = values.number("against_one")
    if into is None or out is None:
        return None
    against = "" if alone is None else f", and alone it differs by {percent(alone)}"
    return (
        f"{size}, the first row moves by up to {percent(into)} of the largest output when the "
        f"others change, and they move by {percent(out)} when it does{against}"
    )


def _padding(values: Values, status: Status) -> str | None:
    mask, influence = values.text("mask"), values.number("influence")
    if status is Status.REFUTED:
        hidden = mask if values.integer("pad_id") is None else f"the padding of {mask}"
        told = f"what {mask} hides" if hidden == mask else hidden
        return f"{told} moves no output of a real token" if mask else None
    padded, length = values.integer("padded"), values.integer("length")
    if mask is None or influence is None or padded is None or length is None:
        return None
    pad_id = values.integer("pad_id")
    if pad_id is not None:
        turned = "; its mask hides the real tokens instead" if values.flag("turned") else ""
        return (
            f"with {padded} tokens of padding (id {pad_id}) behind {length - padded} real ones of "
            f"{mask}, outputs move by up to {percent(influence)} of the largest{turned}"
        )
    turned = "; with the opposite mask it moves nothing" if values.flag("turned") else ""
    return (
        f"with {padded} of {length} tokens padded on the {values.text('side')} and hidden by "
        f"{mask}, what stands there moves real outputs by up to {percent(influence)} of the "
        f"largest{turned}"
    )


def _context(values: Values, status: Status) -> str | None:
    context, length = values.number("context"), values.integer("length")
    if context is None or length is None:
        return None
    if status is Status.REFUTED:
        return f"the last output moves by {percent(context)} with the tokens before it"
    return (
        f"at T = {length} the last output stays the same to the last digit whatever the "
        f"{count(length - 1, 'token')} before it are ({values.text('precision')}, 3 seeds)"
    )


def _order(values: Values, status: Status) -> str | None:
    order, influence = values.number("order"), values.number("positions_influence")
    if order is not None and (values.flag("zeroed") or values.flag("unused")):
        return f"when earlier tokens trade places the last output moves by {percent(order)}"
    if order is None or influence is None:
        return None
    names = some(values.names("positions"), 3)
    if status is Status.REFUTED:
        return f"outputs move by {percent(influence)} with {names}"
    trade = f"when earlier tokens trade places the last output moves by {percent(order)}"
    if values.flag("flat"):
        return f"all rows of {names} are equal; {trade}"
    return f"with {names} exchanged for noise, outputs move by {percent(influence)}; {trade}"


def _mask(values: Values, status: Status) -> str | None:
    if status is Status.REFUTED:
        attentions = values.integer("attentions")
        told = "sees its own position and those before it"
        return f"{count(attentions, 'attention')} {told}" if attentions else None
    parts = [values.text("cause") or "positions see only what comes after them"]
    influence = values.number("influence")
    if values.flag("finite") is False:
        parts.append("the outputs are not finite")
    elif influence:
        parts.append(f"later tokens move earlier outputs by up to {percent(influence)}")
    return "; ".join(parts)


def _opposite(values: Values, status: Status) -> str | None:
    layer = values.text("operation")
    if layer is None:
        return None
    while_evaluating = " in evaluation mode" if values.text("where") == "outputs" else ""
    return f"nothing is left for a row to see: `{layer}` gives NaN{while_evaluating}"


def _state(values: Values, status: Status) -> str | None:
    change = values.number("after_another_call")
    if change is None:
        return None
    if status is Status.REFUTED:
        return "f(x) is the same before and after f(y)"
    names = some(values.names("states"), 3)
    through = f", by what is left in {names}" if names else ""
    return f"f(x) differs by {percent(change)} of the largest output after f(y){through}"


def _chance(values: Values, status: Status) -> str | None:
    other, equal = values.number("with_other_numbers"), values.number("with_equal_numbers")
    if other is None or equal is None:
        return None
    if status is Status.REFUTED:
        return "equal calls give the same, whatever the random numbers"
    seeded = "even with equal random numbers" if equal > 0 else "with other random numbers"
    return f"two equal calls differ by {percent(max(other, equal))} of the largest output {seeded}"


def _caller(values: Values, status: Status) -> str | None:
    if status is Status.REFUTED:
        return "no output moves when later tokens change"
    mask, influence = values.text("mask"), values.number("influence")
    if mask is None or influence is None:
        return None
    return (
        f"without {mask}, later tokens move earlier outputs by up to {percent(influence)} of the "
        f"largest; with a causal mask given as {mask}, they move none"
    )


SENTENCES: Mapping[str, Sentence] = {
    "GD801": _future,
    "GD802": _rows,
    "GD803": _padding,
    "GD804": _context,
    "GD805": _order,
    "GD806": _mask,
    "GD807": _state,
    "GD808": _chance,
    "GD809": _caller,
    "GD812": _opposite,
}

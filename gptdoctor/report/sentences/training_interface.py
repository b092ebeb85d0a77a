"""The sentences of the rules about losses of a model."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, decimal, joined
from gptdoctor.report.sentences.sentence import Sentence


def _loss(values: Values, status: Status) -> str | None:
    labels, methods = values.names("label_parameters"), values.names("loss_methods")
    if status is Status.REFUTED:
        ways = [*methods, *(labels if values.flag("loss_returned") else ())]
        loss = values.number("loss_nats")
        size = f" ({decimal(loss)} nats)" if loss is not None else ""
        return f"{joined(ways)} gave a loss that reaches the parameters{size}" if ways else None
    taken = f", although it takes {joined(labels)}" if labels else ""
    return f"no call and no method of the model gave a loss that reaches its parameters{taken}"


def _ignored(values: Values, status: Status) -> str | None:
    name, moved = values.text("name"), values.number("moved_by_labels")
    if name is not None and moved is None and values.text("targets") == "guesses":
        return f"{name} pulls each position to the token that is the likeliest there already"
    if name is None or moved is None:
        return None
    if status is Status.REFUTED:
        return f"with other labels the loss by {name} is another one"
    loss = values.number("loss_nats")
    size = f" {decimal(loss)} nats" if loss is not None else " the same"
    taught = _TAUGHT.get(values.text("targets") or "", "")
    return f"two sets of labels gave{size} both times, to the last digit{taught}"


_TAUGHT = {
    "inputs": "; its positions are trained on the inputs",
    "guesses": "; each position is trained on the token that is the likeliest there already",
}


def _shift(values: Values, status: Status) -> str | None:
    ahead, positions = values.integer("ahead"), values.integer("positions")
    offset = values.integer("offset")
    if ahead is None or positions is None or offset is None:
        return None
    trained = f"all {count(positions, 'position')} that are trained"
    if status is Status.REFUTED:
        return f"{trained} are pulled to the first token that they have not read"
    whose = f"its {values.text('labels')}" if values.text("labels") else "its inputs"
    shown = values.text("convention_shown")
    why = f" ({shown} shows what they stand for)" if shown else ""
    told = f"token t{offset:+d}" if offset else "token t"
    return f"{trained} are pulled, position t to {told} of {whose}{why}"


def _across(values: Values, status: Status) -> str | None:
    across, positions = values.integer("positions_across"), values.integer("positions")
    if across is None or positions is None:
        return None
    if status is Status.REFUTED:
        return f"none of {count(positions, 'position')} is pulled to a token of another row"
    return f"{across} of {count(positions, 'position')} are pulled to a token of the next row"


def _probabilities(values: Values, status: Status) -> str | None:
    if values.flag("probabilities") is None:
        return None
    if status is Status.REFUTED:
        return "what the cross-entropy is given are no probabilities"
    line, loss = values.integer("line"), values.number("loss_nats")
    where = f" at line {line}" if line is not None else ""
    size = f": {decimal(loss)} nats" if loss is not None else ""
    return f"what the cross-entropy{where} is given is positive and sums to one{size}"


def _padding(values: Values, status: Status) -> str | None:
    counted, padding = values.integer("positions_counted"), values.text("padding")
    mark = values.integer("mark")
    if mark is not None:
        return _marked(mark, values, status)
    if counted is None or padding is None:
        return None
    if status is Status.REFUTED:
        return f"no position is pulled to the padding ({padding})"
    if error := values.text("error"):
        return f"a row that ends with padding ({padding}) has no loss: {error}"
    are = "is" if counted == 1 else "are"
    return f"{count(counted, 'position')} before or in padding {are} pulled to it ({padding})"


def _marked(mark: int, values: Values, status: Status) -> str:
    if status is Status.REFUTED:
        return f"labels of {mark} are left out"
    counted = values.integer("positions_counted")
    if counted:
        are = "position whose label is" if counted == 1 else "positions whose labels are"
        return f"{counted} {are} {mark} are trained on a token all the same"
    return f"labels of {mark} are left out of the sum, and the mean still divides by them"


def _unheard(values: Values, status: Status) -> str | None:
    name, loss = values.text("name"), values.number("loss_nats")
    size = f" of {decimal(loss)} nats" if loss is not None else ""
    if name is None:
        return None
    if status is Status.REFUTED:
        return f"the loss{size} by {name} reaches the parameters"
    if values.flag("part"):
        return f"the loss{size} by {name} moves with its labels, and no gradient reaches the logits"
    return f"the loss{size} that {name} gives reaches no parameter, and the logits could be trained"


def _idle(values: Values, status: Status) -> str | None:
    name = values.text("name")
    if name is None:
        return None
    if status is Status.REFUTED:
        return f"a loss is made of its {name}"
    if values.flag("step"):
        return f"{name} ran the model on a batch and returned no loss; no number was made of it"
    return (
        f"two sets of {name} changed nothing that the call returned, and no number was made of them"
    )


SENTENCES: Mapping[str, Sentence] = {
    "GD601": _loss,
    "GD602": _ignored,
    "GD603": _shift,
    "GD604": _probabilities,
    "GD605": _padding,
    "GD606": _unheard,
    "GD607": _across,
    "GD608": _idle,
}

"""The sentences of the rules about sampling and generation."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, decimal, joined, percent
from gptdoctor.report.sentences.sentence import Sentence


def _at(values: Values) -> str:
    temperatures = [decimal(one) for one in values.numbers("temperatures")]
    return (
        f"at {'temperature' if len(temperatures) == 1 else 'temperatures'} {joined(temperatures)}"
    )


def _argmax(values: Values, status: Status) -> str | None:
    shares, distances = values.numbers("argmax_shares"), values.numbers("total_variations")
    if not values.numbers("temperatures") or not distances:
        return None
    if status is Status.REFUTED:
        return _follows(values)
    share = min(shares) if shares else 0.0
    rows = "every row" if share == 1 else f"more than {percent(share)} of the rows"
    away = f"softmax(logits / temperature) is up to {decimal(max(distances))} away"
    return f"{_at(values)} {rows} drew the likeliest token; {away} (total variation)"


def _follows(values: Values) -> str | None:
    distances = values.numbers("total_variations")
    if not values.numbers("temperatures") or not distances:
        return None
    return (
        f"{_at(values)} the tokens follow softmax(logits / temperature), "
        f"within a total variation of {decimal(max(distances))}"
    )


def _without_effect(values: Values, status: Status) -> str | None:
    moved, distances = values.number("moved_by_temperature"), values.numbers("total_variations")
    if status is Status.REFUTED or moved is None or not distances:
        return _follows(values)
    return (
        f"the tokens drawn at the lowest and at the highest temperature are only {decimal(moved)} "
        f"apart (total variation); softmax(logits / temperature) is up to "
        f"{decimal(max(distances))} away from them"
    )


def _instead(values: Values, key: str, formula: str) -> str | None:
    near, distances = values.numbers(key), values.numbers("total_variations")
    if not near or not distances:
        return None
    return (
        f"{_at(values)} the tokens follow {formula} within a total variation of "
        f"{decimal(max(near))}; softmax(logits / temperature) is up to "
        f"{decimal(max(distances))} away"
    )


def _inverted(values: Values, status: Status) -> str | None:
    if status is Status.REFUTED:
        return _follows(values)
    return _instead(values, "distances_from_inverted", "softmax(logits * temperature)")


def _on_probabilities(values: Values, status: Status) -> str | None:
    if status is Status.REFUTED:
        return _follows(values)
    near = values.numbers("distances_from_scaled_probabilities")
    if near and max(near) > max(values.numbers("total_variations"), default=0.0):
        return _without_effect(values, status)
    formula = "softmax(softmax(logits) / temperature)"
    return _instead(values, "distances_from_scaled_probabilities", formula)


def _greedy(values: Values, status: Status) -> str | None:
    share, rows = values.number("argmax_share"), values.integer("rows")
    promised = joined(values.names("promised_by"))
    if share is None or rows is None or not promised:
        return None
    told = f"{percent(share)} of {count(rows, 'draw')} gave the likeliest token"
    return f"{told}, though {promised} promises sampling" if share > 0.5 else told


def _filter(values: Values, status: Status) -> str | None:
    kept, value = values.integer("kept_tokens"), values.number("value")
    name = values.text("parameter")
    if value is None or name is None or kept is None:
        return None
    if values.text("error"):
        return f"called with {name}={decimal(value)}, it raises {values.text('error')}"
    ranks = [str(int(rank)) for rank in values.numbers("kept_ranks")]
    right = [str(int(number)) for number in values.numbers("right_numbers")]
    shown = f"{joined(ranks[:5])} and more" if len(ranks) > 5 else joined(ranks)
    return (
        f"with {name}={decimal(value)}, {count(values.integer('rows') or 0, 'draw')} gave "
        f"{count(kept, 'different token')}, of rank {shown} by their logits; right are the "
        f"{joined(right, 'or')} likeliest"
    )


def _zero(values: Values, status: Status) -> str | None:
    if values.text("error"):
        return f"at temperature 0 it raises {values.text('error')}"
    share = values.number("argmax_share")
    return None if share is None else f"at temperature 0 {percent(share)} drew the likeliest token"


def _dropout(values: Values, status: Status) -> str | None:
    if values.flag("training_inside"):
        return "the model was evaluating, and its forward passes ran in training mode"
    if values.flag("restores_unchanged"):
        return "the model was training, and its forward passes ran in training mode"
    return "the forward passes of a model that evaluates ran in evaluation mode"


def _mode(values: Values, status: Status) -> str | None:
    if values.flag("left_evaluating"):
        return "called while the model trains, it leaves the model evaluating"
    if values.flag("left_training"):
        return "called while the model evaluates, it leaves the model training"
    return "the mode after it was the mode before it, training and evaluating"


def _graph(values: Values, status: Status) -> str | None:
    calls, kept = values.integer("forward_calls"), values.integer("with_gradients")
    if calls is None or kept is None:
        return None
    return f"{kept} of {count(calls, 'forward pass', 'forward passes')} gave logits with a graph"


def _context(values: Values, status: Status) -> str | None:
    limit = values.integer("limit_tokens")
    if limit is None:
        return None
    start = f"from a prompt of the {limit} tokens that the forward pass reads"
    if values.text("error"):
        return f"{start}, it raises {values.text('error')}"
    blind, new = values.integer("passes_without_newest"), values.integer("new_tokens")
    given = f"{start}, it gave {count(new or 0, 'token')}"
    return f"{given}; {blind} forward passes did not end in the newest one" if blind else given


def _end(values: Values, status: Status) -> str | None:
    name = values.text("parameter")
    if name is None:
        return None
    if values.flag("goes_on"):
        return f"the token that {name} names was drawn, and others after it"
    if values.flag("rows_cut"):
        return f"the first row drew the token that {name} names, and the second row ended as well"
    return f"nothing but filling came after the token that {name} names"


def _prompt(values: Values, status: Status) -> str | None:
    prompts, changed = values.integer("prompts"), values.text("changed")
    if prompts is None:
        return None
    if changed:
        moved = values.integer("rows_forward_moves")
        return (
            f"with {changed} of {prompts} prompts changed, the forward pass has another likeliest "
            f"token for {moved} of them, and no drawn token changes"
        )
    followed = _followed(values)
    return f"{followed} follow from the text so far, step by step" if followed else None


def _followed(values: Values) -> str:
    pairs = zip(values.numbers("followed_rows"), values.numbers("clear_rows"), strict=False)
    return joined([f"{int(good)} of {int(all_)} tokens" for good, all_ in pairs])


def _cache(values: Values, status: Status) -> str | None:
    step, position = values.number("step_difference"), values.integer("position")
    if step is None:
        followed = _followed(values)
        return f"{followed} follow from the text so far, step by step" if followed else None
    told = f"token by token the logits differ by {percent(step)} of the largest at most"
    if status is Status.REFUTED:
        return f"token by token the logits differ by {decimal(step)} of the largest at most"
    module = values.text("module")
    first = f", first at token {position + 1}" if position is not None else ""
    return f"{told}{first}{f' in {module}' if module else ''}"


SENTENCES: Mapping[str, Sentence] = {
    "GD401": _argmax,
    "GD402": _without_effect,
    "GD403": _inverted,
    "GD404": _on_probabilities,
    "GD405": _greedy,
    "GD406": _filter,
    "GD407": _filter,
    "GD408": _dropout,
    "GD409": _mode,
    "GD410": _graph,
    "GD411": _context,
    "GD412": _end,
    "GD413": _zero,
    "GD414": _prompt,
    "GD415": _cache,
}

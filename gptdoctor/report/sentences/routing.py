"""The sentences of the rules about experts."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, count, decimal, percent, whole
from gptdoctor.report.sentences.sentence import Sentence


def _overwritten(values: Values, status: Status) -> str | None:
    lost, run = values.integer("rows_lost"), values.integer("rows_run")
    if lost is None or run is None:
        return None
    name = values.text("experts_list")
    rows = f"rows that {name or 'experts'} computed"
    if status is Status.REFUTED:
        return f"all {whole(run)} {rows} reach the output" if not lost else None
    return f"{whole(lost)} of {whole(run)} {rows} never reach the output"


def _lost(values: Values, status: Status) -> str | None:
    lost, experts = values.integer("rows_lost"), values.text("experts_list")
    if status is Status.REFUTED:
        return f"all rows that {experts or 'experts'} computed reach the output"
    if lost is None:
        return None
    run = values.integer("rows_run")
    of = f" of {whole(run)}" if run else ""
    return f"{whole(lost)}{of} rows that {experts or 'experts'} computed never reach the output"


def _ignored(values: Values, status: Status) -> str | None:
    change = values.number("relative_change")
    if status is Status.REFUTED:
        return "other weights of the router move the output"
    if change is None:
        return None
    return f"other weights of the router move the output by {percent(change)}"


def _without_gradient(values: Values, status: Status) -> str | None:
    router, expert = values.number("router_gradient"), values.number("expert_gradient")
    if status is Status.REFUTED:
        return "the logits give the router a gradient"
    if router is None or expert is None:
        return None
    told = f"the largest gradient of the router is {decimal(router)}"
    return f"{told}, that of its experts {decimal(expert)}"


def _waste(values: Values, status: Status) -> str | None:
    run, needed = values.integer("rows_run"), values.integer("rows_needed")
    if status is Status.REFUTED:
        return "experts are given their own rows"
    if run is None or not needed:
        return None
    times = decimal(run / needed)
    return f"experts run on {whole(run)} rows for {whole(needed)} that were chosen: {times} times"


def _wrong(values: Values, status: Status) -> str | None:
    wrong, skipped = values.integer("wrong_pairs"), values.numbers("skipped_experts")
    if status is Status.REFUTED:
        return "each expert moves its own tokens alone"
    if wrong is None:
        return None
    tokens = values.integer("tokens")
    told = f"of {whole(tokens)} tokens, " if tokens else ""
    told += f"{whole(wrong)} pairs with experts that were not chosen"
    return f"{told}, and {count(len(skipped), 'expert')} skipped" if skipped else told


def _over_batch(values: Values, status: Status) -> str | None:
    rows, over = values.integer("rows"), values.text("over")
    if status is Status.REFUTED:
        return "scores are shared out over the experts"
    if rows is None or over is None:
        return None
    experts = values.integer("experts")
    return f"{values.text('operation')} over {over}, {whole(rows)}, instead of {experts} experts"


SENTENCES: Mapping[str, Sentence] = {
    "GD201": _overwritten,
    "GD202": _lost,
    "GD203": _ignored,
    "GD204": _without_gradient,
    "GD205": _waste,
    "GD206": _wrong,
    "GD207": _over_batch,
}

"""The sentences of the rules about experts."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, whole
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


SENTENCES: Mapping[str, Sentence] = {
    "GD201": _overwritten,
}

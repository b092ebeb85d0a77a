"""What formats write, and checks that are large or odd."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

from gptdoctor.core.cells import CellLine
from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.findings import Confidence
from gptdoctor.core.suppressions import SuppressedBy, Suppression
from gptdoctor.report.checked import Checked
from gptdoctor.report.output_formats import writer_of
from tests.report import samples

SCHEMAS = Path(__file__).with_name("schemas")


def written(name: str, examination: Examination, **more: Any) -> str:
    """The text of a format, of a check that failed."""
    checked = Checked(examination=examination, **{"gate": samples.FAILED, **more})
    stream = io.StringIO()
    writer_of(name)(checked, stream)
    return stream.getvalue()


def schema(name: str) -> dict[str, Any]:
    """A schema of ours or of others."""
    return dict(json.loads((SCHEMAS / name).read_text()))


def many(number: int) -> Examination:
    """A scan with so many findings of all severities, ten in a file."""
    findings = tuple(
        dataclasses.replace(
            samples.SEVEN[index % len(samples.SEVEN)],
            location=samples.place(f"pkg/part_{index // 10}.py", 1 + index % 10 * 7, 5, 16),
            symbol=f"Model{index}.forward",
        )
        for index in range(number)
    )
    return dataclasses.replace(samples.REFERENCE, findings=findings)


def in_notebook() -> Examination:
    """One finding in a cell."""
    where = samples.place("study.ipynb", 12, 5, 16)
    where = dataclasses.replace(where, in_cell=CellLine(cell=3, line=5))
    return dataclasses.replace(
        samples.REFERENCE, findings=(dataclasses.replace(samples.NO_GRAD, location=where),)
    )


def odd() -> Examination:
    """A path with a space and a percent sign, code that looks like a link, letters of no ASCII."""
    finding = dataclasses.replace(
        samples.NO_GRAD,
        location=samples.place("src/my models/50% größer.py", 7, 9, 4),
        message="`experts[0](x)`, 100%: a\r\nb\x1b[31m, \u2028 <&> ]]> {0}",
        excerpt="y = größe[0](x)",
        excerpt_column=5,
        confidence=Confidence.LOW,
    )
    return dataclasses.replace(samples.REFERENCE, findings=(finding,), models=())


def with_aside() -> Examination:
    """Three findings that the user set aside, beside one that was not, and a remark."""
    ways = (
        Suppression(by=SuppressedBy.COMMENT, reason="for a log"),
        Suppression(by=SuppressedBy.BASELINE),
        Suppression(by=SuppressedBy.BASELINE),
    )
    first, *others = samples.SEVEN[:4]
    aside = tuple(
        dataclasses.replace(one, suppressed=way) for one, way in zip(others, ways, strict=True)
    )
    remark = "2 entries of base.json are no longer found: write it anew"
    return dataclasses.replace(
        samples.REFERENCE, findings=(first,), models=(), suppressed=aside, remarks=(remark,)
    )


EXAMINATIONS = {
    **samples.EXAMINATIONS,
    "a notebook": in_notebook(),
    "odd letters": odd(),
    "set aside": with_aside(),
    "many": many(300),
}

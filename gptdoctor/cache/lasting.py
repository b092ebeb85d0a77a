"""Which results say something of the model, and not of this machine at that moment."""

from __future__ import annotations

import re

from gptdoctor.core.measurements.record import OUT_OF_TIME, ModelRecord

# Errors that memory, files, permissions, libraries or a network decide, not the code alone.
_OF_THE_WORLD = re.compile(
    r"\b(?:Memory|OS|IO|FileNotFound|FileExists|Permission|Timeout|\w*Connection|HTTP|URL|SSL)Error\b"
    r"|\bgaierror\b|OutOfMemory|out of memory|allocate memory|bad_alloc|more memory than"
    r"|of memory, the limit of each model"
    r"|cannot open shared object file|No space left|Too many open files"
)


def lasts(record: ModelRecord) -> bool:
    """Whether another run would come to the same, as far as can be told.

    Time-outs, kills and ends of the process are no results to keep.
    """
    late = any(one.reason.startswith(OUT_OF_TIME) for one in record.unmeasured)
    return record.ending.kind == "finished" and not late and not _OF_THE_WORLD.search(_told(record))


def _told(record: ModelRecord) -> str:
    """All that was measured, in words; what the code printed is left out."""
    return f"{record.measured} {record.unmeasured}"

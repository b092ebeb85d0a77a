"""The form of what tells the numbers behind a rule."""

from __future__ import annotations

from collections.abc import Callable

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values

# None where the values lack what the sentence needs: then their keys tell them.
Sentence = Callable[[Values, Status], str | None]

"""An examination that shows itself: in a terminal, at Python's prompt, and in a notebook."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from gptdoctor.core.diagnosis import Examination

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from gptdoctor.integrations.live_source import LiveSource

# Columns of what is shown where no terminal says how wide it is: a cell's output on a laptop.
WIDTH = 100


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ShownExamination(Examination):
    """The examination of one live model.

    A value like any other, with the displays that Python, rich and Jupyter ask for.
    """

    targets: tuple[str, ...] = field(default=(), compare=False)  # what to give `gptdoctor fix`

    def __repr__(self) -> str:
        """The verdict first: a failing `assert` of pytest shows how this begins, and its end."""
        return f"{self._headline()}\n\n{self}"

    def __str__(self) -> str:
        return self._text(WIDTH)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """For `rich.print(examination)`."""
        from rich.text import Text

        coloured = console.color_system is not None
        yield Text.from_ansi(self._text(options.max_width, coloured=coloured))

    def _repr_html_(self) -> str:
        """For Jupyter and all that shows notebooks."""
        from gptdoctor.report.card import examination_html

        return examination_html(self, targets=self.targets)

    def _headline(self) -> str:
        """Each model with its verdict and the first reason of it."""
        told = []
        for model in self.models:
            verdict = model.verdict.value if model.verdict is not None else "not run"
            why = f": {model.reasons[0]}" if model.reasons else ""
            told.append(f"{model.name} is {verdict}{why}")
        return "; ".join(told) or "no model"

    def _text(self, width: int, *, coloured: bool = False) -> str:
        from gptdoctor.report.consoles import text_console
        from gptdoctor.report.text import print_examination

        stream = io.StringIO()
        console = text_console(stream, width=width, coloured=coloured)
        print_examination(console, self, targets=self.targets)
        return stream.getvalue().rstrip()


def shown(examination: Examination, source: LiveSource) -> ShownExamination:
    """The same examination, with its displays."""
    values: dict[str, Any] = {
        one.name: getattr(examination, one.name) for one in fields(Examination)
    }
    named = [module.file for module in source.modules if module.file.is_file()]
    targets = tuple(os.path.relpath(file) for file in named[:1])
    return ShownExamination(**values, targets=targets)

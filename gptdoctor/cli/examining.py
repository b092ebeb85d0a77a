"""One examination, as the commands ask for it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gptdoctor.cli.interrupts import ignore_interrupts
from gptdoctor.config import Options

if TYPE_CHECKING:
    from gptdoctor.core.diagnosis import Examination


def examine(options: Options) -> Examination:
    """One checkup with its progress on stderr."""
    from gptdoctor.checkup import Checkup
    from gptdoctor.report.waiting import progress_on

    with (
        progress_on(sys.stderr) as progress,
        Checkup(options, Path.cwd(), progress.listen) as checkup,
    ):
        return checkup.examine()


def with_baseline_written(options: Options) -> Examination:
    """Examine, write what was found, and go on as if it had been known."""
    from gptdoctor.baseline import (
        USUAL_NAME,
        Baseline,
        baseline_of,
        read_baseline,
        without_known,
        write_baseline,
    )
    from gptdoctor.checkup import Checkup
    from gptdoctor.diagnose.words import count
    from gptdoctor.report.consoles import stderr_console
    from gptdoctor.source.targets import root_of

    file = options.baseline or root_of(options.targets, Path.cwd()) / USUAL_NAME
    old = read_baseline(file) if file.exists() else Baseline()
    examination = examine(dataclasses.replace(options, baseline=None))
    looked = Checkup(options, Path.cwd()).settling.looked
    new = baseline_of(examination, old, looked)
    ignore_interrupts()
    write_baseline(file, new)
    told = f"wrote {count(len(new.findings), 'finding')} to {file}"
    if options.baseline is None:
        told += "; name it with --baseline, or in pyproject.toml"
    stderr_console().print(told, highlight=False, soft_wrap=True)
    return without_known(examination, new, looked, file.name)

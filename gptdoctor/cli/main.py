"""The command line: its commands, and what becomes of errors."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from gptdoctor import __version__
from gptdoctor.cli import cache, check, explain, fix, prove, report, rules
from gptdoctor.cli.help_page import GroupedCommand
from gptdoctor.cli.interrupts import Interrupted, end_on_interrupt, told
from gptdoctor.core.errors import DoctorError

# 0 clean, 1 findings or an untrainable model, 2 could not run; 130 is the shell's for Ctrl-C.
COULD_NOT_RUN = 2
INTERRUPTED = 130

# A command makes some hundred thousand objects that stay until it ends, and every tenth search for
# cycles looks at them all: a quarter of the time of a short run.  So it comes a hundred times more
# seldom; the models are run in other processes.
SELDOM = (70_000, 50, 50)

app = typer.Typer(
    name="gptdoctor",
    help="Says whether a PyTorch GPT-like model can really be trained, proves it, and repairs it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_COMMANDS: dict[Callable[..., None], str] = {
    check.check: "Say what keeps models from training, and prove it.",
    fix.fix: "Repair the source; each repair is proven before it is written.",
    report.report: "Write the review of all models as a document.",
    prove.prove: "Write tests that fail while a model's defects are there.",
    explain.explain: "Say what a rule means, and how it is proven and mended.",
    rules.rules: "List the rules by family.",
    cache.cache: "Say what is kept of earlier runs, or empty it.",
}
for _command, _told in _COMMANDS.items():
    app.command(cls=GroupedCommand, short_help=_told)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gptdoctor {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Says whether a PyTorch GPT-like model can really be trained, proves it, and repairs it."""


def main() -> None:
    """Run a command; an error is one sentence on stderr, and a traceback only when asked for."""
    gc.set_threshold(*SELDOM)
    end_on_interrupt()
    try:
        app()
    except Interrupted as interrupt:
        over_the_echo = "\r" if sys.stderr.isatty() else ""  # terminals print "^C"
        typer.echo(f"{over_the_echo}gptdoctor: {told(interrupt)}", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away (`| head`); there is nobody left to tell.
        sys.stderr.close()
        sys.exit(COULD_NOT_RUN)
    except DoctorError as error:
        _tell(error.message, error.hint)
    except Exception as error:
        _tell(
            f"gptdoctor itself failed: {type(error).__name__}: {error}",
            "run the same command with --traceback and report what it prints",
        )
    finally:
        gc.freeze()  # nothing that is left is worth the search with which the interpreter ends


def _tell(message: str, hint: str) -> None:
    if "--traceback" in sys.argv:
        traceback.print_exc()
    typer.echo(f"gptdoctor: {message}" + (f"\n  {hint}" if hint else ""), err=True)
    sys.exit(COULD_NOT_RUN)

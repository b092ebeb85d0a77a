"""`gptdoctor fix` in the terminal: what would be written, and what was shown of each fix."""

from __future__ import annotations

import difflib
import io
from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from gptdoctor.core.cells import place_words
from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.repairs import Applicability, Outcome, Patch, RepairOutcome
from gptdoctor.report.amounts import count
from gptdoctor.report.layout import print_labelled, print_line, print_wrapped, to_text
from gptdoctor.report.prose import literally, prose, sentence, visible
from gptdoctor.report.text_models import reasons_of, verdict_role, verdict_word

CONTEXT_LINES = 3  # as diff, patch and git have them
HEADER_LINES = 2  # "--- a/model.py" and "+++ b/model.py"
_LABELS = {
    Outcome.PROVEN: "shown",
    Outcome.UNPROVEN: "unproven",
    Outcome.FAILED: "because",
    Outcome.DECLINED: "because",
}
_ROLES = {"+": "diff.added", "-": "diff.removed", "@": "diff.hunk"}


def print_repair(
    console: Console,
    outcomes: Sequence[RepairOutcome],
    patches: Sequence[Patch],
    *,
    applied: bool,
    before: Examination | None = None,
    after: Examination | None = None,
    piped: bool = False,
) -> None:
    """The diff of each file, every fix with its proof, what becomes of the models, what is next.

    `before` and `after` are the examinations without and with the patches.  `piped`: the mended
    text is printed, and no file written.
    """
    for patch in sorted(patches, key=lambda one: one.path):
        print_diff(console, patch)
        console.print()
    held_back = [one for one in outcomes if _is_held_back(one, outcomes, patches)]
    for outcome in outcomes:
        _print_outcome(console, outcome, with_diff=outcome in held_back)
        console.print()
    if before is not None and after is not None and patches:
        _print_verdicts(console, before, after)
    for line in _summary(outcomes, patches, held_back, applied=applied, piped=piped):
        print_wrapped(console, line, rest="  ")


def _is_held_back(
    outcome: RepairOutcome, outcomes: Sequence[RepairOutcome], patches: Sequence[Patch]
) -> bool:
    """Whether a fix could be made, and is not in the patches: it wants a flag, or is only shown.

    What was taken up is where the next fix of the file began, or what shall be written.
    """
    if outcome.patch is None or outcome.outcome not in (Outcome.PROVEN, Outcome.UNPROVEN):
        return False
    begun = {(one.patch.path, one.patch.before) for one in outcomes if one.patch is not None}
    written = {(patch.path, patch.after) for patch in patches}
    return (outcome.patch.path, outcome.patch.after) not in begun | written


def print_diff(console: Console, patch: Patch, indent: str = "") -> None:
    """A unified diff, never wrapped; what is piped without an indent suits `git apply`."""
    for index, line in enumerate(diff_lines(patch)):
        if not console.is_terminal:
            console.file.write(f"{indent}{line}\n")
            continue
        role = "diff.file" if index < HEADER_LINES else _ROLES.get(line[:1], "text")
        shown = visible(line.rstrip("\r"))
        console.print(Text.assemble(indent, (shown, role)), soft_wrap=True)


def diff_lines(patch: Patch) -> Iterator[str]:
    """The lines of a unified diff, as `git diff` writes them, without their ends."""
    lines = difflib.unified_diff(
        _lines(patch.before),
        _lines(patch.after),
        f"a/{patch.path}",
        f"b/{patch.path}",
        lineterm="",
        n=CONTEXT_LINES,
    )
    for index, line in enumerate(lines):
        yield line.removesuffix("\n")
        if index >= HEADER_LINES and line[:1] in "+- " and not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a line feed ends a line for diff, whatever Python thinks."""
    return io.StringIO(text, newline="\n").readlines()


def _print_outcome(console: Console, outcome: RepairOutcome, *, with_diff: bool) -> None:
    word = outcome.outcome.value
    print_line(
        console,
        (word.upper(), f"outcome.{word}"),
        " ",
        (f"{outcome.rule} {outcome.name}", "rule"),
        "  ",
        (visible(place_words(outcome.path, outcome.line, outcome.in_cell)), "path"),
    )
    how = outcome.applicability.value
    title = sentence(outcome.title, " (", literally(how, f"applicability.{how}"), ")")
    print_labelled(console, "fix", "label", to_text(console, title))
    reason = to_text(console, prose(outcome.reason))
    print_labelled(console, _LABELS[outcome.outcome], "label", reason)
    if with_diff and outcome.patch is not None:
        told = "it would write this:"
        if outcome.in_cell is not None:
            told = "the change, in the code of all cells together:"
        print_labelled(console, "not taken", "label", Text(told))
        print_diff(console, outcome.patch, indent="    ")


def _print_verdicts(console: Console, before: Examination, after: Examination) -> None:
    """What becomes of each model."""
    known = {(model.path, model.name): model.verdict for model in before.models}
    widest = max((len(model.name) for model in after.models), default=0)
    for model in after.models:
        old = known.get((model.path, model.name), model.verdict)
        changed = Text.assemble((verdict_word(old), verdict_role(old)))
        if old is not model.verdict:
            changed.append(" → ").append(verdict_word(model.verdict), verdict_role(model.verdict))
        name = Text(visible(model.name).ljust(widest), style="strong")
        print_line(console, name, "  ", changed)
        for reason in reasons_of(model):
            print_labelled(console, "because", "label", to_text(console, reason))
    console.print()


def _summary(
    outcomes: Sequence[RepairOutcome],
    patches: Sequence[Patch],
    held_back: Sequence[RepairOutcome],
    *,
    applied: bool,
    piped: bool,
) -> Iterator[Text]:
    if not outcomes:
        yield Text.assemble(("Nothing to repair.", "strong"), " No finding has a fix.")
        return
    yield _counted(outcomes)
    if piped:
        yield Text("The text as it is now is on stdout." if patches else "The text stays as it is.")
    elif applied and patches:
        wrote = Text(f"Wrote {count(len(patches), 'file')}.", style="strong")
        yield wrote.append(" Run your own tests, too.", style="not bold")
    else:
        yield _not_written(patches, applied=applied)
    yield from _flags(held_back)


def _counted(outcomes: Sequence[RepairOutcome]) -> Text:
    """How many fixes had which outcome."""
    text = Text(count(len(outcomes), "fix", "fixes").capitalize(), style="strong")
    found = Counter(one.outcome for one in outcomes)
    for index, outcome in enumerate(one for one in Outcome if found[one]):
        text.append(", " if index else ": ", style="not bold")
        text.append(f"{found[outcome]} {outcome.value}", style=f"outcome.{outcome.value}")
    return text.append(".")


def _not_written(patches: Sequence[Patch], *, applied: bool) -> Text:
    """That nothing was written, and what writes it."""
    text = Text("Nothing was written.", style="strong")
    if patches and not applied:
        text.append(" Next: ", style="not bold").append("--apply", style="command")
        text.append(f" writes the diff above ({count(len(patches), 'file')}).", style="not bold")
    return text


def _flags(held_back: Sequence[RepairOutcome]) -> Iterator[Text]:
    """The flags that let more through, with what each would add."""
    takeable = [one for one in held_back if one.applicability is not Applicability.DISPLAY]
    for outcome, flag, meaning in (
        (Outcome.PROVEN, "--unsafe-fixes", "that guess what you meant"),
        (Outcome.UNPROVEN, "--unproven", "that no probe could judge"),
    ):
        number = sum(one.outcome is outcome for one in takeable)
        if number:
            adds = f" adds {count(number, 'fix', 'fixes')} {meaning}."
            yield Text.assemble((flag, "command"), adds)

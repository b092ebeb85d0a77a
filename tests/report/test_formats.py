"""What holds for every output format."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from gptdoctor.core.errors import UsageError
from gptdoctor.report.output_formats import format_names, require_format
from tests.commands import ROOT
from tests.report import samples
from tests.report.written import EXAMINATIONS, written

WITHOUT_RICH = sorted({*format_names()} - {"text"})


def test_all_formats_are_there() -> None:
    """Those that CI speaks, and those for people."""
    expected = {"text", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit"}
    assert {*expected, "markdown"} == {*format_names()}


@pytest.mark.parametrize("name", format_names())
@pytest.mark.parametrize("examination", EXAMINATIONS)
def test_every_format_tells_every_check(name: str, examination: str) -> None:
    """No check is too odd for a format, and what is written ends with a line."""
    text = written(name, EXAMINATIONS[examination])
    assert text.endswith("\n") or name in ("concise", "github")
    assert "\x1b" not in text


@pytest.mark.parametrize("name", ["json", "jsonl", "sarif", "gitlab", "junit"])
def test_what_machines_read_is_plain_letters(name: str) -> None:
    """A terminal or a file of any encoding can hold it."""
    assert written(name, EXAMINATIONS["odd letters"]).isascii()


@pytest.mark.parametrize("name", ["concise", "sarif", "github", "gitlab", "junit", "markdown"])
def test_every_format_of_entries_tells_findings_verdicts_and_errors(name: str) -> None:
    """A job that fails shows why, whatever the reason is."""
    text = written(name, samples.EVERYTHING)
    for told in ("GD101", "OddModel", "models/broken.py", "was never closed"):
        assert told in text
    if name != "gitlab":  # it has no room for what is at no line; the job's log tells it
        assert "torch is not installed" in written(name, samples.TROUBLE)


@pytest.mark.parametrize("name", ["concise", "sarif", "github", "gitlab"])
def test_what_a_run_refuted_is_no_complaint(name: str) -> None:
    """The place was run, and no harm was found."""
    assert f"{samples.FOUR_O}:177" not in written(name, samples.REFERENCE).replace(
        f"GD101 at {samples.FOUR_O}:177", ""
    )


@pytest.mark.parametrize("name", WITHOUT_RICH)
def test_only_the_format_that_is_asked_for_is_loaded(name: str) -> None:
    """No format for machines waits for what draws on terminals."""
    program = (
        "import sys; from gptdoctor.report.output_formats import writer_of; "
        f"writer_of({name!r}); "
        "print(sorted(m for m in sys.modules if m.split('.')[0] == 'rich' "
        "or m.startswith('gptdoctor.report.formats.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"['gptdoctor.report.formats.{name}']"


@pytest.mark.parametrize(
    ("word", "near"), [("sarf", "sarif"), ("JUNIT2", "junit"), ("ndjson", "json"), ("txt", "text")]
)
def test_an_unknown_format_names_the_nearest(word: str, near: str) -> None:
    """One sentence, and all formats below it."""
    with pytest.raises(UsageError) as raised:
        require_format(word)
    assert raised.value.message == f"there is no output format {word!r}; did you mean {near!r}?"
    assert "concise, github, gitlab" in raised.value.hint


def test_a_stream_with_few_letters_is_enough(tmp_path: Path) -> None:
    """A file's letters that a stream has not are no error of ours."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    stream.write(written("concise", EXAMINATIONS["odd letters"]))

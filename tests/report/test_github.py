"""Annotations: read back as GitHub's runner reads them, and as another writer writes them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import github_action_utils
import pytest

from gptdoctor.report.entries import entries_of
from gptdoctor.report.prose import visible
from tests.report import samples
from tests.report.written import EXAMINATIONS, in_notebook, many, odd, written

PER_KIND = 10


@dataclass(frozen=True)
class Command:
    """One command of a workflow."""

    kind: str
    properties: dict[str, str]
    message: str


def unescaped(text: str, *pairs: tuple[str, str]) -> str:
    """A value or a message, as it was before it was escaped."""
    for escaped, letter in (*pairs, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(escaped, letter)
    return text


def parsed(line: str) -> Command:
    """As `ActionCommand.TryParseV2` of actions/runner does it."""
    assert line.startswith("::")
    head, separator, data = line[2:].partition("::")
    assert separator
    kind, _, rest = head.partition(" ")
    properties = dict(part.split("=", 1) for part in rest.split(",") if part)
    values = {
        key: unescaped(value, ("%3A", ":"), ("%2C", ",")) for key, value in properties.items()
    }
    return Command(kind, values, unescaped(data))


def commands(text: str) -> list[Command]:
    """All lines."""
    return [parsed(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", EXAMINATIONS)
def test_every_line_is_a_command_that_the_runner_knows(name: str) -> None:
    """With properties that it knows, and no more of a kind than it shows."""
    told = commands(written("github", EXAMINATIONS[name]))
    known = {"file", "line", "endLine", "col", "endColumn", "title"}
    for one in told:
        assert one.kind in ("error", "warning", "notice")
        assert one.properties.keys() <= known
        assert one.message
    for kind in ("error", "warning", "notice"):
        assert sum(one.kind == kind for one in told) <= PER_KIND


def test_an_annotation_stands_at_its_range() -> None:
    """With the path that begins at the top of the repository."""
    told = commands(written("github", samples.REFERENCE, in_repository="python/"))
    (one,) = [each for each in told if each.properties["title"] == "GD101 no-grad-in-forward"]
    assert one.kind == "error"
    assert one.properties["file"] == f"python/{samples.O_THREE}"
    assert one.properties["line"] == one.properties["endLine"] == "178"
    assert (one.properties["col"], one.properties["endColumn"]) == ("5", "21")
    assert "learns nothing. Confirmed by gradient-flow: 2 parameters" in one.message
    assert one.message.endswith(" Fix: Remove the decorator.")


def test_letters_that_part_commands_are_escaped() -> None:
    """Commas and colons in a value, percent signs and line ends in a message."""
    (one,) = commands(written("github", odd()))
    assert one.properties["file"] == "src/my models/50% größer.py"
    assert one.message.startswith("`experts[0](x)`, 100%: a")
    (one, *_) = commands(written("github", in_notebook()))
    assert one.properties == {
        "file": "study.ipynb",
        "title": "GD101 no-grad-in-forward (study.ipynb:cell 3:5)",
    }


NASTY = ["50%25 %0A", "a:b,c", "x::error::y", "a=b", "\r\n", "::set-output name=a::b", "é ✓ 😀"]


@pytest.mark.parametrize("text", NASTY)
def test_another_writer_writes_the_same(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same escapes in messages and values; the order of these means nothing."""
    finding = dataclasses.replace(
        samples.NO_GRAD,
        name=f"no-{text}",
        message=f"{text} {text}",
        location=samples.place(f"pkg/{text}.py", 7, 9, 4),
    )
    examination = dataclasses.replace(samples.REFERENCE, findings=(finding,), models=())
    (entry,) = entries_of(examination)
    github_action_utils.error(
        visible(entry.told),
        title=visible(entry.title),
        file=visible(entry.location.path),
        line=7,
        end_line=7,
        col=9,
        end_column=13,
    )
    theirs = capsys.readouterr().out
    ours = written("github", examination)
    assert sorted_values(ours) == sorted_values(theirs)


def sorted_values(line: str) -> tuple[str, list[str], str]:
    """The name of a command, its properties as they are written, and its message."""
    head, _, message = line.removeprefix("::").partition("::")
    kind, _, properties = head.partition(" ")
    return kind, sorted(properties.split(",")), message


def test_the_worst_come_first_and_what_is_left_out_is_told() -> None:
    """The last notice keeps a place for it."""
    told = commands(written("github", many(300)))
    assert [one.kind for one in told] == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 10
    assert {one.properties["title"].partition(" ")[0] for one in told[:10]} <= {"GD101", "GD201"}
    total = len(written("concise", many(300)).splitlines())
    assert told[-1].message.startswith("142 errors, 101 warnings and 28 notices more than GitHub")
    assert total - 29 == 142 + 101 + 28

"""How far a change goes among files that ask each other for names."""

from __future__ import annotations

import ast

import pytest

from gptdoctor.cache.scan_grounds import MOST_READ, ScanGrounds
from gptdoctor.source.told import EVERYTHING, LINES, STARRED, Texts, digests_of, packed, texts_of

BASE = "class Layer:\n    width = 1\n\n\nclass Other:\n    width = 2\n"
MIDDLE = "from base import Layer, Other\n\n\nclass Middle(Layer):\n    pass\n\n\nSPARE = Other\n"


def texts(text: str) -> Texts:
    """The texts of a file by name."""
    return texts_of(ast.parse(text), text)


def stale(
    links: dict[str, dict[str, set[str]]],
    after: dict[str, str],
    before: dict[str, str] | None = None,
) -> set[str]:
    """The files that are stale when `base` becomes what it is in `after`."""
    before = before or {"base": BASE, "middle": MIDDLE}
    told = {file: packed(digests_of(texts(text))) for file, text in before.items()}
    grounds = ScanGrounds(links=links, told=told)
    now = {**before, **after}
    return grounds.stale(["base"], [], lambda file: texts(now[file]) if file in now else None)


EDITED = {"base": BASE.replace("width = 1", "width = 3")}


@pytest.mark.parametrize(
    ("asked", "reached"),
    [
        ({"Layer"}, True),
        ({"Other"}, False),
        ({EVERYTHING}, True),
        ({STARRED}, False),
        ({LINES}, True),
        (set(), False),
    ],
)
def test_who_asked_for_what_has_changed_is_reached(asked: set[str], reached: bool) -> None:
    """And nobody else."""
    found = stale({"model": {"base": asked}}, EDITED)
    assert found == ({"base", "model"} if reached else {"base"})


@pytest.mark.parametrize(("asked", "reached"), [({"Middle"}, True), ({"SPARE"}, False)])
def test_a_file_between_hands_on_what_mentions_it(asked: set[str], reached: bool) -> None:
    """The file between is scanned again; who asks it is, where the name leads there."""
    links = {"middle": {"base": {"Layer", "Other"}}, "model": {"middle": asked}}
    found = stale(links, EDITED)
    assert found == {"base", "middle", *(["model"] if reached else [])}


def test_a_comment_reaches_those_that_tell_of_lines() -> None:
    """What is told of one file may name a line of another."""
    noted = {"base": "# A note above.\n" + BASE}
    links = {"model": {"base": {"Layer"}}, "pointing": {"base": {"Layer"}}}
    grounds = ScanGrounds(links=links)
    grounds.note_lines("pointing", {"message": "base:1 says otherwise"})
    grounds.note_lines("model", 0)
    assert stale(grounds.links, noted) == {"base", "pointing"}


def test_a_file_that_cannot_be_read_may_answer_anything() -> None:
    """So it is where nothing is known of what it told."""
    links = {"model": {"gone": {"Layer"}}, "other": {"gone": set()}}
    grounds = ScanGrounds(links=links, told={"gone": packed(digests_of(texts(BASE)))})
    assert grounds.stale(["gone"], [], lambda _: None) == {"gone", "model"}
    grounds = ScanGrounds(links=links)
    assert grounds.stale(["gone"], [], lambda _: texts(BASE)) == {"gone", "model"}


def test_a_star_import_hands_on_everything() -> None:
    """A list of names that has changed may hide or bring whatever another file is asked for."""
    links = {"middle": {"base": {STARRED}}, "model": {"middle": {"Middle"}}}
    more = {"base": BASE + "\n\nclass More:\n    pass\n"}
    assert stale(links, more) == {"base", "middle", "model"}
    assert stale(links, EDITED) == {"base"}


def test_where_much_has_changed_no_file_is_read_for_it() -> None:
    """Whoever asks any of them is scanned again, and nothing is read twice."""
    files = [f"file{number}" for number in range(MOST_READ + 5)]
    links = {f"model {file}": {file: {"Layer"}} for file in files}
    grounds = ScanGrounds(
        links=links, told={file: packed(digests_of(texts(BASE))) for file in files}
    )
    read: list[str] = []

    def reader(file: str) -> Texts:
        read.append(file)
        return texts(BASE)

    found = grounds.stale(files, [], reader)
    assert len(read) == MOST_READ
    assert len(found) == len(files) + 5

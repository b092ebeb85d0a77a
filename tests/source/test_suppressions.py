"""Comments that ask for silence, and the lines that they speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.comments import IgnoreComment
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.suppressions import ignore_comments
from gptdoctor.worker.codec import from_plain, to_plain

IGNORE = "# gptdoctor: ignore[GD101]"


def read(folder: Path, text: str, name: str = "model.py") -> tuple[IgnoreComment, ...]:
    """The comments of a text."""
    (folder / name).write_text(text)
    module = Project(root=folder).read(folder / name)
    assert isinstance(module, SourceModule)
    return ignore_comments(module)


def lines(folder: Path, text: str) -> list[int]:
    """The lines that the one comment of a text speaks of."""
    (comment,) = read(folder, text)
    first, last = comment.lines
    return list(range(first, last + 1))


def marked(text: str) -> list[int]:
    """The lines of a text that end in `!`."""
    return [n for n, line in enumerate(text.split("\n"), start=1) if line.endswith("!")]


WORDS = {
    "one rule": (IGNORE, ("GD101",), ""),
    "several": (
        "# gptdoctor: ignore[GD101, GD3,no-progress] old",
        ("GD101", "GD3", "no-progress"),
        "old",
    ),
    "with a reason": (f"{IGNORE} the teacher is fixed", ("GD101",), "the teacher is fixed"),
    "a reason behind a colon": (f"{IGNORE}: fixed", ("GD101",), "fixed"),
    "tight": ("#gptdoctor:ignore[GD101]", ("GD101",), ""),
    "loose and loud": ("#  gptdoctor :  IGNORE [ GD101 ]", ("GD101",), ""),
    "behind another tool's": (f"# type: ignore[misc]  {IGNORE}", ("GD101",), ""),
    "before another tool's": (f"{IGNORE} fixed  # noqa: E501", ("GD101",), "fixed"),
}


@pytest.mark.parametrize(("comment", "words", "reason"), WORDS.values(), ids=WORDS)
def test_a_comment_names_rules_and_gives_a_reason(
    tmp_path: Path, comment: str, words: tuple[str, ...], reason: str
) -> None:
    """In whatever company it stands."""
    (found,) = read(tmp_path, f"x = 1  {comment}\n")
    assert (found.words, found.reason, found.trouble) == (words, reason, "")
    assert found.location.line == 1
    assert not found.whole_file


NONE = {
    "a string": f'x = "{IGNORE}"\n',
    "a docstring": f'"""{IGNORE}"""\n',
    "a line of a long string": f'x = """\n{IGNORE}\n"""\n',
    "prose": "# gptdoctor: see the wiki for what it says\nx = 1\n",
    "another spelling": "x = 1  # GPTDoctor: ignore[GD101]\n",
    "another tool": "x = 1  # mydoctor: ignore[GD101]\n",
    "no comment at all": "gptdoctor: int = 1\n",
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_only_looks_like_a_comment_is_none(tmp_path: Path, text: str) -> None:
    """Only comments count, and of these only ours."""
    assert read(tmp_path, text) == ()


TROUBLE = {
    "no rules": ("x = 1  # gptdoctor: ignore\n", "it names no rule"),
    "none in the brackets": ("x = 1  # gptdoctor: ignore[ , ]\n", "it names no rule"),
    "for the whole file": ("# gptdoctor: ignore-file\nx = 1\n", "it names no rule"),
    "a slip of the pen": ("x = 1  # gptdoctor: ignroe[GD101]\n", "did you mean `ignore`"),
    "another word": ("# gptdoctor: ignore_file[GD101]\nx = 1\n", "did you mean `ignore-file`"),
    "too late": ("x = 1\n# gptdoctor: ignore-file[GD101]\n", "above the file's first statement"),
}


@pytest.mark.parametrize(("text", "told"), TROUBLE.values(), ids=TROUBLE)
def test_a_comment_that_cannot_be_followed_says_why(tmp_path: Path, text: str, told: str) -> None:
    """And silences nothing."""
    (comment,) = read(tmp_path, text)
    assert told in comment.trouble
    assert not comment.covers(comment.location)


# Lines that the comment speaks of end in "!"; so each case is true by itself.
COVERED = {
    "its own line": f"""\
a = 1
b = 2  {IGNORE} !
c = 3
""",
    "the line below": f"""\
{IGNORE} !
a = 1  # !
b = 2
""",
    "below other comments": f"""\
{IGNORE}
# and why: !
a = 1  # !
b = 2
""",
    "a statement of several lines, at its first": f"""\
a = f(  {IGNORE} !
    1,  # !
)  # !
b = 2
""",
    "a statement of several lines, at its last": f"""\
a = f(  # !
    1,  # !
)  {IGNORE} !
b = 2
""",
    "above a statement of several lines": f"""\
{IGNORE}
a = f(  # !
    1,  # !
)  # !
""",
    "one line of several": f"""\
a = f(
    1,  {IGNORE} !
    2,
)
""",
    "a decorator": f"""\
@one  {IGNORE} !
@two  # !
def f(  # !
    a,  # !
):  # !
    return a
""",
    "the head of what is decorated": f"""\
@one  # !
@two  # !
def f(a):  {IGNORE} !
    return a
""",
    "the end of a long head": f"""\
def f(  # !
    a,  # !
):  {IGNORE} !
    # nothing
    return a
""",
    "a class, and not what is in it": f"""\
class A:  {IGNORE} !
    def f(self):
        return 1
""",
    "the head of a block": f"""\
with a:  {IGNORE} !
    b = 1
""",
    "a statement in a block": f"""\
try:
    a = 1
except B:
    c = [  {IGNORE} !
        1,  # !
    ]  # !
else:
    d = 2
""",
    "a case": f"""\
match a:
    case 1:
        b = 2  {IGNORE} !
""",
    "a method in a class": f"""\
class A:
    {IGNORE}
    @one  # !
    def f(self):  # !
        return 1
""",
    "all on one line": f"""\
if a: b = 1  {IGNORE} !
c = 2
""",
}


@pytest.mark.parametrize("text", COVERED.values(), ids=COVERED)
def test_a_comment_speaks_of_a_statement(tmp_path: Path, text: str) -> None:
    """Of the one that it stands at, or alone above."""
    own = next(n for n, line in enumerate(text.split("\n"), start=1) if IGNORE in line)
    alone = text.split("\n")[own - 1].lstrip().startswith("#")
    expected = [line for line in marked(text) if not alone or line > own]
    expected = [n for n in expected if not text.split("\n")[n - 1].lstrip().startswith("#")]
    assert lines(tmp_path, text) == expected


def test_a_comment_for_the_whole_file_stands_at_its_top(tmp_path: Path) -> None:
    """Below the docstring, too; then it speaks of every line."""
    (comment,) = read(tmp_path, '"""A model."""\n\n# gptdoctor: ignore-file[GD501]\nimport a\n')
    assert comment.whole_file
    assert not comment.trouble


def test_a_comment_can_be_kept(tmp_path: Path) -> None:
    """Scans and examinations are, with their comments, as plain values."""
    (comment,) = read(tmp_path, f"x = 1  {IGNORE}\n")
    assert from_plain(to_plain(comment, IgnoreComment), IgnoreComment) == comment


def test_a_file_without_the_word_is_not_read_by_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes as long as parsing it, and nearly no file has such a comment."""

    def refuse(*_: object) -> None:
        raise AssertionError("read by tokens")

    monkeypatch.setattr("tokenize.generate_tokens", refuse)
    assert read(tmp_path, "x = 1  # noqa\n") == ()

"""Judges what gptdoctor said of each mutant, and writes the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.mutations.cases import Case
from benchmarks.mutations.doctor import Examined, Found

SERIOUS = ("critical", "high")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A mutant, and whether it was found."""

    case: Case
    examined: Examined
    new: tuple[Found, ...]  # confirmed, and not on the base

    @property
    def found(self) -> bool:
        """Whether anything was confirmed that the base does not have."""
        return bool(self.new)

    @property
    def right_family(self) -> bool:
        """Whether a new finding belongs to a family of the operator."""
        assert self.case.operator is not None
        return any(int(one.rule[2]) in self.case.operator.digits for one in self.new)

    @property
    def right_line_first(self) -> bool:
        """Whether the first new finding is where the source was changed."""
        return self.found and self.case.first_line <= self.new[0].line <= self.case.last_line

    @property
    def told(self) -> str:
        """What was said of it instead, in a few words."""
        new = [f"{one.rule} at {one.line}" for one in self.new]
        rest = [f"{one.rule} {one.status}" for one in self.examined.findings if one not in self.new]
        return ", ".join([*new, *rest, self.examined.verdict, *self.examined.errors])


def judged(case: Case, examined: Examined, base: Examined) -> Row:
    """Takes away what is also found on the base."""
    known = {one.key for one in base.findings}
    new = tuple(one for one in examined.confirmed if one.key not in known)
    return Row(case=case, examined=examined, new=new)


def lines(rows: list[Row], bases: dict[str, Examined]) -> Iterator[str]:
    """The whole report, in Markdown."""
    yield "| family | operator | mutants | found | right family | right line first |"
    yield "|---|---|---|---|---|---|"
    operators = list(dict.fromkeys((_family(row), _operator(row)) for row in rows))
    for family, operator in sorted(operators):
        yield _line(family, operator, [row for row in rows if _operator(row) == operator])
    for family in sorted({family for family, _ in operators}):
        yield _line(f"**{family}**", "all", [row for row in rows if _family(row) == family])
    yield _line("**all**", "all", rows)
    yield ""
    yield from _bases(bases)
    yield ""
    yield from _wrong(rows)


def _line(family: str, operator: str, rows: list[Row]) -> str:
    counts = [
        sum(row.found for row in rows),
        sum(row.right_family for row in rows),
        sum(row.right_line_first for row in rows),
    ]
    shares = " | ".join(f"{count} ({count / len(rows):.0%})" for count in counts)
    return f"| {family} | {operator} | {len(rows)} | {shares} |"


def _bases(bases: dict[str, Examined]) -> Iterator[str]:
    confirmed = [(name, one) for name, base in bases.items() for one in base.confirmed]
    serious = [one for one in confirmed if one[1].severity in SERIOUS]
    yield f"Confirmed findings on the {len(bases)} bases: {len(confirmed)}, "
    yield f"of which critical or high: {len(serious)}."
    for name, one in confirmed:
        yield f"- {name}: {one.rule} ({one.severity}) at line {one.line}: `{one.text}`"
    verdicts = Counter(base.verdict for base in bases.values())
    yield f"Verdicts of the bases: {dict(verdicts)}."


def _wrong(rows: list[Row]) -> Iterator[str]:
    for title, kept in (
        ("Not found", [row for row in rows if not row.found]),
        ("Found in another family", [row for row in rows if row.found and not row.right_family]),
        (
            "Another line first",
            [row for row in rows if row.right_family and not row.right_line_first],
        ),
    ):
        yield f"{title}: {len(kept)}"
        for row in kept:
            case = row.case
            expected = f"lines {case.first_line} to {case.last_line}, {case.effect}"
            yield f"- {case.name} ({expected}): {row.told}"
        yield ""


def _family(row: Row) -> str:
    assert row.case.operator is not None
    return row.case.operator.family


def _operator(row: Row) -> str:
    assert row.case.operator is not None
    return row.case.operator.name

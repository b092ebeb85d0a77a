"""The mutation benchmark: operators change one place, and their effects are real."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from benchmarks.mutations.cases import Case
from benchmarks.mutations.doctor import Examined, Found
from benchmarks.mutations.edit import Mutant, Tree
from benchmarks.mutations.host import Host
from benchmarks.mutations.operator import Operator, Rewrite
from benchmarks.mutations.pattern import Matcher, fill, parse
from benchmarks.mutations.prove import candidates, prove
from benchmarks.mutations.registry import all_operators, hosts
from benchmarks.mutations.split import is_fresh, is_held_out, name_of
from benchmarks.mutations.table import judged

PACKAGED = {  # their sources come from registry packages
    *("gpt2", "mixtral", "from_scratch"),
    *("attn_res", "bloom", "qwen3"),
}
OWN = [host for host in hosts() if host.name not in PACKAGED]
OPERATORS = {operator.name: operator for operator in all_operators()}
HOSTS = {host.name: host for host in hosts()}


@cache
def tree_of(host: str) -> Tree:
    """A host's source, parsed once."""
    return Tree(HOSTS[host].source())


def first(operator: str, host: str) -> Mutant:
    """The first candidate of an operator in a host."""
    return candidates(OPERATORS[operator], tree_of(host))[0]


def test_names_are_unique_and_there_are_enough() -> None:
    """At least forty operators and eight hosts, two of them from registry packages."""
    assert len(OPERATORS) == len(all_operators()) >= 40
    assert len(HOSTS) >= 8
    assert len(PACKAGED) >= 2


@pytest.mark.parametrize("operator", all_operators(), ids=lambda one: one.name)
def test_an_operator_applies_and_changes_exactly_one_place(operator: Operator) -> None:
    """Some host of ours has a place for it; what is before and after the place is untouched."""
    found = [(host, one) for host in OWN for one in candidates(operator, tree_of(host.name))]
    assert found
    for host, one in found:
        base, edit = host.source(), one.edit
        assert one.source != base
        assert one.source.startswith(base[: edit.start])
        assert one.source.endswith(base[edit.end :])
        assert 1 <= one.first_line <= one.last_line <= one.source.count("\n") + 1


def test_a_host_says_nothing_of_the_benchmark() -> None:
    """No hint is given: hosts have no comment or name that tells of faults."""
    for host in OWN:
        assert not {"mutation", "mutant", "sick", "gptdoctor"} & set(host.source().lower().split())


@pytest.mark.parametrize(
    ("operator", "host"),
    [
        ("mask-dropped", "llama"),
        ("branch-detached", "nano"),
        ("expert-overwrites", "moe"),
        ("greedy", "stacked"),
        ("shift-missing", "hf_style"),
    ],
)
def test_an_effect_holds_on_the_mutant_and_not_on_the_base(operator: str, host: str) -> None:
    """The same numbers that condemn the mutant acquit its base."""
    one, base = HOSTS[host], HOSTS[host].source()
    sound = Mutant(source=base, first_line=1, last_line=1, edit=first(operator, host).edit)
    assert prove(one, OPERATORS[operator], base, [first(operator, host)]).place == 0
    assert prove(one, OPERATORS[operator], base, [sound]).place is None


def test_the_lines_of_a_changed_statement_are_expected() -> None:
    """A changed expression is expected in its statement."""
    one = first("shift-missing", "moe")
    [line] = one.source.splitlines()[one.first_line - 1 : one.last_line]
    assert "labels[:, :-1]" in line


def test_the_function_around_a_deleted_statement_is_expected() -> None:
    """What is gone has no line of its own."""
    one = first("training-while-generating", "llama")
    lines = one.source.splitlines()[one.first_line - 1 : one.last_line]
    assert lines[0].strip() == "@torch.no_grad()"
    assert lines[-1].strip() == "return input_ids"
    assert "self.eval()" not in one.source


def test_a_pattern_binds_text_and_fills_a_template() -> None:
    """Capitals, the rest of a call, and torch's functions under any name."""
    source = "y = nn.functional.softmax(a + b, dim=-1, dtype=d)"
    [pattern] = parse("F.softmax(X, dim=-1, **KW)")
    assert isinstance(pattern, ast.Expr)
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.Assign)
    found: dict[str, str] = {}
    assert Matcher(source).match(pattern.value, node.value, found)
    assert fill("F.softmax(X, dim=0, **KW)", found) == source.partition(" = ")[2].replace("-1", "0")
    assert fill("f(**NONE, x)", {"NONE": ""}) == "f(x)"


def test_the_same_capital_stands_for_the_same_source() -> None:
    """`X = X + Y` is no pattern of `a = b + c`."""
    source = "a = b + c\na = a + c"
    [pattern] = parse("X = X + Y")
    other, same = ast.parse(source).body
    assert not Matcher(source).match(pattern, other, {})
    assert Matcher(source).match(pattern, same, {})


def test_conditions_on_names_makers_and_scopes_are_kept() -> None:
    """A rewrite applies where its text, its constructor and its function fit."""
    source = (
        "class A:\n    def __init__(self):\n        self.a = nn.Embedding(1, 2)\n"
        "        self.b = nn.Linear(1, 2)\n    def forward(self, x):\n"
        "        return self.a(x), self.b(x)\n"
    )
    rewrite = Rewrite(before="self.M(X)", after="X", made_by={"M": "Embedding"}, within="forward")
    operator = _operator(rewrite)
    assert [one.edit.text for one in candidates(operator, Tree(source))] == ["x"]
    assert "return x, self.b(x)" in candidates(operator, Tree(source))[0].source


def _operator(*rewrites: Rewrite) -> Operator:
    return Operator(name="x", family="shapes", digits=(3,), says="", effects=(), rewrites=rewrites)


def test_names_are_split_in_halves() -> None:
    """About half of all names that are not fresh are held out, and the same ones each time."""
    seen = [host for host in HOSTS if not is_fresh(host)]
    names = [name_of(host, operator) for host in seen for operator in OPERATORS]
    held = sum(is_held_out(name) for name in names)
    assert 0.45 < held / len(names) < 0.55
    assert is_held_out("nano/greedy") == is_held_out(name_of("nano", "greedy"))


def found(rule: str, line: int, text: str = "", status: str = "confirmed") -> Found:
    """A finding of a made-up report."""
    return Found(rule=rule, severity="high", status=status, line=line, text=text)


def row_of(*findings: Found, base: tuple[Found, ...] = ()) -> tuple[bool, bool, bool]:
    """Whether a shape error in lines 5 to 6 counts as found, in its family, and in its line."""
    host: Host = HOSTS["nano"]
    case = Case(host=host, operator=_operator(), source="", first_line=5, last_line=6)
    examined = Examined(findings=findings, verdict="")
    row = judged(case, examined, Examined(findings=base, verdict=""))
    return row.found, row.right_family, row.right_line_first


def test_only_new_confirmed_findings_count() -> None:
    """Suspicions do not count, nor what the base has as well."""
    assert row_of() == (False, False, False)
    assert row_of(found("GD301", 5, status="suspected")) == (False, False, False)
    known = found("GD301", 4, "x = y")
    assert row_of(found("GD301", 5, "x = y"), base=(known,)) == (False, False, False)
    assert row_of(found("GD301", 5, "x = z"), base=(known,)) == (True, True, True)


def test_family_and_line_are_told_apart() -> None:
    """The line is that of the first new finding, the family that of any."""
    assert row_of(found("GD801", 6)) == (True, False, True)
    assert row_of(found("GD301", 9)) == (True, True, False)
    assert row_of(found("GD801", 9), found("GD302", 5)) == (True, True, False)

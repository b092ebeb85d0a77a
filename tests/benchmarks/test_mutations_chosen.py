"""Which hosts a command of the mutation benchmark is about: a half, or the fresh ones."""

from __future__ import annotations

import pytest

from benchmarks.mutations import chosen as module
from benchmarks.mutations.cases import Made
from benchmarks.mutations.chosen import chosen, chosen_hosts, options_of
from benchmarks.mutations.host import Host
from benchmarks.mutations.registry import hosts
from benchmarks.mutations.split import FRESH

SEEN = {host.name for host in hosts()} - FRESH


def names(*arguments: str) -> set[str]:
    """The hosts of a command line."""
    return {host.name for host in chosen_hosts(options_of("").parse_args(arguments))}


def test_fresh_hosts_are_hosts() -> None:
    """No name in the list is a slip, and the hosts of the published figures are not in it."""
    assert {host.name for host in hosts()} > FRESH
    assert not {"gpt2", "mixtral", "from_scratch", "nano", "moe", "stacked"} & FRESH


@pytest.mark.parametrize("half", [(), ("--development",), ("--held-out",)])
def test_a_half_has_no_fresh_host(half: tuple[str, ...]) -> None:
    """Not even its base is asked about."""
    assert names(*half) == SEEN


def test_fresh_hosts_are_chosen_alone() -> None:
    """With the option there is none of the others."""
    assert names("--fresh") == FRESH
    assert names("--fresh", "--host", "grouped") == {"grouped"}
    assert names("--fresh", "--host", "nano") == set()


def test_a_fresh_host_is_not_looked_at_by_mistake() -> None:
    """Its name alone does not choose it, and it is said why."""
    with pytest.raises(SystemExit, match="--fresh"):
        names("--host", "grouped")


def test_a_command_is_about_one_set() -> None:
    """Fresh and held out at once is refused."""
    with pytest.raises(SystemExit):
        names("--fresh", "--held-out")


@pytest.mark.parametrize(
    ("arguments", "half"),
    [([], None), (["--development"], False), (["--held-out"], True), (["--fresh"], None)],
)
def test_all_mutants_of_a_fresh_host_are_fresh(
    arguments: list[str], half: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Halves are halves of the others only: by its name, a fresh mutant would be in one as well."""
    asked: list[tuple[set[str], bool | None]] = []

    def made(there: list[Host], _: object, held_out: bool | None) -> Made:
        asked.append(({host.name for host in there}, held_out))
        return Made(bases=[], mutants=[], without_effect=[])

    monkeypatch.setattr(module, "made", made)
    chosen(options_of("").parse_args(arguments))
    assert asked == [(FRESH if arguments == ["--fresh"] else SEEN, half)]

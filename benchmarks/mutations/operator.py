"""What a fault operator is: rewrites of source, and the numeric effects that prove the fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from benchmarks.mutations.edit import Edit, Tree
    from benchmarks.mutations.subject import Subject

Effect = Callable[["Subject"], bool]
Family = Literal[
    "gradients",
    "routing",
    "shapes",
    "sampling",
    "imports",
    "training_interface",
    "inputs",
    "information_flow",
    "dynamics",
]


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """A pattern (see `pattern`) and what takes its place; nothing means that it is deleted.

    `where` maps capitals to regular expressions that their text must match in full, `made_by` to
    ones that the constructor of the attribute of that name must match in full, anywhere in the
    file. `within` and `outside` are searched in the dotted name of the class and function.
    """

    before: str
    after: str
    where: Mapping[str, str] = field(default_factory=dict)
    made_by: Mapping[str, str] = field(default_factory=dict)
    within: str = ""
    outside: str = ""


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One fault.

    `digits` are the first digits of the rule codes that name this fault rightly, the best first;
    more than one where the issue's families overlap (mixed heads are a shape error and leak).
    A mutant counts if one of `effects` holds on it and not on its base. `lines` says where a
    finding is expected: in the changed statement, or anywhere in the function around it. Deleted
    statements are always expected in their function.
    """

    name: str
    family: Family
    digits: tuple[int, ...]
    says: str
    effects: tuple[Effect, ...]
    rewrites: tuple[Rewrite, ...] = ()
    custom: Callable[[Tree], Iterator[Edit]] | None = None
    lines: Literal["statement", "function"] = "statement"

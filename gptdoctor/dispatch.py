"""Which handler is called for which node of a module: the triggers of all defects, as tables."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from gptdoctor.catalog import all_defects
from gptdoctor.defect import Defect, Named, NamedIn, SuspectHandler
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project


@dataclass(frozen=True, eq=False)
class Handler:
    """What is called for a node, and on whose behalf."""

    rule: str
    judge: SuspectHandler


Handlers = tuple[Handler, ...]
ByName = Mapping[str, Handlers]
Names = Callable[[Project, SourceModule], frozenset[str]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """The handlers for the nodes of one module, by kind: for every node, and for names."""

    kinds: Mapping[type[ast.AST], tuple[Handlers, ByName]]


class Dispatch:
    """The triggers of some defects."""

    def __init__(self, defects: Iterable[Defect], *, filtering: bool = True) -> None:
        """Without `filtering` every handler is called for all that its triggers say."""
        self.filtering = filtering
        self._plain: list[tuple[type[ast.AST], Handler, tuple[str, ...]]] = []
        self._named: dict[type[ast.AST], dict[str, Handlers]] = {}
        within: dict[tuple[type[ast.AST], Names], Handlers] = {}
        for defect in defects:
            self._add(defect, within)
        self._within = [(kind, handlers, names) for (kind, names), handlers in within.items()]
        self.kinds = frozenset(
            [*self._named, *(kind for kind, *_ in (*self._plain, *self._within))]
        )

    def _add(self, defect: Defect, within: dict[tuple[type[ast.AST], Names], Handlers]) -> None:
        for trigger, judge in defect.suspects.items():
            handler = Handler(defect.code, judge)
            if isinstance(trigger, Named):
                by_name = self._named.setdefault(trigger.kind, {})
                for name in trigger.names:
                    by_name[name] = (*by_name.get(name, ()), handler)
            elif isinstance(trigger, NamedIn):
                # A module is asked once for names that mean something to several rules.
                asked = (trigger.kind, trigger.names)
                within[asked] = (*within.get(asked, ()), handler)
            else:
                self._plain.append((trigger, handler, defect.words))

    def table(self, project: Project, module: SourceModule) -> Table:
        """The handlers for the nodes of this module; those that cannot fire in it are left out."""
        plain = self._plain_handlers(module.text)
        named: dict[type[ast.AST], ByName] = dict(self._named)
        copied: dict[type[ast.AST], dict[str, Handlers]] = {}  # of this module, one for each kind
        for kind, handlers, names_of in self._within:
            own = names_of(project, module)
            if own and kind not in copied:
                named[kind] = copied[kind] = dict(self._named.get(kind, {}))
            for name in own:
                copied[kind][name] = copied[kind].get(name, ()) + handlers
        if ast.Call in named:
            named[ast.Call] = self._renamed(module, named[ast.Call])
        kinds = {*plain, *named}
        return Table(kinds={kind: (plain.get(kind, ()), named.get(kind, {})) for kind in kinds})

    def _plain_handlers(self, text: str) -> dict[type[ast.AST], Handlers]:
        """The handlers for all nodes of a kind, but those whose words a text lacks."""
        found: dict[type[ast.AST], Handlers] = {}
        known: dict[str, bool] = {}  # several rules have a word in common

        def stands(word: str) -> bool:
            if word not in known:
                known[word] = word in text
            return known[word]

        for kind, handler, words in self._plain:
            if not words or not self.filtering or any(map(stands, words)):
                found[kind] = (*found.get(kind, ()), handler)
        return found

    @staticmethod
    def _renamed(module: SourceModule, known: ByName) -> ByName:
        """Calls by the names that a module gives torch's functions: `cross_entropy as ce`."""
        own: dict[str, Handlers] = {}
        for bound, qualified in module.names.aliases.items():
            last = qualified.rpartition(".")[2] if qualified.startswith("torch.") else bound
            if bound != last and last in known:
                more = [one for one in known[last] if one not in known.get(bound, ())]
                own[bound] = (*known.get(bound, ()), *more)
        return {**known, **own} if own else known


@cache
def all_rules() -> Dispatch:
    """The triggers of all defects."""
    return Dispatch(all_defects())

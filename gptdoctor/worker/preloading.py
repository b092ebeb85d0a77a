"""Which installed modules the fork server imports for which jobs, so that their children need not.

Only what the text of several jobs' files imports is taken, and a job is run where nothing is
loaded but what its own files import: a package may change others when it is imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from gptdoctor.core.specimens import ExamineRequest

# The fork server holds these anyway, for our own probes.
_ALWAYS_THERE = frozenset({"torch", "numpy"})
# An import that two jobs share pays for itself; one that a single job needs is its own affair.
_SHARED_BY = 2

Packages = frozenset[str]


@dataclass(kw_only=True)
class Preloading:
    """What the jobs of a session import, and what is to be loaded for each."""

    _counts: dict[Packages, Counter[str]] = field(default_factory=dict)
    _jobs: Counter[Packages] = field(default_factory=Counter)
    _harmful: set[str] = field(default_factory=set)  # that could not be imported ahead

    def expect(self, requests: Sequence[ExamineRequest]) -> None:
        """These jobs will be run; those of earlier calls count, for repairs come back to them."""
        own = {_module_of(request.target.path) for request in requests}
        for request in requests:
            packages = _packages(request)
            self._jobs[packages] += 1
            wanted = [one for one in request.target.imports if one.partition(":")[0] not in own]
            self._counts.setdefault(packages, Counter()).update(wanted)

    def packages_for(self, request: ExamineRequest) -> Packages:
        """The packages that may be loaded where this job runs: none, or some that it imports."""
        packages = _packages(request)
        patched = {path.partition("/")[0] for path in request.overlay}
        if request.devices or patched & packages:
            # A package may look for devices when it is imported; or it is its text that changed.
            return frozenset()
        shared = [one for one, jobs in self._jobs.items() if one <= packages and jobs >= _SHARED_BY]
        return max(shared, key=lambda one: (len(one), sorted(one)), default=frozenset())

    def modules_of(self, packages: Packages) -> tuple[str, ...]:
        """What to import of these packages, the most wanted first."""
        if not packages:
            return ()
        counts = self._counts[packages].most_common()
        return tuple(one for one, jobs in counts if jobs >= _SHARED_BY and one not in self._harmful)

    def forbid(self, modules: Sequence[str]) -> None:
        """These did harm when they were imported ahead; each child imports them for itself."""
        self._harmful.update(modules)


def _packages(request: ExamineRequest) -> Packages:
    tops = {one.partition(":")[0].partition(".")[0] for one in request.target.imports}
    return frozenset(tops - _ALWAYS_THERE)


def _module_of(path: str) -> str:
    """The name that a file in a folder of installed packages is imported by."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

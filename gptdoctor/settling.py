"""One way to settle what was found, for every command: comments, settings, branch and baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from gptdoctor.config import Options
from gptdoctor.core.diagnosis import Examination
from gptdoctor.diagnose.set_aside import settle, sorted_out
from gptdoctor.source.targets import Targets

if TYPE_CHECKING:
    from gptdoctor.baseline import Looked
    from gptdoctor.changed import BranchChanges
    from gptdoctor.source.project import Project


class Settling:
    """Sets findings aside, anew for each examination: nothing of it is kept from run to run."""

    def __init__(
        self,
        options: Options,
        targets: Targets,
        project_with: Callable[[Mapping[str, str]], Project],
    ) -> None:
        """`project_with` gives the project on disk, with texts in place of some of its files."""
        self._options = options
        self._targets = targets
        self._project_with = project_with

    def settled(
        self, examination: Examination, overlay: Mapping[str, str], *, whole: bool
    ) -> Examination:
        """The examination, of the files with `overlay` on top, without what was set aside."""
        found = settle(examination, self._options, whole=whole)
        if self._options.diff_base is not None:
            judge = self._branch.judge(found, self._project_with(overlay))
            found = sorted_out(found, judge)
        file = self._options.baseline
        if file is None:
            return found
        from gptdoctor.baseline import read_baseline, without_known

        return without_known(found, read_baseline(file), self.looked, file.name)

    @property
    def looked(self) -> Looked:
        """What the run looks at, for a baseline that was written of more or less."""
        from gptdoctor.baseline import Looked

        root = self._targets.root
        paths = frozenset(file.relative_to(root).as_posix() for file in self._targets.files)
        return Looked(root=root, paths=paths, options=self._options)

    @cached_property
    def _branch(self) -> BranchChanges:
        from gptdoctor.changed import BranchChanges
        from gptdoctor.source.revisions import before_branch

        before = before_branch(self._targets.root, self._options.diff_base or "HEAD")
        return BranchChanges(before, self._project_with)

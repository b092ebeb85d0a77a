"""Whole examinations, for the run that finds nothing changed at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gptdoctor.cache import fingerprint
from gptdoctor.cache.records import Kept
from gptdoctor.cache.store import Store
from gptdoctor.cache.surroundings import Surroundings
from gptdoctor.cache.tree import TreeState, tree_state
from gptdoctor.cache.witness import STEP_NS
from gptdoctor.config import Options
from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.source.targets import Targets
from gptdoctor.worker.codec import from_plain, to_plain

# What an examination does not depend on: which of its findings are shown and fail the gate, how
# many models run at once, and where results are kept.
_SHOWN = {"select", "ignore", "per_file_ignores", "severities", "baseline", "diff_base"}
_GATE = {"fail_on", "strict", "exit_zero"}
# `files` has its effect in the targets, which are asked by themselves.
_WITHOUT_EFFECT = frozenset({*_SHOWN, *_GATE, "jobs", "cache", "files"})


class ExaminationCache:
    """Examinations by targets, options, surroundings and the state of the whole project.

    Any file of the project that changes, even one that no model uses, makes another key: reading
    the text again is cheap, and what it depends on is wide. The models' records are kept for
    themselves.
    """

    def __init__(
        self, store: Store, around: Surroundings, targets: Targets, here: Path, options: Options
    ) -> None:
        self._store = store
        self._targets = targets
        self._folders = (targets.root, *around.folders)
        files = fingerprint.of_value([str(file) for file in targets.files])
        asked = [around.fingerprint, str(targets.root), str(here), files]
        self._asked = [*asked, _plain_options(options)]
        self._state: TreeState | None = None

    def get(self) -> Examination | None:
        """The examination of a project that is as it is now, or None."""
        self._state = tree_state(self._folders)
        if self._state is None:
            return None
        plain = self._store.get(self._key(self._state))
        try:
            return None if plain is None else _marked(from_plain(plain, Examination))
        except ProtocolError:
            return None

    def put(self, examination: Examination, kept: Sequence[Kept | None], since_ns: int) -> None:
        """Keep an examination that was made since `get`, which was asked at `since_ns`.

        `kept` holds what was kept of its models: all, or the examination is not kept either.  Nor
        is it where a file has changed meanwhile.
        """
        state = self._state
        if state is None or state.newest_ns >= since_ns - STEP_NS:
            return
        files = {*self._targets.files}
        for one in kept:
            if one is None:
                return
            files |= {self._targets.root / path for path in one.witness.files}
        # One that was looked for and is not there makes another tree when it comes.
        seen = state.files
        unseen = [file for file in files if str(file) not in seen]
        if any(file.exists() for file in unseen) or tree_state(self._folders) != state:
            return
        try:
            self._store.put(self._key(state), to_plain(examination, Examination))
        except ProtocolError:  # a value that has no plain form
            return

    def expected(self) -> list[ExamineRequest] | None:
        """The models that the same call found the last time; None where it was never made."""
        plain = self._store.get(self._models_key())
        try:
            return None if plain is None else [from_plain(one, ExamineRequest) for one in plain]
        except (ProtocolError, TypeError):
            return None

    def expect(self, requests: Iterable[ExamineRequest]) -> None:
        """Remember the models for the next time."""
        plain = [to_plain(request, ExamineRequest) for request in requests]
        if self._store.get(self._models_key()) != plain:
            self._store.put(self._models_key(), plain)

    def _key(self, state: TreeState) -> str:
        return fingerprint.of_value(["examination", *self._asked, state.fingerprint])

    def _models_key(self) -> str:
        return fingerprint.of_value(["models", *self._asked])


def _plain_options(options: Options) -> dict[str, Any]:
    """All options with an effect, so that a new one has one until it is known to have none."""
    plain = dataclasses.asdict(options)
    return {name: repr(value) for name, value in plain.items() if name not in _WITHOUT_EFFECT}


def _marked(examination: Examination) -> Examination:
    """The examination, with its models said to be from the cache."""
    models = tuple(dataclasses.replace(model, cached=True) for model in examination.models)
    return dataclasses.replace(examination, models=models)

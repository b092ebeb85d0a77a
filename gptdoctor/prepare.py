"""What the text gives before anything is scanned or run: which files, and which models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gptdoctor.config import Options
from gptdoctor.core.comments import IgnoreComment, MadeOf
from gptdoctor.core.diagnosis import SkippedFile, SourceError
from gptdoctor.core.errors import UsageError
from gptdoctor.core.findings import Suspicion
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.scan import ModelNames, scan
from gptdoctor.scan_file import why_empty
from gptdoctor.source.factories import factory_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.suppressions import ignore_comments
from gptdoctor.source.targets import Targets
from gptdoctor.specimen.discover import (
    discover,
    entry_made,
    entry_of,
    factory_target,
    target_of,
)
from gptdoctor.told_models import entered, is_ignored, require_entries, require_one, told


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is to be scanned and run."""

    project: Project
    modules: tuple[SourceModule, ...]  # to scan: what was named, and what its models are made of
    models: tuple[ModelTarget, ...]
    ignored: tuple[ModelTarget, ...]  # those that the user wants left alone
    errors: tuple[SourceError, ...]
    skipped: tuple[SkippedFile, ...]


def prepare(
    project: Project, targets: Targets, paths: frozenset[str] | None, options: Options
) -> Prepared:
    """Read the targets; `paths` limits it to the models that are made of one of these files.

    Raises UsageError and ConfigError for what `options` say of models that are not there.
    """
    require_entries(project, options)
    read = [project.read(file) for file in targets.files]
    modules = [one for one in read if isinstance(one, SourceModule)]
    found = told(_models(project, targets, modules, options), options)
    require_one(options, [model for model in found if not is_ignored(model, options)])
    found = [model for model in found if paths is None or paths & _files_of(model)]
    models = [model for model in found if not is_ignored(model, options)]
    wanted = {path for model in models for path in _files_of(model)} | (paths or set())
    if paths is None:
        wanted |= {module.path for module in modules}
    return Prepared(
        project=project,
        modules=tuple(_read_all(project, wanted)),
        models=tuple(models),
        ignored=tuple(model for model in found if model not in models),
        errors=tuple(_errors(read)),
        skipped=tuple(_skipped(targets, modules, found)),
    )


def suspect(prepared: Prepared) -> list[Suspicion]:
    """All that the text of the prepared modules shows."""
    names: dict[str, tuple[str, ...]] = {}
    for model in prepared.models:
        names[model.path] = (*names.get(model.path, ()), model.name)
    return list(scan(prepared.project, prepared.modules, ModelNames(by_path=names)))


def comments(prepared: Prepared) -> tuple[IgnoreComment, ...]:
    """The comments of the prepared modules, each with the models that its file is a part of."""
    return tuple(
        replace(comment, models=_made_of(prepared, module.path))
        for module in prepared.modules
        for comment in ignore_comments(module)
    )


def _made_of(prepared: Prepared, path: str) -> tuple[MadeOf, ...]:
    models = (*prepared.models, *prepared.ignored)
    return tuple(MadeOf(name=one.name, path=one.path) for one in models if path in _files_of(one))


def _models(
    project: Project, targets: Targets, modules: list[SourceModule], options: Options
) -> Iterator[ModelTarget]:
    """The models to run: those the user named by class, and in other files the main ones.

    So are those of which pyproject.toml says how they are built or called.
    """
    asked = {file for file, _ in targets.classes}
    for file, name in sorted(targets.classes):
        yield _named_class(project, file, name)
    others = [one for one in modules if one.file not in asked]
    discovered = discover(project, others)
    yield from discovered
    known = {(model.path, model.name) for model in discovered}
    for module in others:
        for name in entered(options, module.path):
            if (module.path, name) not in known:
                yield _named_class(project, module.file, name)


def _named_class(project: Project, file: Path, name: str) -> ModelTarget:
    module = project.read(file)
    if isinstance(module, SourceError):
        raise UsageError(f"{module.path}:{module.line} cannot be read: {module.message}")
    info = project.classes(module).get(name)
    if info is not None:
        return target_of(project, info, entry_of(project, info) or "forward")
    factory = factory_of(project, module, name)
    if factory is not None:
        return factory_target(project, factory, entry_made(project, factory))
    known = ", ".join(project.classes(module)) or "none"
    raise UsageError(
        f"there is no class or function {name!r} in {module.path}", hint=f"its classes: {known}"
    )


def _errors(read: Iterable[SourceModule | SourceError]) -> Iterator[SourceError]:
    """The files that could not be read, and the broken cells of notebooks."""
    for one in read:
        yield from (one,) if isinstance(one, SourceError) else one.errors


def _skipped(
    targets: Targets, modules: Iterable[SourceModule], models: Sequence[ModelTarget]
) -> Iterator[SkippedFile]:
    holding = {path for model in models for path in _files_of(model)}
    for module in modules:
        if not module.text.strip():
            if module.file in targets.named or module.file.name != "__init__.py":
                yield SkippedFile(path=module.path, reason=why_empty(module))
        elif module.file in targets.named and module.path not in holding:
            yield SkippedFile(path=module.path, reason="no model found")


def _files_of(model: ModelTarget) -> frozenset[str]:
    """The files that the classes of a model are written in."""
    return frozenset({model.path, *(part.partition("::")[0] for part in model.family)})


def _read_all(project: Project, paths: Iterable[str]) -> Iterator[SourceModule]:
    for path in sorted(paths):
        module = project.read(project.root / path)
        if isinstance(module, SourceModule):
            yield module

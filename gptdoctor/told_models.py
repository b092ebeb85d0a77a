"""What the user says of single models: in pyproject.toml, or of the one that he names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gptdoctor.config import ModelConfig, Options
from gptdoctor.core.diagnosis import ModelDiagnosis, Verdict
from gptdoctor.core.errors import ConfigError, UsageError
from gptdoctor.core.specimens import ModelTarget
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

_NOTHING = ModelConfig()


def config_of(options: Options, target: ModelTarget) -> ModelConfig:
    """What is said of one model; the command line's word counts before the file's."""
    entry = options.models.get(key_of(target), _NOTHING)
    return replace(entry, build=options.build or entry.build, call=options.call or entry.call)


def key_of(target: ModelTarget) -> str:
    """The name of a model's entry in `[tool.gptdoctor.models]`."""
    return f"{target.path}:{target.name}"


def require_entries(project: Project, options: Options) -> None:
    """Raise ConfigError where an entry names no file or no class or function in it.

    An entry that nothing answers to would be passed over in silence, and the model be guessed at
    again: the file was moved, or the class got another name.
    """
    for key in options.models:
        path, _, name = key.rpartition(":")
        place = f'pyproject.toml: [tool.gptdoctor.models."{key}"]'
        if not (project.root / path).is_file():
            raise ConfigError(
                f"{place} names no file: there is no {path}",
                hint="name it as seen from the project's root, or take the entry away",
            )
        module = project.read(project.root / path)
        known = list(_definitions(module, project)) if isinstance(module, SourceModule) else [name]
        if name not in known:
            told = ", ".join(known[:10]) or "none"
            raise ConfigError(
                f"{place} names no class or function of {path}", hint=f"it has {told}"
            )


def require_one(options: Options, models: Sequence[ModelTarget]) -> None:
    """Raise UsageError where --build or --call could be meant for several models, or for none."""
    given = [word for word, value in _expressions(options) if value is not None]
    if not given or len(models) == 1:
        return
    found = f"{len(models)} were found" if models else "none was found that is not ignored"
    names = [f"{model.path}::{model.name}" for model in models[:3]] or ["FILE::Class"]
    raise UsageError(
        f"{' and '.join(given)} says how one model is run, and {found}",
        hint=f"name it: gptdoctor check {names[0]}",
    )


def entered(options: Options, path: str) -> Iterator[str]:
    """The names of the classes of one file of which pyproject.toml says how they are run."""
    for key, entry in options.models.items():
        if key.rpartition(":")[0] == path and (entry.build or entry.call):
            yield key.rpartition(":")[2]


def told(models: Iterable[ModelTarget], options: Options) -> list[ModelTarget]:
    """The models with what is said of their nature."""
    return [replace(model, causal=config_of(options, model).causal) for model in models]


def is_ignored(model: ModelTarget, options: Options) -> bool:
    """Whether the user wants a model left alone."""
    return config_of(options, model).ignore


def ignored(model: ModelTarget, *, live: bool) -> ModelDiagnosis:
    """What is said of a model that is left alone: nothing of its health."""
    return ModelDiagnosis(
        name=model.name,
        path=model.path,
        line=model.line,
        verdict=Verdict.UNEXAMINED if live else None,
        reasons=("ignored, as pyproject.toml says",),
        ignored=True,
    )


def _expressions(options: Options) -> tuple[tuple[str, str | None], ...]:
    return ("--build", options.build), ("--call", options.call)


def _definitions(module: SourceModule, project: Project) -> Iterator[str]:
    """The classes of a module by qualified name, and its functions."""
    yield from project.classes(module)
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name

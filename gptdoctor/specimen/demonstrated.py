"""Instances and calls as the user's own demonstrations make them, in small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.specimen.call_expression import parse_call
from gptdoctor.specimen.demo_calls import expressions
from gptdoctor.specimen.demo_lessons import DemoLessons
from gptdoctor.specimen.demos import Demo, demos_in, read_small, tests_beside
from gptdoctor.specimen.given_call import Supply
from gptdoctor.specimen.lessons import Lessons
from gptdoctor.specimen.reads import source_of
from gptdoctor.specimen.variants import Variant

# Demonstrations repeat each other; more of them than this tell nothing new.
_MOST = 4
_CONSULTED: dict[Path, None] = {}  # in this process, which examines one model


def demos_of(module: ModuleType, request: ExamineRequest) -> tuple[Demo, ...]:
    """The demonstrations of the model: in its own file first, then in tests that name it."""
    target = request.target
    return _demos(source_of(module), request.root, target.path, target.name, target.entry)


@cache
def _demos(text: str, root: str, path: str, name: str, entry: str) -> tuple[Demo, ...]:
    found = demos_in(text, name, entry)
    word = name.rpartition(".")[2]
    own = Path(root, path)
    for file in tests_beside(Path(root), own) if len(found) < _MOST else ():
        written = read_small(file)
        if word in written:
            _CONSULTED[file] = None
            found += demos_in(written, name, entry)
        if len(found) >= _MOST:
            break
    # A test that is written later is found under these names, if it is looked for again.
    usual = f"test_{own.stem}.py"
    _CONSULTED.update(dict.fromkeys((own.with_name(usual), Path(root, "tests", usual))))
    return tuple(found[:_MOST])


def consult(file: Path) -> None:
    """Note that the text of `file` is asked: what was found rests on it, or on its absence."""
    _CONSULTED[file] = None


def consulted(root: str) -> tuple[str, ...]:
    """The tests that were read, or would have been, relative to the root."""
    return tuple(
        file.relative_to(root).as_posix() for file in _CONSULTED if file.is_relative_to(root)
    )


def lessons_of(
    demo: Demo, made: Callable[..., Any], module: ModuleType, root: str, variant: Variant
) -> Lessons:
    """What a demonstration teaches about building, for the sizes of one variant."""
    return DemoLessons(demo=demo, module=module, root=root, variant=variant).take(made)


def calls_of(
    module: ModuleType, request: ExamineRequest, variant: Variant
) -> Iterator[Callable[[nn.Module], Supply]]:
    """The calls of the demonstrations, each as a supply of inputs for an instance."""
    made = attrgetter(request.target.name)(module)
    texts: dict[str, None] = {}
    for demo in demos_of(module, request):
        teacher = DemoLessons(demo=demo, module=module, root=request.root, variant=variant)
        teacher.take(made)
        texts |= dict.fromkeys(expressions(demo, teacher.sizes))
    for text in texts:
        yield partial(parse_call, text, module=module, root=request.root)

"""Tiny instances of a model: made by guessing small sizes, or by an expression of the user's."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import torch
from torch import nn

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.specimen.configurations import Maker
from gptdoctor.specimen.demonstrated import demos_of, lessons_of
from gptdoctor.specimen.demos import Demo
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.given_call import Supply
from gptdoctor.specimen.lessons import Lessons, missing_key
from gptdoctor.specimen.module_sizes import Change
from gptdoctor.specimen.places import FOREIGN_FOLDERS, crash_of, innermost
from gptdoctor.specimen.reach import compiled, other_names
from gptdoctor.specimen.size_limit import TooLargeError, limited
from gptdoctor.specimen.stand_in import NotRunError
from gptdoctor.specimen.surroundings import lacking
from gptdoctor.specimen.values import NoIdeaError, Written
from gptdoctor.specimen.variants import VARIANTS, Asked, Variant
from gptdoctor.specimen.without_weights import lacks_weights

# A specimen beyond this was not made small by anything we changed; it would cost minutes.
MOST_PARAMETERS = 20_000_000
# What the text does not show is learned from the refusals it causes; more than this many and
# something else is wrong.
_MOST_LEARNED = 24
# The sets of sizes in which a demonstration is followed: it tells what is no size by itself.
_DEMO_VARIANTS = 2
_TORCH = str(Path(torch.__file__).parent)


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One instance, or what became of the attempt to make it."""

    code: str  # that makes it
    model: nn.Module | None
    crash: Crash | None  # the user's code failed, at sizes that it did not refuse
    note: str  # for `Construction.tried`; "" where all is well
    lack: str = ""  # what this machine lacks to make it
    vocabulary: int = VARIANTS[0].sizes["vocabulary"]  # ids, as far as the constructor was told
    call: Callable[[nn.Module], Supply] | None = None  # how the user says that it is called
    sizes: Mapping[str, int] = field(default_factory=dict)  # that it asked for, by role
    imports: tuple[str, ...] = ()  # with which the code runs in a file of its own
    variant: Variant | None = None  # that the sizes are of; None: the user said how it is built
    guessed: bool = False  # a part of it is of a class that nothing told for certain
    demo: Demo | None = None  # of the user's own, that it follows
    shown: Callable[[], Iterator[Callable[[nn.Module], Supply]]] | None = None  # calls in demos
    changes: tuple[Change, ...] = ()  # made in the user's modules, of which it reads its sizes


def instances(module: ModuleType, request: ExamineRequest) -> Iterator[Instance]:
    """One attempt for each set of sizes, or the one that the user asked for."""
    if request.build is not None:
        yield _evaluated(request.build, module, request)
        return
    for instance in _guesses(module, request):
        yield instance
        for change in instance.changes:  # the next one starts from what the user wrote
            change.undo()


def _guesses(module: ModuleType, request: ExamineRequest) -> Iterator[Instance]:
    """By rules alone first: most models need no more, and their tests need not be read."""
    tried: list[Mapping[str, int]] = []
    for variant in VARIANTS:
        if variant.is_plain and any(_same(variant, sizes) for sizes in tried):
            continue  # nothing that this model asks for is different
        instance = instance_of(variant, module, request)
        if variant.is_plain:
            tried.append(instance.sizes)
        yield instance
    for demo in demos_of(module, request):
        for variant in VARIANTS[:_DEMO_VARIANTS]:
            yield instance_of(variant, module, request, demo)


def _same(variant: Variant, sizes: Mapping[str, int]) -> bool:
    """Whether `sizes`, which a model asked for, are those of `variant`."""
    return bool(sizes) and all(variant.sizes[role] == size for role, size in sizes.items())


def instance_of(
    variant: Variant, module: ModuleType, request: ExamineRequest, demo: Demo | None = None
) -> Instance:
    """The attempt with one set of sizes, all else being as in `demo` where that is given."""
    try:
        made: Any = _attribute(module, request.target.name)
    except AttributeError as error:
        return Instance(code="", model=None, crash=None, note=str(error))
    family = request.target.class_names
    asked = Asked(variant.sizes)
    noted = replace(variant, sizes=asked)
    lessons = Lessons() if demo is None else lessons_of(demo, made, module, request.root, noted)
    maker = Maker(root=request.root, module=module, family=family, variant=noted, lessons=lessons)
    changes = tuple(maker.changes())
    for change in changes:
        change.make()
    built = _instance(made, maker, request)
    return replace(
        built,
        code=_with_changes(built.code, changes),
        vocabulary=variant.sizes["vocabulary"],
        sizes=dict(asked.used),
        variant=variant,
        demo=demo,
        changes=changes,
    )


def instance_like(
    instance: Instance, changes: Mapping[str, int], module: ModuleType, request: ExamineRequest
) -> Instance:
    """The same as a guessed `instance` but for `changes` of its sizes, by role.

    What either of them changed in the user's modules is for the caller to put right.
    """
    for change in instance.changes:
        change.undo()
    variant = instance.variant or VARIANTS[0]
    changed = replace(variant, sizes={**variant.sizes, **changes})
    return instance_of(changed, module, request, instance.demo)


def _attribute(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _instance(made: Callable[..., Any], maker: Maker, request: ExamineRequest) -> Instance:
    """An instance with the maker's sizes; keys that a crash asks for are learned.

    One without weights is the answer only where no other dictionary of the user's gives any.
    """
    bare: Instance | None = None
    for _ in range(_MOST_LEARNED):
        torch.manual_seed(request.seed)
        try:
            with limited(MOST_PARAMETERS):
                written = maker.instance(made)
        except TooLargeError as error:
            note = f"{made.__name__}: {error}: nothing we gave it made it small"
            return bare or Instance(code="", model=None, crash=None, note=note)
        except NoIdeaError as error:
            note = f"{made.__name__}: nothing tells what to give for {error}"
            return bare or Instance(code="", model=None, crash=None, note=note)
        except FAILURES as error:
            if not maker.lessons.learn(error):
                failed = _failed(made.__name__, error, request, maker.lessons)
                return bare or replace(failed, code=maker.attempted or failed.code)
        else:
            found = replace(_accepted(written), guessed=maker.lessons.guessed)
            if not lacks_weights(found.model):
                return found
            bare = bare or found
            if not maker.lessons.refuse_template():
                return bare
    note = f"{made.__name__}: refusals without end"
    return bare or Instance(code="", model=None, crash=None, note=note)


def _with_changes(code: str, changes: tuple[Change, ...]) -> str:
    """The code of an instance whose sizes are, in part, at the top of its modules."""
    if not changes or not code:
        return code
    return f"({', '.join(change.code for change in changes)}, {code})[-1]"


def _accepted(written: Written, called: str = "") -> Instance:
    """An attempt that gave an object, if that is a module of a bearable size."""
    model, called = written.value, called or written.code
    if not isinstance(model, nn.Module):
        note = f"{called} is no torch.nn.Module"
        return Instance(code=written.code, model=None, crash=None, note=note)
    count = sum(parameter.numel() for parameter in model.parameters())
    if count > MOST_PARAMETERS:
        note = f"{called} has {count} parameters: too large to be examined"
        return Instance(code=written.code, model=None, crash=None, note=note)
    return Instance(code=written.code, model=model, crash=None, note="")


def _failed(
    code: str, error: BaseException, request: ExamineRequest, lessons: Lessons | None = None
) -> Instance:
    """An attempt that raised: the user's fault, unless the code refused what we gave."""
    crash = crash_of(error, request.root, "construction")
    refused = crash.path is None or refuses(crash, error) or missing_key(error) is not None
    refused = refused or (lessons is not None and lessons.lacks(error))
    where = "" if crash.path is None else f" at {crash.path}:{crash.line}"
    note = f"{code}: {crash.kind}: {crash.message}{where}"
    lack = lacking(error, crash)
    blamed = None if refused or lack else crash
    return Instance(code=code, model=None, crash=blamed, note=note, lack=lack)


def refuses(crash: Crash, error: BaseException) -> bool:
    """Whether a check said no to what we gave: the user's own, or that of another library."""
    frame = innermost(error)
    where = frame.f_code.co_filename if frame is not None else ""
    if isinstance(error, NotRunError):
        return True  # our own doing
    foreign = FOREIGN_FOLDERS & set(Path(where).parts) and not where.startswith(_TORCH)
    if crash.kind == "EinopsError":  # the pattern that does not fit the shape is the user's own
        return False
    if isinstance(error, OSError | EOFError):  # no such file, no such host: not here, that is
        return True
    if "SimpleNamespace" in crash.message:  # what we gave was meant to be something else
        return True
    if foreign and crash.is_mismatch and _is_layer(frame):
        return False
    return crash.raised_there or crash.kind == "AssertionError" or bool(foreign)


def _is_layer(frame: FrameType | None) -> bool:
    """Whether code is the forward pass of a module without parts, which checks nothing.

    What such a layer is given it takes, as those of torch do, whoever wrote it.
    """
    owner = None if frame is None else frame.f_locals.get("self")
    plain = isinstance(owner, nn.Module) and next(owner.children(), None) is None
    return plain and frame is not None and frame.f_code.co_name == "forward"


def _evaluated(code: str, module: ModuleType, request: ExamineRequest) -> Instance:
    """The instance that the user's own expression makes."""
    torch.manual_seed(request.seed)
    try:
        tree = ast.parse(code.strip(), mode="eval").body
        for name, found in other_names(tree, module, request.root).items():
            vars(module).setdefault(name, found)  # inner functions see nothing but globals
        value = eval(compiled(tree, "<build>"), vars(module))  # noqa: S307 - asked for
    except FAILURES as error:
        failed = _failed(f"{_called(code, request)} fails", error, request)
        return replace(failed, code=code.strip())
    return _accepted(Written(value, code.strip()), _called(code, request))


def _called(code: str, request: ExamineRequest) -> str:
    """How notes call a build that is not guessed."""
    return f"the build that you gave, {code.strip()}," if request.told else code.strip()

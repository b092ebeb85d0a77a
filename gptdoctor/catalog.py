"""All defects, found by walking `defects/`; a broken or a duplicate one is an error."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gptdoctor import defects
from gptdoctor.core.errors import CatalogError, UsageError
from gptdoctor.defect import Defect

WELL_FORMED = re.compile(r"GD\d+", re.IGNORECASE)
LIKE_DIGITS = str.maketrans("OIL", "011")
# How every defect's file begins to speak of its code.
_CODE = re.compile(r'(?:^CODE = |^    code=)"(GD\d+)"', re.MULTILINE)


@cache
def all_defects() -> tuple[Defect, ...]:
    """Every defect, by code.

    Raises CatalogError where a module does not import, holds no `DEFECT`, is not named as its
    defect is, or uses a code or a name twice.
    """
    found = [_load(name) for name in _module_names()]
    for attribute in ("code", "name"):
        values = [getattr(defect, attribute) for defect in found]
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise CatalogError(f"more than one defect has the {attribute} {', '.join(twice)}")
    return tuple(sorted(found, key=lambda defect: defect.code))


def defect_named(word: str) -> Defect:
    """The defect with this code or name; raises UsageError where there is none."""
    for defect in all_defects():
        if word.upper() == defect.code or word.lower() == defect.name:
            return defect
    known = ", ".join(defect.code for defect in all_defects())
    near = nearest(word)
    raise UsageError(
        f"there is no rule {word!r}",
        hint=f"did you mean {near!r}?" if near else f"the rules are {known}",
    )


def rules_named(word: str) -> tuple[Defect, ...]:
    """The rules that a word speaks of: a code, the beginning of codes, or a name; () for none."""
    beginning, name = word.strip().upper(), word.strip().lower()
    return tuple(
        one
        for one in all_defects()
        if name == one.name or (beginning and one.code.startswith(beginning))
    )


def nearest(word: str) -> str:
    """The code or name that was meant by a word which is neither, "" where none is near.

    A number that no rule has is as near to all the others of its family as to each.
    """
    if WELL_FORMED.fullmatch(word.strip()):
        return ""
    meant = word.strip().upper().translate(LIKE_DIGITS)
    names = [one.name for one in all_defects()]
    codes = [one.code for one in all_defects()]
    if meant in codes:
        return meant
    near = difflib.get_close_matches(word.strip().lower(), names, n=1, cutoff=0.7)
    # A letter too many or too few: of five signs most must be right.
    near = near or difflib.get_close_matches(word.strip().upper(), codes, n=1, cutoff=0.75)
    return near[0] if near else ""


def told_rules() -> dict[str, str]:
    """Names by code, as the text of the defects' files tells them; none is loaded.

    For a shell that completes words: to load all takes longer than a person waits for a key.
    """
    folder = Path(next(iter(defects.__path__)))
    found: dict[str, str] = {}
    for file in folder.glob("*/*.py"):
        code = _CODE.search(file.read_text(encoding="utf-8"))
        if code is not None:
            found[code.group(1)] = file.stem.replace("_", "-")
    return dict(sorted(found.items()))


def families() -> tuple[str, ...]:
    """The folders of the defects."""
    return tuple(dict.fromkeys(name.partition(".")[0] for name in _module_names()))


def module_of(defect: Defect) -> str:
    """The dotted module below `defects/` and `remedies/` that tells of this defect."""
    for name in _module_names():
        if name.rpartition(".")[2] == defect.name.replace("-", "_"):
            return name
    raise CatalogError(f"no module is named after {defect.name}")


def family_of(defect: Defect) -> str:
    """The family that a defect's folder stands for: "gradients"."""
    return module_of(defect).partition(".")[0]


def defects_among(words: Sequence[str]) -> tuple[Defect, ...]:
    """The defects that the words name, by code: codes, their beginnings, names and families.

    Raises UsageError for a word that names none; no words name all.
    """
    chosen = {defect.code for word in words for defect in _meant(word)}
    return tuple(defect for defect in all_defects() if not words or defect.code in chosen)


def _meant(word: str) -> list[Defect]:
    """What one word names."""
    code, name = word.upper(), word.lower().replace("_", "-")
    found = [
        one
        for one in all_defects()
        if one.code.startswith(code) or name in (one.name, family_of(one).replace("_", "-"))
    ]
    if not found or not word:
        raise UsageError(
            f"no rule is called {word!r} or begins so",
            hint=f"give codes or their beginnings, names, or families: {', '.join(families())}",
        )
    return found


@cache
def _module_names() -> tuple[str, ...]:
    prefix = f"{defects.__name__}."
    walked = pkgutil.walk_packages(defects.__path__, prefix)
    return tuple(info.name.removeprefix(prefix) for info in walked if not info.ispkg)


def _load(name: str) -> Defect:
    try:
        module = importlib.import_module(f"{defects.__name__}.{name}")
    except Exception as error:
        raise CatalogError(f"the defect {name} does not load: {error}") from error
    defect = getattr(module, "DEFECT", None)
    if not isinstance(defect, Defect):
        raise CatalogError(f"the module {name} holds no DEFECT")
    if name.rpartition(".")[2] != defect.name.replace("-", "_"):
        raise CatalogError(f"the module {name} holds the defect {defect.name}")
    return defect

"""All defects, found by walking `defects/`; a broken or a duplicate one is an error."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
from functools import cache

from gptdoctor import defects
from gptdoctor.core.errors import CatalogError, UsageError
from gptdoctor.defect import Defect

WELL_FORMED = re.compile(r"GD\d+", re.IGNORECASE)
LIKE_DIGITS = str.maketrans("OIL", "011")


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


def module_of(defect: Defect) -> str:
    """The dotted module below `defects/` and `remedies/` that tells of this defect."""
    for name in _module_names():
        if name.rpartition(".")[2] == defect.name.replace("-", "_"):
            return name
    raise CatalogError(f"no module is named after {defect.name}")


def _module_names() -> list[str]:
    prefix = f"{defects.__name__}."
    walked = pkgutil.walk_packages(defects.__path__, prefix)
    return [info.name.removeprefix(prefix) for info in walked if not info.ispkg]


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

"""The sick fixtures are many and unlike: several spellings each, in words of their own."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from gptdoctor.catalog import all_defects, module_of
from tests.commands import ROOT, expected_in

FIXTURES = ROOT / "fixtures"
IN_TEXT = [one for one in all_defects() if one.in_text]
MANY, FEWEST = 3, 2  # spellings: no rule has fewer than two, and at least forty rules have three
RULES = 40
# What the trade calls them: a model is asked for text by one of these, whoever wrote it.
TERMS = {"generate", "sample"}

Scope = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def sick_files(folder: Path) -> list[Path]:
    """The files of a rule's folder that show it, with what they import from beside them."""
    return sorted(file for file in folder.rglob("*.py") if file.stem not in ("healed", "healthy"))


def scopes(tree: ast.Module) -> list[Scope]:
    """The classes of a file and its functions, those of classes left out."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [*classes, *(node for node in tree.body if isinstance(node, functions))]


def spellings(code: str, folder: Path) -> int:
    """The classes and functions in which a rule is marked; elsewhere each line is one."""
    found: set[tuple[Path, int]] = set()
    for file in sick_files(folder):
        inner = sorted(
            (node.lineno, node.end_lineno or 0) for node in scopes(ast.parse(file.read_text()))
        )
        for rule, line in expected_in(file, in_text=True):
            if rule == code:
                around = [first for first, last in inner if first <= line <= last]
                found.add((file, max(around, default=line)))
    return len(found)


def test_forty_rules_are_spelt_in_several_ways() -> None:
    """And no rule that text shows is known by one spelling alone."""
    number = {
        one.code: spellings(one.code, FIXTURES / module_of(one).replace(".", "/"))
        for one in IN_TEXT
    }
    assert sum(many >= MANY for many in number.values()) >= RULES
    assert {code: many for code, many in number.items() if many < FEWEST} == {}


def test_no_sick_fixture_has_the_names_of_another() -> None:
    """What is learnt from the names of one tells nothing of any other."""
    used: dict[str, set[str]] = defaultdict(set)
    for folder in sorted({file.parent for file in FIXTURES.glob("*/*/sick.py")}):
        for file in sick_files(folder):
            for node in scopes(ast.parse(file.read_text())):
                used[node.name].add(folder.name)
    shared = {name: by for name, by in used.items() if len(by) > 1 and name not in TERMS}
    assert shared == {}

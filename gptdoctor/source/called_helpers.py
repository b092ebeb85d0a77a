"""Helpers of a file that give a constructor's attributes their values, by the text alone."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule

# `self.NAME = self.helper(...)` and `self.NAME = helper(...)`; classes begin with a capital.  It
# starts with plain letters: after a boundary of words, each place in the text would be tried.
HELPED = re.compile(r"self\.\w+(?:: ?[^=\n]+)? = (?:self\.)?([a-z_]\w*)\(")


@kept(8)  # several rules ask it of one constructor, one after the other
def helpers_called(text: str, module: SourceModule) -> frozenset[str]:
    """The names of what a constructor's text calls for its attributes; most call nothing."""
    if " = self." not in text and not module.functions:
        return frozenset()
    return frozenset(HELPED.findall(text))


@kept(64)
def helpers_in(module: SourceModule) -> dict[str, list[ast.FunctionDef]]:
    """The functions and methods of a file's top level, by name, but for what runs a network."""
    bodies = [module.tree.body]
    bodies += [one.body for one in module.tree.body if isinstance(one, ast.ClassDef)]
    found: dict[str, list[ast.FunctionDef]] = {}
    for body in bodies:
        for one in body:
            if isinstance(one, ast.FunctionDef) and one.name not in ("__init__", "forward"):
                found.setdefault(one.name, []).append(one)
    return found

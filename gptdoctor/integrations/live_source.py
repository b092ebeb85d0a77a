"""Where the text of a live model is: its classes, their files, and the project they belong to."""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any, TypeGuard

import torch
from torch import nn

from gptdoctor.core.specimens import ModelTarget
from gptdoctor.integrations.session_cells import PATH, SessionCells, session_cells
from gptdoctor.source.folders import INSTALLED_FOLDERS
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.roots import find_root
from gptdoctor.specimen.discover import entry_of
from gptdoctor.specimen.places import project_path

_TORCH = str(Path(torch.__file__).parent) + os.sep


@dataclass(frozen=True, kw_only=True)
class LiveClass:
    """A class that a live model is made of."""

    symbol: str  # qualified name as the scan writes it
    code_file: str  # what running code calls its file
    line: int  # of its first function
    base: bool  # no module of the model is of this very class


@dataclass(frozen=True, kw_only=True)
class LiveSource:
    """The text of a live model."""

    model: nn.Module = field(repr=False)
    classes: tuple[LiveClass, ...]  # the model's own first; those of torch left out
    cells: SessionCells

    @cached_property
    def root(self) -> Path:
        """The root of the project that the model's own class belongs to."""
        files = [file for file in map(Path, self._files) if file.is_absolute()]
        return find_root(files[0]) if files else Path.cwd()

    @cached_property
    def project(self) -> Project:
        """The project as text; classes of which no text can be had are in empty files."""
        overlay = {path: "" for path in self.known_as.values() if path.startswith("<")}
        if self.cells.document:
            overlay[PATH] = self.cells.document
        search = tuple(Path(path) for path in dict.fromkeys(sys.path))
        return Project(root=self.root, search_paths=search, overlay=overlay)

    @cached_property
    def known_as(self) -> dict[str, str]:
        """Paths of the project by the names that running code has for its files."""
        found = self.cells.known_as()
        for name in self._files:
            if name in found or Path(name).is_absolute():
                continue
            place = Path.cwd() / name
            if place.is_file() and place.is_relative_to(self.root):
                found[name] = place.relative_to(self.root).as_posix()
            else:
                found[name] = f"<{name.strip('<>')}>"
        return found

    @cached_property
    def modules(self) -> tuple[SourceModule, ...]:
        """The files of the project that the model's classes are written in, its own first.

        What an installed package inherits from is its framework, of many thousand lines.
        """
        installed = self.root.name in INSTALLED_FOLDERS
        wanted = [one for one in self.classes if not (installed and one.base)]
        paths = dict.fromkeys(self._path(one.code_file) for one in wanted)
        read = [self.project.read(self.root / path) for path in paths if path is not None]
        return tuple(one for one in read if isinstance(one, SourceModule))

    def target(self, entry: str | None) -> ModelTarget:
        """The model as the rest of gptdoctor names it; `entry`: the method to call, or guess it."""
        own = self.classes[0] if self.classes else None
        path = self._path(own.code_file) if own is not None else None
        node = self._definition(path, own) if path is not None and own is not None else None
        line = node.lineno if node is not None else max(own.line if own is not None else 1, 1)
        return ModelTarget(
            path=path or f"<{type(self.model).__module__}>",
            name=_symbol(type(self.model).__qualname__),
            line=line,
            end_line=(node.end_lineno if node is not None else None) or line,
            entry=entry or self._entry(path),
            family=tuple(self._family()),
        )

    @cached_property
    def _files(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.code_file for one in self.classes))

    def _path(self, code_file: str) -> str | None:
        """The path of a file in the project; cells are all in one notebook."""
        if code_file in self.cells.numbers:
            return PATH
        return self.known_as.get(code_file) or project_path(code_file, str(self.root))

    def _family(self) -> Iterator[str]:
        for one in self.classes:
            path = self._path(one.code_file)
            if path is not None:
                yield f"{path}::{one.symbol}"

    def _entry(self, path: str | None) -> str:
        """The method that takes ids: `forward`, unless the class has none."""
        module = self.project.read(self.root / path) if path is not None else None
        if type(self.model).forward is not nn.Module.forward or module is None:
            return "forward"
        classes = self.project.classes(module) if isinstance(module, SourceModule) else {}
        info = classes.get(_symbol(type(self.model).__qualname__))
        return (entry_of(self.project, info) if info is not None else None) or "forward"

    def is_current(self, path: str, line: int) -> bool:
        """Whether a line of a cell is of one that defines a class of the model as it is now."""
        if path != PATH or self.cells.notebook is None:
            return True
        place = self.cells.notebook.place(line)
        current = {self.cells.numbers.get(name) for name in self._files}
        return place is not None and place.cell in current

    def _definition(self, path: str, own: LiveClass) -> ast.ClassDef | None:
        """The class statement of the model's class, as the text has it."""
        module = self.project.read(self.root / path)
        if not isinstance(module, SourceModule):
            return None
        name = own.symbol.rpartition(".")[2]
        line = own.line + self.offset(own.code_file)
        nodes = (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))
        around = (node for node in nodes if node.lineno <= line <= (node.end_lineno or 0))
        return next((node for node in around if node.name == name), None)

    def offset(self, code_file: str) -> int:
        """How many lines come before a file's first one where its text is part of another."""
        called = self.cells.known_as().get(code_file)
        return 0 if called is None else self.cells.first_lines().get(called, 1) - 1


def live_source(model: nn.Module) -> LiveSource:
    """The text of a model, as far as it can be had."""
    classes = tuple(_classes(model))
    missing = [one.code_file for one in classes if not Path(one.code_file).is_file()]
    return LiveSource(model=model, classes=classes, cells=session_cells(dict.fromkeys(missing)))


def _classes(model: nn.Module) -> Iterator[LiveClass]:
    """The classes that are no one else's: the model's, its bases, and those of its parts."""
    own = {type(module) for module in model.modules()}
    kinds = dict.fromkeys(kind for module in model.modules() for kind in type(module).__mro__)
    for kind in kinds:
        codes = [code for code in map(_code, vars(kind).values()) if _is_written(code, kind)]
        if codes and not codes[0].co_filename.startswith(_TORCH):
            first = min(codes, key=lambda code: code.co_firstlineno)
            yield LiveClass(
                symbol=_symbol(kind.__qualname__),
                code_file=first.co_filename,
                line=first.co_firstlineno,
                base=kind not in own,
            )


def _code(value: Any) -> CodeType | None:
    """The code of a method of any kind that was written in the class itself."""
    function: Any = value.fget if isinstance(value, property) else value
    function = getattr(function, "__func__", function)
    try:
        function = inspect.unwrap(function)
    except ValueError:  # a wrapper of itself
        return None
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _is_written(code: CodeType | None, kind: type) -> TypeGuard[CodeType]:
    """Whether a function stands in the text of the class, rather than being made or borrowed."""
    return code is not None and code.co_qualname.startswith(f"{kind.__qualname__}.")


def _symbol(qualified: str) -> str:
    """A qualified name as the scan writes it."""
    return re.sub(r"\.?<\w+>", "", qualified).lstrip(".")

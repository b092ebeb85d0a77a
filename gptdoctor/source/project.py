"""The project that a file belongs to: its modules, and what its imports resolve to."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from gptdoctor.core.diagnosis import SourceError
from gptdoctor.source.classes import MODULE_BASES, ClassInfo, classes_of
from gptdoctor.source.module import SourceModule, read_module

INSTALLED_FOLDERS = ("site-packages", "dist-packages")
# Endings of the names of whole models that libraries offer as bases.
NETWORK_ENDINGS = ("PreTrainedModel", "ForCausalLM", "LMHeadModel", "LightningModule")
# Bases further away than this are not followed: longer chains are loops made by mistake.
DEEPEST_BASE = 20


class Origin(str, Enum):
    """Where a dotted module comes from."""

    PROJECT = "project"
    INSTALLED = "installed"
    STANDARD = "standard"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What an import of a module finds. `file` is None for a package without `__init__.py`,
    for a compiled module and for what is missing.
    """

    origin: Origin
    file: Path | None = None


@dataclass(eq=False, kw_only=True)
class Project:
    """All modules below a root, read when asked for. `overlay` stands for files on disk."""

    root: Path
    search_paths: tuple[Path, ...] = ()  # of the interpreter that runs the models
    overlay: Mapping[str, str] = field(default_factory=dict)
    _modules: dict[Path, SourceModule | SourceError] = field(default_factory=dict, repr=False)
    _classes: dict[Path, dict[str, ClassInfo]] = field(default_factory=dict, repr=False)
    _resolved: dict[tuple[str, Path], Resolved] = field(default_factory=dict, repr=False)
    _named: dict[tuple[str, Path], ClassInfo | None] = field(default_factory=dict, repr=False)
    _networks: dict[ClassInfo, bool] = field(default_factory=dict, repr=False)
    _parts: dict[ClassInfo, tuple[ClassInfo, ...]] = field(default_factory=dict, repr=False)

    def read(self, file: Path) -> SourceModule | SourceError:
        """The module in `file`, parsed once."""
        if file not in self._modules:
            base = self.root if file.is_relative_to(self.root) else file.parent
            text = self.overlay.get(file.relative_to(base).as_posix())
            self._modules[file] = read_module(file, base, text=text)
        return self._modules[file]

    def classes(self, module: SourceModule) -> dict[str, ClassInfo]:
        """The classes of a module by qualified name."""
        if module.file not in self._classes:
            self._classes[module.file] = {info.symbol: info for info in classes_of(module)}
        return self._classes[module.file]

    def resolve(self, dotted: str, importer: SourceModule) -> Resolved:
        """Find the module `dotted` as the importer would, without importing anything."""
        key = (dotted, importer.file.parent)
        if key not in self._resolved:
            self._resolved[key] = self._find(dotted, importer)
        return self._resolved[key]

    def _find(self, dotted: str, importer: SourceModule) -> Resolved:
        for folder in self._project_folders(importer, dotted):
            found = _below(folder, dotted) or self._overlaid(folder, dotted)
            if found is not None:
                return Resolved(origin=Origin.PROJECT, file=found[0])
        if dotted.partition(".")[0] in sys.stdlib_module_names:
            return Resolved(origin=Origin.STANDARD)
        for folder in self.search_paths:
            found = _below(folder, dotted)
            if found is not None:
                return Resolved(origin=Origin.INSTALLED, file=found[0])
        return Resolved(origin=Origin.MISSING)

    def _overlaid(self, folder: Path, dotted: str) -> tuple[Path] | None:
        """The module's file where `overlay` alone has it: one that is gone from the disk."""
        if not self.overlay or not folder.is_relative_to(self.root):
            return None
        place = folder.joinpath(*dotted.split(".")).relative_to(self.root).as_posix()
        for path in (f"{place}/__init__.py", f"{place}.py"):
            if path in self.overlay:
                return (self.root / path,)
        return None

    def module(self, dotted: str, importer: SourceModule) -> SourceModule | None:
        """The project's own module `dotted`, parsed, or None."""
        found = self.resolve(dotted, importer)
        if found.origin is not Origin.PROJECT or found.file is None or found.file.suffix != ".py":
            return None
        read = self.read(found.file)
        return read if isinstance(read, SourceModule) else None

    def class_named(self, qualified: str, module: SourceModule) -> ClassInfo | None:
        """The class of the project that `qualified` names, seen from `module`."""
        key = (qualified, module.file)
        if key not in self._named:
            self._named[key] = self._follow(qualified, module)
        return self._named[key]

    def _follow(self, qualified: str, module: SourceModule) -> ClassInfo | None:
        for _ in range(DEEPEST_BASE):  # each turn follows one re-export
            here = self.classes(module).get(qualified)
            if here is not None:
                return here
            origin, _, name = qualified.rpartition(".")
            other = self.module(origin, module) if origin else None
            if other is None:
                return None
            if name in self.classes(other):
                return self.classes(other)[name]
            if name not in other.names.aliases:
                return None
            module, qualified = other, other.names.aliases[name]
        return None

    def bases(self, info: ClassInfo) -> list[ClassInfo]:
        """The bases of a class that the project defines, near before far, each once."""
        found: list[ClassInfo] = []
        queue = [info]
        while queue and len(found) < DEEPEST_BASE:
            current = queue.pop(0)
            for name in current.bases:
                base = self.class_named(name, current.module)
                if base is not None and base is not info and base not in found:
                    found.append(base)
                    queue.append(base)
        return found

    def external_bases(self, info: ClassInfo) -> list[str]:
        """Qualified names of the bases that the project does not define."""
        chain = [info, *self.bases(info)]
        return [
            name for link in chain for name in link.bases if not self.class_named(name, link.module)
        ]

    def is_network(self, info: ClassInfo) -> bool:
        """Whether a class is a module of layers: it descends from `torch.nn.Module` or the like."""
        if info not in self._networks:
            bases = self.external_bases(info)
            known = any(name.startswith("torch.nn.") or _is_network_base(name) for name in bases)
            hidden = any(not _is_pythons(name) for name in bases)
            self._networks[info] = known or (hidden and _acts_as_network(info))
        return self._networks[info]

    def parts(self, info: ClassInfo) -> tuple[ClassInfo, ...]:
        """The project's networks that a class's text instantiates or hands on, itself left out."""
        if info not in self._parts:
            found = (self.class_named(name, info.module) for name in sorted(info.called))
            self._parts[info] = tuple(
                part for part in found if part not in (None, info) and self.is_network(part)
            )
        return self._parts[info]

    def family(self, info: ClassInfo) -> list[ClassInfo]:
        """The class, its bases, and all networks that they are made of, however far down."""
        found: dict[ClassInfo, None] = {}
        queue = [info]
        while queue:
            current = queue.pop(0)
            if current not in found:
                found[current] = None
                queue.extend([*self.bases(current), *self.parts(current)])
        return list(found)

    def _project_folders(self, importer: SourceModule, dotted: str) -> list[Path]:
        """Where the importer's own modules lie: above its package, beside it, and the root.

        Among installed packages a project is one package: its neighbours are not its own.
        """
        top = importer.file.parent
        while (top / "__init__.py").is_file():
            top = top.parent
        if top.name in INSTALLED_FOLDERS:
            own = importer.dotted.partition(".")[0]
            return [top] if dotted.partition(".")[0] == own else []
        folders = [top, self.root, self.root / "src"]
        return list(dict.fromkeys(folder for folder in folders if folder.is_dir()))


def _is_network_base(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last in MODULE_BASES or last.endswith(NETWORK_ENDINGS)


def _is_pythons(name: str) -> bool:
    """Whether a base is one of Python's own classes."""
    return hasattr(builtins, name) or name.partition(".")[0] in sys.stdlib_module_names


def _acts_as_network(info: ClassInfo) -> bool:
    """Whether a class whose base is out of sight is written as a module of layers is."""
    return "forward" in info.methods and any(
        called.startswith("torch.nn.") and called.rpartition(".")[2][:1].isupper()
        for name in info.attributes
        for called in info.attribute_called(name)
    )


def _below(folder: Path, dotted: str) -> tuple[Path | None] | None:
    """The file of `dotted` below `folder` in a tuple, (None,) for a namespace, or None."""
    place = folder.joinpath(*dotted.split("."))
    for candidate in (place / "__init__.py", place.with_name(place.name + ".py")):
        if candidate.is_file():
            return (candidate,)
    if place.parent.is_dir():
        compiled = sorted(place.parent.glob(place.name + ".*.so"))
        if compiled:
            return (None,)
    return (None,) if place.is_dir() and any(place.glob("*.py")) else None


def find_root(start: Path) -> Path:
    """The project's root for a file or folder: its nearest ancestor with a project's mark.

    A folder of installed packages is a root of its own. Without any mark the current folder is
    the root where it holds `start`, else the folder of `start`.
    """
    folder = start if start.is_dir() else start.parent
    ancestors = [folder, *folder.parents]
    for ancestor in ancestors:
        if ancestor.name in INSTALLED_FOLDERS:
            return ancestor
    for ancestor in ancestors:
        if any((ancestor / mark).exists() for mark in PROJECT_MARKS):
            return ancestor
    here = Path.cwd()
    return here if folder.is_relative_to(here) else _above_packages(folder)


PROJECT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")


def _above_packages(folder: Path) -> Path:
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder

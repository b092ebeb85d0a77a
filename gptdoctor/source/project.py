"""The project that a file belongs to: its modules, and what its imports resolve to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, KeysView, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from gptdoctor.core.diagnosis import SourceError
from gptdoctor.source.classes import ClassInfo, classes_of
from gptdoctor.source.folders import Folders
from gptdoctor.source.footprints import Footprints
from gptdoctor.source.heads import heads_of
from gptdoctor.source.module import SourceModule, read_module
from gptdoctor.source.network_signs import acts_as_network, is_layers, is_pythons

INSTALLED_FOLDERS = ("site-packages", "dist-packages")
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


# A dotted name, and the folders of the project that it is looked for in.
Question = tuple[str, tuple[Path, ...]]


@dataclass(eq=False, kw_only=True)
class Project:
    """All modules below a root, read when asked for. `overlay` stands for files on disk."""

    root: Path
    search_paths: tuple[Path, ...] = ()  # of the interpreter that runs the models
    overlay: Mapping[str, str] = field(default_factory=dict)
    footprints: Footprints = field(default_factory=Footprints, repr=False)
    _modules: dict[Path, SourceModule | SourceError] = field(default_factory=dict, repr=False)
    _classes: dict[SourceModule, dict[str, ClassInfo]] = field(default_factory=dict, repr=False)
    _resolved: dict[Question, tuple[Resolved, frozenset[Path]]] = field(
        default_factory=dict, repr=False
    )
    _folders: Folders = field(default_factory=Folders, repr=False)
    _heads: dict[Path, frozenset[str]] = field(default_factory=dict, repr=False)
    _beside: dict[tuple[str, Path], tuple[Path | None, frozenset[Path]]] = field(
        default_factory=dict, repr=False
    )
    _around: dict[str, tuple[Path, ...]] = field(default_factory=dict, repr=False)
    _same: dict[tuple[Path, ...], tuple[Path, ...]] = field(default_factory=dict, repr=False)
    # By modules themselves, not by their paths: to hash a path takes longer than the rest.
    _answers: dict[tuple[str, SourceModule], Resolved] = field(default_factory=dict, repr=False)
    _named: dict[tuple[str, SourceModule], ClassInfo | None] = field(
        default_factory=dict, repr=False
    )
    _networks: dict[ClassInfo, bool] = field(default_factory=dict, repr=False)
    _bases: dict[ClassInfo, tuple[ClassInfo, ...]] = field(default_factory=dict, repr=False)
    _parts: dict[ClassInfo, tuple[ClassInfo, ...]] = field(default_factory=dict, repr=False)

    def read(self, file: Path) -> SourceModule | SourceError:
        """The module in `file`, parsed once."""
        if file not in self._modules:
            text = self.overlay.get(self.path_of(file))
            self._modules[file] = read_module(file, self._base(file), text=text)
        return self._modules[file]

    def heads(self, file: Path) -> frozenset[str]:
        """The names that lines of a file begin by defining; all are there, and there may be more.

        For a file that is not parsed, and need not be for the sake of its names.
        """
        if file not in self._heads:
            text = self.overlay.get(self.path_of(file))
            self._heads[file] = heads_of(file, text)
        return self._heads[file]

    def files_read(self) -> KeysView[Path]:
        """The files whose trees are here."""
        return self._modules.keys()

    def path_of(self, file: Path) -> str:
        """The path by which a file is told: from the root, or its name alone outside of it."""
        return file.relative_to(self._base(file)).as_posix()

    def _base(self, file: Path) -> Path:
        return self.root if file.is_relative_to(self.root) else file.parent

    def classes(self, module: SourceModule) -> dict[str, ClassInfo]:
        """The classes of a module by qualified name."""
        if module not in self._classes:
            self._classes[module] = {info.symbol: info for info in classes_of(module)}
        return self._classes[module]

    def resolve(self, dotted: str, importer: SourceModule) -> Resolved:
        """Find the module `dotted` as the importer would, without importing anything."""
        asked = (dotted, importer)
        if asked not in self._answers:
            key = (dotted, self.own_folders(importer, dotted))
            if key not in self._resolved:
                self._resolved[key] = self._find(*key)
            found, folders = self._resolved[key]
            self.footprints.note(importer.file, found.file, folders)
            self._answers[asked] = found
        return self._answers[asked]

    def _find(self, dotted: str, own: tuple[Path, ...]) -> tuple[Resolved, frozenset[Path]]:
        """What a name is, and the folders whose entries say so."""
        folders: set[Path] = set()
        for folder in own:
            found = self._folders.below(folder, dotted, folders) or self._overlaid(folder, dotted)
            if found is not None:
                return Resolved(origin=Origin.PROJECT, file=found[0]), frozenset(folders)
        if dotted.partition(".")[0] in sys.stdlib_module_names:
            return Resolved(origin=Origin.STANDARD), frozenset(folders)
        for folder in self.search_paths:
            found = self._folders.below(folder, dotted, set())
            if found is not None:
                return Resolved(origin=Origin.INSTALLED, file=found[0]), frozenset(folders)
        return Resolved(origin=Origin.MISSING), frozenset(folders)

    def beside(self, importer: SourceModule, folder: Path, dotted: str) -> Path | None:
        """The file of the module `dotted` in one folder, as a relative import finds it."""
        key = (dotted, folder)
        if key not in self._beside:
            looked: set[Path] = set()
            found = self._folders.below(folder, dotted, looked)
            self._beside[key] = (found[0] if found else None, frozenset(looked))
        file, folders = self._beside[key]
        self.footprints.note(importer.file, file, folders)
        return file

    def holds(self, folder: Path, dotted: str) -> bool:
        """Whether a module, or a folder of its name, lies below one folder."""
        return self._folders.holds(str(folder), dotted)

    def forget(self, files: Iterable[Path]) -> None:
        """Drop the trees of files, and what hangs on them: they are read again if asked for."""
        gone = set(files)
        dropped = {self._modules.pop(file, None) for file in gone}
        self._classes = {one: own for one, own in self._classes.items() if one not in dropped}
        self._answers = {key: own for key, own in self._answers.items() if key[1] not in dropped}
        self._named = {
            key: info
            for key, info in self._named.items()
            if key[1] not in dropped and (info is None or info.module not in dropped)
        }
        for known in (self._networks, self._parts, self._bases):
            for info in [info for info in known if info.module in dropped]:
                del known[info]

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
        if "." in qualified and not self._is_brought_in(qualified.partition(".")[0], module):
            return None  # an attribute of something local
        key = (qualified, module)
        if key not in self._named:
            self._named[key] = self._follow(qualified, module)
        return self._named[key]

    def _is_brought_in(self, root: str, module: SourceModule) -> bool:
        return root in module.names.roots or root in self.classes(module)

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
        if info not in self._bases:
            self._bases[info] = tuple(self._follow_bases(info))
        return list(self._bases[info])

    def _follow_bases(self, info: ClassInfo) -> list[ClassInfo]:
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
            # Most classes say so themselves, and then no base has to be followed.
            self._networks[info] = self._says_network(info) or self._is_network(info)
        return self._networks[info]

    def _says_network(self, info: ClassInfo) -> bool:
        return any(
            is_layers(name) and not self.class_named(name, info.module) for name in info.bases
        )

    def _is_network(self, info: ClassInfo) -> bool:
        bases = self.external_bases(info)
        hidden = any(not is_pythons(name) for name in bases)
        return any(map(is_layers, bases)) or (hidden and acts_as_network(info))

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

    def own_folders(self, importer: SourceModule, dotted: str) -> tuple[Path, ...]:
        """Where the importer's own modules lie: above its package, beside it, and the root.

        Among installed packages a project is one package: its neighbours are not its own.
        """
        near = os.path.dirname(str(importer.file))  # noqa: PTH120  as it is text
        if near not in self._around:
            found = self._folders_around(Path(near))
            self._around[near] = self._same.setdefault(found, found)  # compared by identity then
        folders = self._around[near]
        if folders[0].name in INSTALLED_FOLDERS:
            own = importer.dotted.partition(".")[0]
            return folders if dotted.partition(".")[0] == own else ()
        return folders

    def _folders_around(self, folder: Path) -> tuple[Path, ...]:
        top = folder
        while (top / "__init__.py").is_file():
            top = top.parent
        if top.name in INSTALLED_FOLDERS:
            return (top,)
        folders = [top, self.root, self.root / "src"]
        return (top, *(one for one in dict.fromkeys(folders) if one != top and one.is_dir()))

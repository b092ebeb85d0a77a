"""Where the modules of a project and of what is installed for it lie: nothing is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Protocol

from gptdoctor.source.folders import INSTALLED_FOLDERS, Folders, overlaid


class Importer(Protocol):
    """A file that imports."""

    @property
    def file(self) -> Path:
        """Where it lies."""

    @property
    def dotted(self) -> str:
        """The name it is imported by."""


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
    own: Path | None = None  # the same, where it is a file of the project to read

    @property
    def is_package(self) -> bool:
        """Whether it may be a package, which may hold other modules."""
        return self.file is None or self.file.name == "__init__.py"


# What was found, and the folders whose entries say so.
Found = tuple[Resolved, frozenset[Path]]


@dataclass(eq=False)
class Outlook:
    """The folders of the project that some files' imports are looked for in, and what they find.

    Files that lie together share it: what one of them has found, the others need not look for.
    """

    folders: tuple[Path, ...]
    found: dict[str, Found] = field(default_factory=dict)
    packages: dict[str, tuple[bool, frozenset[Path]]] = field(default_factory=dict)

    @cached_property
    def is_installed(self) -> bool:
        """Whether these are installed packages: each a project, its neighbours not its own."""
        return bool(self.folders) and self.folders[0].name in INSTALLED_FOLDERS


@dataclass(eq=False, kw_only=True)
class Places:
    """The folders of a project, and those of its interpreter. Each folder is read once."""

    root: Path
    search_paths: tuple[Path, ...]
    overlay: Mapping[str, str]  # stands for files on disk, by path below the root
    _folders: Folders = field(default_factory=Folders, repr=False)
    _below: dict[tuple[str, str], tuple[Path | None, frozenset[Path]]] = field(
        default_factory=dict, repr=False
    )
    _around: dict[str, Outlook] = field(default_factory=dict, repr=False)
    _outlooks: dict[tuple[Path, ...], Outlook] = field(default_factory=dict, repr=False)
    _packages: dict[str, str] = field(default_factory=dict, repr=False)  # by their folders

    def dotted_name(self, file: Path) -> str:
        """The name `file` is imported by, as `module.dotted_name`; its folder is asked once."""
        folder = file.parent
        near = str(folder)
        if near not in self._packages:
            top = self._folders.above_package(near)
            self._packages[near] = ".".join(folder.parts[len(Path(top).parts) :])
        package = self._packages[near]
        if file.name == "__init__.py":
            return package or folder.name
        return f"{package}.{file.stem}" if package else file.stem

    def find(self, dotted: str, importer: Importer) -> Found:
        """What a dotted name is to a file that imports it, and the folders that say so."""
        outlook = self._outlook(importer, dotted)
        found = outlook.found.get(dotted)
        if found is None:
            folders: set[Path] = set()
            resolved = self._search(dotted, outlook.folders, folders)
            found = outlook.found[dotted] = (resolved, frozenset(folders))
        return found

    def _search(self, dotted: str, own: tuple[Path, ...], looked: set[Path]) -> Resolved:
        for folder in own:
            found = self._folders.below(str(folder), dotted, looked) or overlaid(
                self.root, self.overlay, folder, dotted
            )
            if found is not None:
                source = found[0] if found[0] is not None and found[0].suffix == ".py" else None
                return Resolved(origin=Origin.PROJECT, file=found[0], own=source)
        if dotted.partition(".")[0] in sys.stdlib_module_names:
            return Resolved(origin=Origin.STANDARD)
        for folder in self.search_paths:
            found = self._folders.below(str(folder), dotted, set())
            if found is not None:
                return Resolved(origin=Origin.INSTALLED, file=found[0])
        return Resolved(origin=Origin.MISSING)

    def may_be_package(self, dotted: str, importer: Importer) -> tuple[bool, frozenset[Path]]:
        """Whether a dotted name may be a package of the project, and the folders that say so."""
        packages = self._outlook(importer, dotted).packages
        if dotted not in packages:
            looked: set[Path] = set()
            packages[dotted] = self._may_be_package(dotted, importer, looked), frozenset(looked)
        return packages[dotted]

    def _may_be_package(self, dotted: str, importer: Importer, looked: set[Path]) -> bool:
        def find(name: str) -> Resolved:
            found, folders = self.find(name, importer)
            looked.update(folders)
            return found

        top = dotted.partition(".")[0]
        is_own = find(top).origin is Origin.PROJECT or self.overlay
        if not is_own and not any(self.holds(one, top) for one in self.own_folders(importer, top)):
            return False
        own = dotted
        while own and find(own).origin is not Origin.PROJECT:
            own = own.rpartition(".")[0]
        return bool(own) and find(dotted).is_package

    def below(self, folder: str, dotted: str) -> tuple[Path | None, frozenset[Path]]:
        """The file of a module in one folder, and the folders whose entries say so."""
        key = (dotted, folder)
        if key not in self._below:
            looked: set[Path] = set()
            found = self._folders.below(folder, dotted, looked)
            self._below[key] = (found[0] if found else None, frozenset(looked))
        return self._below[key]

    def holds(self, folder: Path, dotted: str) -> bool:
        """Whether a module, or a folder of its name, lies below one folder."""
        return self._folders.holds(str(folder), dotted)

    def own_folders(self, importer: Importer, dotted: str) -> tuple[Path, ...]:
        """Where the importer's own modules lie: above its package, beside it, and the root."""
        return self._outlook(importer, dotted).folders

    def _outlook(self, importer: Importer, dotted: str) -> Outlook:
        near = str(importer.file).rpartition(os.sep)[0] or os.sep
        outlook = self._around.get(near)
        if outlook is None:
            top = self._folders.above_package(near)
            outlook = self._around[near] = self._around.get(top) or self._from(top)
        if outlook.is_installed:
            own = importer.dotted.partition(".")[0]
            return outlook if dotted.partition(".")[0] == own else self._of(())
        return outlook

    def _from(self, top: str) -> Outlook:
        """What the files of the packages in one folder see, which belong to one project."""
        folder = Path(top)
        if folder.name in INSTALLED_FOLDERS:
            return self._of((folder,))
        folders = [folder, self.root, self.root / "src"]
        further = [one for one in dict.fromkeys(folders) if one != folder and one.is_dir()]
        return self._of((folder, *further))

    def _of(self, folders: tuple[Path, ...]) -> Outlook:
        return self._outlooks.setdefault(folders, Outlook(folders))

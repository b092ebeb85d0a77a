"""The project that a file belongs to: its modules, and what its imports resolve to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gptdoctor.core.diagnosis import SourceError
from gptdoctor.source.classes import ClassInfo, classes_of
from gptdoctor.source.footprints import Footprints
from gptdoctor.source.heads import heads_of
from gptdoctor.source.lineage import (
    DEEPEST_BASE,
    Home,
    Lineage,
    Link,
    lineage_of,
    links_of,
    named,
)
from gptdoctor.source.module import SourceModule, read_module, readable
from gptdoctor.source.network_signs import acts_as_network
from gptdoctor.source.outlines import Outlines, Sketch, UnsureError
from gptdoctor.source.places import Places, Resolved
from gptdoctor.source.told import EVERYTHING
from gptdoctor.source.trees import Trees


@dataclass(eq=False, kw_only=True)
class Project:
    """All modules below a root, read when asked for. `overlay` stands for files on disk."""

    root: Path
    search_paths: tuple[Path, ...] = ()  # of the interpreter that runs the models
    overlay: Mapping[str, str] = field(default_factory=dict)
    footprints: Footprints = field(default_factory=Footprints, repr=False)
    trees: Trees = field(default_factory=Trees, repr=False)
    _classes: dict[SourceModule, dict[str, ClassInfo]] = field(default_factory=dict, repr=False)
    _heads: dict[Path, frozenset[str]] = field(default_factory=dict, repr=False)
    # By modules themselves, not by their paths: to hash a path takes longer than the rest.
    _answers: dict[Home, dict[str, Resolved]] = field(default_factory=dict, repr=False)
    _named: dict[tuple[str, SourceModule], ClassInfo | None] = field(
        default_factory=dict, repr=False
    )
    _outlines: Outlines = field(default_factory=Outlines, repr=False)
    _links: dict[Link, tuple[tuple[str, Link | None], ...]] = field(
        default_factory=dict, repr=False
    )
    _lineages: dict[tuple[Home, tuple[str, ...]], Lineage | None] = field(
        default_factory=dict, repr=False
    )
    _networks: dict[ClassInfo, bool] = field(default_factory=dict, repr=False)
    _bases: dict[ClassInfo, tuple[ClassInfo, ...]] = field(default_factory=dict, repr=False)
    _parts: dict[ClassInfo, tuple[ClassInfo, ...]] = field(default_factory=dict, repr=False)

    @cached_property
    def places(self) -> Places:
        """Where modules are found."""
        return Places(root=self.root, search_paths=self.search_paths, overlay=self.overlay)

    def read(self, file: Path, data: bytes | None = None) -> SourceModule | SourceError:
        """The module in `file`, parsed once; `data` is what is in it, where that is known."""
        if file not in self.trees:
            text = self.overlay.get(self.path_of(file)) if self.overlay else None
            dotted = self.places.dotted_name(file)
            read = read_module(file, self._base(file), text=text, data=data, dotted=dotted)
            self.trees.add(file, read)
        return self.trees[file]

    def heads(self, file: Path) -> frozenset[str]:
        """The names that lines of a file begin by defining; all are there, and there may be more.

        For a file that is not parsed, and need not be for the sake of its names.
        """
        if file not in self._heads:
            text = self.overlay.get(self.path_of(file)) if self.overlay else None
            self._heads[file] = heads_of(file, text)
        return self._heads[file]

    def text(self, file: Path) -> str | None:
        """The text of a file, for those who need no tree of it; None where it cannot be read."""
        overlaid = self.overlay.get(self.path_of(file)) if self.overlay else None
        return readable(file) if overlaid is None else overlaid

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

    def resolve(self, dotted: str, importer: Home) -> Resolved:
        """Find the module `dotted` as the importer would, without importing anything.

        Who goes on to read what was found notes in `footprints` for which names.
        """
        answers = self._answers.setdefault(importer, {})
        found = answers.get(dotted)
        if found is None:
            found, folders = self.places.find(dotted, importer)
            self.footprints.looked(importer.file, folders)
            self.footprints.note(importer.file, found.file)
            answers[dotted] = found
        return found

    def may_be_package(self, dotted: str, importer: SourceModule) -> bool:
        """Whether a dotted name may be a package of the project, which holds modules."""
        told, folders = self.places.may_be_package(dotted, importer)
        self.footprints.looked(importer.file, folders)
        return told

    def beside(
        self, importer: SourceModule, folder: str, dotted: str
    ) -> tuple[Path | None, frozenset[Path]]:
        """The file of the module `dotted` in one folder, as a relative import finds it.

        With the folders whose entries say so.  Who goes on to read it notes in `footprints` for
        which names.
        """
        file, folders = self.places.below(folder, dotted)
        self.footprints.looked(importer.file, folders)
        self.footprints.note(importer.file, file)
        return file, folders

    def forget(self, files: Iterable[Path]) -> None:
        """Drop the trees of files, and what hangs on them: they are read again if asked for."""
        dropped = self.trees.forget(set(files))
        self._classes = {one: own for one, own in self._classes.items() if one not in dropped}
        self._answers = {one: own for one, own in self._answers.items() if one not in dropped}
        self._named = {
            key: info
            for key, info in self._named.items()
            if key[1] not in dropped and (info is None or info.module not in dropped)
        }
        self._links.clear()  # of files that stay, some lead to classes that do not
        self._lineages.clear()
        self._bases.clear()  # as are bases and parts
        self._parts.clear()
        for info in [info for info in self._networks if info.module in dropped]:
            del self._networks[info]

    def module(self, dotted: str, importer: SourceModule, *names: str) -> SourceModule | None:
        """The project's own module `dotted`, parsed, or None.

        `names` are those that it is asked for, where not all of it is.
        """
        file = self._own_file(dotted, importer, names or (EVERYTHING,))
        read = self.read(file) if file is not None else None
        return read if isinstance(read, SourceModule) else None

    def home(self, dotted: str, importer: Home, name: str) -> Home | None:
        """The same, but its outline alone where nobody has asked for its tree."""
        file = self._own_file(dotted, importer, (name,))
        if file is None:
            return None
        outline = None
        if file not in self.trees:
            text = self.overlay.get(self.path_of(file)) if self.overlay else None
            outline = self._outlines.of(file, text)
        read = self.read(file) if outline is None else outline
        return None if isinstance(read, SourceError) else read

    def _own_file(self, dotted: str, importer: Home, names: tuple[str, ...]) -> Path | None:
        file = self.resolve(dotted, importer).own
        if file is not None:
            self.footprints.note(importer.file, file, names)
        return file

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
            other = self.module(origin, module, name) if origin else None
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
        return list((self.lineage(info) or self._parsed_lineage(info)).external)

    def _parsed_lineage(self, info: ClassInfo) -> Lineage:
        bases = self.bases(info)
        external = (
            name
            for link in [info, *bases]
            for name in link.bases
            if not self.class_named(name, link.module)
        )
        return Lineage(bases=tuple(bases), external=tuple(external))

    def links(self, link: Link) -> tuple[tuple[str, Link | None], ...]:
        """The direct bases of a class: their qualified names, and the project's classes."""
        if link not in self._links:
            self._links[link] = links_of(self, link)
        return self._links[link]

    def lineage(self, link: Link) -> Lineage | None:
        """What a class descends from; None where only a parse of other files tells.

        Classes of a file that have the same bases descend from the same.
        """
        try:
            key = (link.home if isinstance(link, Sketch) else link.module, tuple(link.bases))
        except UnsureError:
            return None
        if key not in self._lineages:
            self._lineages[key] = lineage_of(self, link)
        return self._lineages[key]

    def parsed(self, link: Link) -> ClassInfo | None:
        """A class whose head alone was known, with its tree."""
        if isinstance(link, ClassInfo):
            return link
        module = self.read(link.home.file)
        return self.classes(module).get(link.name) if isinstance(module, SourceModule) else None

    def is_network(self, info: ClassInfo) -> bool:
        """Whether a class is a module of layers: it descends from `torch.nn.Module` or the like."""
        if info not in self._networks:
            told = self.lineage(info) or self._parsed_lineage(info)
            self._networks[info] = told.of_layers or (told.of_strangers and acts_as_network(info))
        return self._networks[info]

    def parts(self, info: ClassInfo) -> tuple[ClassInfo, ...]:
        """The project's networks that a class's text instantiates or hands on, itself left out."""
        if info not in self._parts:
            module = info.module
            names = [name for name in sorted(info.called) if self._may_be_network(name, module)]
            found = (self.class_named(name, module) for name in names)
            self._parts[info] = tuple(
                part for part in found if part not in (None, info) and self.is_network(part)
            )
        return self._parts[info]

    def _may_be_network(self, name: str, module: SourceModule) -> bool:
        """Whether a name may mean a network, as far as the lines of other files tell."""
        try:
            link = named(self, name, module)
        except UnsureError:
            return True
        told = self.lineage(link) if isinstance(link, Sketch) else None
        return link is not None and (told is None or told.may_be_network(link))

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

"""The file that is to be imported: the packages that it belongs to, and the names they get."""

from __future__ import annotations

import ast
import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from gptdoctor.specimen.overlay import Overlay
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.reach import RENAMED


class TargetFile:
    """A file of the user's, importable under the dotted name that its project gives it."""

    def __init__(self, file: Path, root: Path, overlay: Overlay) -> None:
        self._file = file
        self._root = root
        self._overlay = overlay
        self._before = frozenset(sys.modules)
        self._base = self._find_base()
        folders = file.parent.relative_to(self._base).parts
        # Each name with the folder or file that it stands for, outermost first.
        self._modules = _dotted(self._base, folders)
        if file.name != "__init__.py":
            stem = file.stem.replace(".", "_")
            self._modules.append((".".join((*folders, stem)), file))
        self._avoid_clash()

    def prepare_process(self) -> None:
        """Give the process the search path and the arguments of a run of this file."""
        first = [self._base, self._root, self._root / "src"]
        if self._base in self._root.parents and not (self._root / "__init__.py").is_file():
            first.remove(self._base)  # only there to count names from: it is not the project's
        # Last, for packages whose files import their siblings as scripts do, and for folders that
        # serve as packages though none is marked as one.
        # The folders around marked ones are no such folders: they hold names of many packages.
        above = [one for one in self._file.parents[1:] if one.is_relative_to(self._root)]
        unmarked = [one for one in above if not (one / "__init__.py").is_file()]
        paths = [*map(str, first), *sys.path, *map(str, (self._file.parent, *unmarked))]
        sys.path[:] = dict.fromkeys(paths)
        sys.argv[:] = [str(self._file)]
        importlib.invalidate_caches()

    def load(self) -> ModuleType:
        """Import the packages from the outermost on, then the file.  Never as `__main__`."""
        for name, path in self._modules:
            if name not in sys.modules:
                _execute(name, path, self._overlay)
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, sys.modules[name])
        return sys.modules[self._modules[-1][0]]

    def forget(self) -> None:
        """Drop the modules of the user's that were imported, so that all of them run anew."""
        ours = {name for name, _ in self._modules}
        gone = [
            name
            for name, module in list(sys.modules.items())
            if name not in self._before and (name in ours or self._is_users(module))
        ]
        for name in gone:  # afterwards: a namespace package asks its parent where it lies
            del sys.modules[name]

    def _is_users(self, module: ModuleType) -> bool:
        known = getattr(module, "__dict__", {})
        places = [known.get("__file__"), *(known.get("__path__") or ())]
        return any(
            isinstance(place, str) and project_path(place, str(self._root)) for place in places
        )

    def _find_base(self) -> Path:
        """The folder from which the file's full name is counted."""
        base = self._file.parent
        while (base / "__init__.py").is_file():
            base = base.parent
        levels = _relative_levels(self._overlay.read(self._file))
        if levels <= len(self._file.parent.relative_to(base).parts):
            return base
        # Relative imports that need more packages than there are `__init__.py` files: folders
        # serve as packages, as they do for `python -m` in the project's root.
        base = self._root
        while levels > len(self._file.parent.relative_to(base).parts) and base != base.parent:
            base = base.parent
        return base

    def _avoid_clash(self) -> None:
        """Take no name by which Python, torch or gptdoctor may want a module of their own."""
        top, place = self._modules[0]
        if _is_at(sys.modules.get(top), place):
            return  # the package itself, preloaded
        if top in self._before or top in sys.stdlib_module_names:
            safe = f"{RENAMED}{top}"
            self._modules = [(safe + name[len(top) :], path) for name, path in self._modules]


def _is_at(module: ModuleType | None, place: Path) -> bool:
    """Whether a loaded module is the package or the file at `place`."""
    known = getattr(module, "__dict__", {})
    return str(place) in [known.get("__file__"), *(known.get("__path__") or ())]


def _dotted(base: Path, folders: tuple[str, ...]) -> list[tuple[str, Path]]:
    """The packages below `base`, outermost first: name and folder."""
    return [
        (".".join(folders[:depth]), base.joinpath(*folders[:depth]))
        for depth in range(1, len(folders) + 1)
    ]


def _relative_levels(text: str) -> int:
    """How many packages the relative imports of a file take for granted."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return 0  # importing it will say what is wrong
    return max(
        (node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0
    )


def _execute(name: str, path: Path, overlay: Overlay) -> None:
    """Run a file, or a package's `__init__.py` where there is one, as the module `name`."""
    file = path / "__init__.py" if path.is_dir() else path
    if not overlay.is_file(file):
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(path)]
        return
    loader = overlay.loader(name, str(file))
    spec = ModuleSpec(name, loader, origin=str(file), is_package=path.is_dir())
    spec.has_location = True
    spec.submodule_search_locations = [str(path)] if path.is_dir() else None
    module = module_from_spec(spec)
    vars(spec)["_initializing"] = True  # importlib's own mark, by which circles are told
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    finally:
        vars(spec)["_initializing"] = False

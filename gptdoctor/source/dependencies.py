"""The packages that a project declares to need."""

from __future__ import annotations

import ast
import configparser
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from weakref import WeakKeyDictionary

from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project

# Packages that are imported under another name than they are installed by. Only famous ones:
# most names differ by "-" and "_" alone, which normalising takes care of.
DISTRIBUTIONS = {
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    "dateutil": ("python-dateutil",),
    "dotenv": ("python-dotenv",),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "fitz": ("pymupdf",),
    "git": ("gitpython",),
    "google": ("protobuf", "google-api-core"),
    "hydra": ("hydra-core",),
    "lightning_fabric": ("lightning", "pytorch-lightning"),
    "mpl_toolkits": ("matplotlib",),
    "OpenSSL": ("pyopenssl",),
    "PIL": ("pillow", "pillow-simd"),
    "pkg_resources": ("setuptools",),
    "pl_bolts": ("lightning-bolts",),
    "pytorch_lightning": ("lightning",),
    "ruamel": ("ruamel-yaml",),
    "serial": ("pyserial",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "tensorboard_logger": ("tensorboard-logger",),
    "tensorflow": ("tensorflow-cpu", "tensorflow-gpu"),
    "transformer_engine": ("transformer-engine-torch",),
    "umap": ("umap-learn",),
    "yaml": ("pyyaml",),
}
# "flash-attn[extra]>=2 ; python_version > '3.8'" and "-e git+https://host/me/name.git#egg=name"
REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)")
EGG = re.compile(r"#egg=([\w.-]+)")
INCLUDED_FILE = re.compile(r"^\s*(?:-r|--requirement)[ =]\s*(\S+)", re.MULTILINE)
REQUIRED = re.compile(r"^Requires-Dist:\s*([A-Za-z0-9][\w.-]*)", re.MULTILINE)
CONDA_LINE = re.compile(r"^\s*-\s*['\"]?([A-Za-z][\w.-]*)", re.MULTILINE)
_DECLARING = re.compile(
    r"pyproject\.toml|setup\.(?:cfg|py)|requirements|environment|.*\.dist-info", re.IGNORECASE
)
_CACHE: WeakKeyDictionary[Project, dict[Path, frozenset[str]]] = WeakKeyDictionary()


def declared(project: Project, importer: SourceModule) -> frozenset[str]:
    """The normalised names of the packages that are declared for a module.

    That is by the project's root, and by any folder on the way from there to the module.
    """
    known = _CACHE.setdefault(project, {})
    found: set[str] = set()
    for folder in importer.file.parents:
        if not folder.is_relative_to(project.root):
            break
        if folder not in known:
            known[folder] = frozenset(normalised(name) for name in _names(folder))
        found |= known[folder]
    return frozenset(found)


def declared_distribution(project: Project, importer: SourceModule, module: str) -> str | None:
    """The declared package that `module`, a dotted import, comes from; None: not declared.

    Where no name fits, one that has the module's name among its words may be it: `trainer`
    comes from `coqui-tts-trainer`.
    """
    top = module.partition(".")[0]
    known = declared(project, importer)
    for name in (top, *DISTRIBUTIONS.get(top, ())):
        if normalised(name) in known:
            return normalised(name)
    return next((name for name in sorted(known) if f"-{normalised(top)}-" in f"-{name}-"), None)


def normalised(name: str) -> str:
    """The name of a package as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(root: Path) -> Iterator[str]:
    if not says_needs(root):
        return
    for file in root.glob("*.dist-info/METADATA"):  # installed packages, or an unpacked wheel
        yield from REQUIRED.findall(text_or_nothing(file))
    yield from _in_pyproject(root / "pyproject.toml")
    yield from _in_setup_cfg(root / "setup.cfg")
    yield from _in_setup_py(root / "setup.py")
    for file in sorted([*root.glob("requirements*.txt"), *root.glob("requirements/*.txt")]):
        yield from _in_requirements(file, set())
    for file in sorted([*root.glob("environment*.yml"), *root.glob("environment*.yaml")]):
        yield from CONDA_LINE.findall(text_or_nothing(file))


def says_needs(folder: Path) -> bool:
    """Whether a folder has a file that may declare packages; most have none to look into."""
    try:
        return any(map(_DECLARING.match, os.listdir(folder)))  # noqa: PTH208  the names alone
    except OSError:
        return False


def text_or_nothing(file: Path) -> str:
    """The text of a file, "" where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _in_pyproject(file: Path) -> Iterator[str]:
    try:
        data = tomllib.loads(text_or_nothing(file))
    except tomllib.TOMLDecodeError:
        return
    project = _table(data, "project")
    groups = [
        project.get("dependencies"),
        *_table(project, "optional-dependencies").values(),
        *_table(data, "dependency-groups").values(),
    ]
    for group in groups:
        yield from _requirements(group if isinstance(group, list) else [])
    poetry = _table(_table(data, "tool"), "poetry")
    tables = [poetry, *(group for group in _table(poetry, "group").values())]
    for table in tables:
        for key in ("dependencies", "dev-dependencies"):
            yield from _table(table, key)


def _table(data: object, key: str) -> Mapping[str, object]:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, dict) else {}


def _requirements(lines: Iterable[object]) -> Iterator[str]:
    """The names in lines as requirements are written; what is no string names nothing."""
    for line in lines:
        match = isinstance(line, str) and (EGG.search(line) or REQUIREMENT.match(line))
        if match:
            yield match[1]


def _in_setup_cfg(file: Path) -> Iterator[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text_or_nothing(file))
    except configparser.Error:
        return
    yield from _requirements(parser.get("options", "install_requires", fallback="").splitlines())
    if parser.has_section("options.extras_require"):
        for _, value in parser.items("options.extras_require"):
            yield from _requirements(value.splitlines())


def _in_setup_py(file: Path) -> Iterator[str]:
    """The strings among the requirements of a call `setup(...)`, without running it."""
    try:
        tree = ast.parse(text_or_nothing(file))
    except (SyntaxError, ValueError):
        return
    for node in every_node(tree):
        if isinstance(node, ast.keyword) and node.arg in ("install_requires", "extras_require"):
            strings = [inner for inner in every_node(node) if isinstance(inner, ast.Constant)]
            yield from _requirements(string.value for string in strings)


def _in_requirements(file: Path, seen: set[Path]) -> Iterator[str]:
    if file in seen:
        return
    seen.add(file)
    text = text_or_nothing(file)
    yield from _requirements(text.splitlines())
    for other in INCLUDED_FILE.findall(text):
        yield from _in_requirements(file.parent / other, seen)

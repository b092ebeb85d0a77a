"""Imports that find nothing, by kinds of what is lacking."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from gptdoctor.source.project import Project
from gptdoctor.source.unresolved import Lack, unresolved
from tests.source.projects import module_of, project_of

FILES = {
    "installed/torch/__init__.py": "import sys\nsys.modules['torch.ops'] = 1\n",
    "installed/torch/nn.py": "class Module: ...\n",
    "installed/finder/__init__.py": "__path__ = []\n",
    "installed/spread/part.py": "",
    "installed/__editable___linked_0_finder.py": "MAPPING: dict = {'linked': '/home/me/linked'}\n",
    "pack/__init__.py": "",
    "pack/sub/__init__.py": "Name = 1\n",
    "pack/sub/fast.pyx": "",
    "pack/sub/model.py": "",
    "pack/loose/model.py": "",
    "script/beside.py": "",
    "script/model.py": "",
    "third_party/vendored/part.py": "",
    "data/records.py": "",
    "top.py": "",
}
LACKS = {
    "an attribute of a package": ("pack/sub/model.py", "from pack.sub import Lost", Lack.NAME),
    "the package above": ("pack/sub/model.py", "from .. import lost", Lack.NAME),
    "a sibling": ("pack/sub/model.py", "from .lost import x", Lack.MODULE),
    "a module of the package": ("pack/sub/model.py", "import pack.lost.deep", Lack.MODULE),
    "out of the package": ("pack/sub/model.py", "from ...top import x", Lack.PARENT),
    "out of the root": ("script/model.py", "from ..top import x", Lack.PARENT),
    "a package": ("top.py", "import lost.deep", Lack.PACKAGE),
    "a module of an installed package": ("top.py", "import torch.lost", Lack.MODULE),
    "a name of an installed module": ("top.py", "from torch.nn import Lost", Lack.NAME),
    "a module of a folder of data": ("top.py", "import data.lost", Lack.PACKAGE),
}
FOUND = {
    "a package by its dots": ("pack/sub/model.py", "from .. import sub\nfrom . import Name"),
    "a namespace in a package": ("pack/loose/model.py", "from . import model"),
    "beside a script": ("script/model.py", "import beside\nfrom .beside import __name__"),
    "a compiled sibling": ("pack/sub/model.py", "from .fast import anything"),
    "names of a package that is dynamic": ("top.py", "from torch import anything"),
    "a module that its package makes": ("top.py", "import torch.ops.deep"),
    "a package with a path of its own": ("top.py", "import finder.anything"),
    "a namespace that is spread": ("top.py", "import spread.anything"),
    "an editable install": ("top.py", "import linked.deep"),
    "vendored somewhere": ("top.py", "import vendored.part"),
    "the standard library": ("top.py", "import os.path, xml.etree.ElementTree"),
    "a star": ("top.py", "from pack.sub import *"),
    "the future": ("top.py", "from __future__ import annotations"),
}


@pytest.mark.parametrize(("path", "text", "lack"), LACKS.values(), ids=LACKS)
def test_what_is_lacking_is_named(path: str, text: str, lack: Lack, tmp_path: Path) -> None:
    """A name, a module, a package or a parent."""
    project = project_of(tmp_path, FILES)
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.Import | ast.ImportFrom)
    found = unresolved(project, module_of(project, path), node)
    assert found is not None
    assert found.lack is lack


@pytest.mark.parametrize(("path", "text"), FOUND.values(), ids=FOUND)
def test_what_is_there_or_may_be_is_not_lacking(path: str, text: str, tmp_path: Path) -> None:
    """Where the files do not tell, nothing is said."""
    project = project_of(tmp_path, FILES)
    for node in ast.parse(text).body:
        assert isinstance(node, ast.Import | ast.ImportFrom)
        assert unresolved(project, module_of(project, path), node) is None


def test_names_of_the_standard_library_depend_on_the_version(tmp_path: Path) -> None:
    """They are judged where the models run on the same version as we do."""
    node = ast.parse("from collections import Mapping, OrderedDict").body[0]
    assert isinstance(node, ast.ImportFrom)
    project = project_of(tmp_path, {"model.py": ""})
    assert unresolved(project, module_of(project, "model.py"), node) is None
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    project = Project(root=tmp_path, search_paths=(tmp_path / "lib" / version / "site-packages",))
    found = unresolved(project, module_of(project, "model.py"), node)
    assert found is not None
    assert (found.lack, found.names) == (Lack.NAME, ("Mapping",))

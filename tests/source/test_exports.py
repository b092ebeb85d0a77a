"""What a module offers to those who import from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.source.exports import exports, offers
from tests.source.projects import module_of, project_of

BOUND = {
    "a class": "class Name: ...",
    "a function": "async def Name(): ...",
    "an assignment": "x = Name = 1",
    "unpacking": "x, (y, *Name) = f()",
    "an annotation with a value": "Name: int = 1",
    "an import": "import Name.inner",
    "an import under another name": "from a import b as Name",
    "a branch": "if x:\n    pass\nelse:\n    Name = 1",
    "a handler": "try:\n    pass\nexcept E:\n    Name = 1",
    "a loop": "for Name in range(3):\n    pass",
    "a with": "with open('x') as Name:\n    pass",
    "a walrus": "if (Name := f()):\n    pass",
    "a match": "match x:\n    case [Name]:\n        pass",
    "a global statement": "def f():\n    global Name\n    Name = 1",
}
NOT_BOUND = {
    "an annotation alone": "Name: int",
    "a local": "def f():\n    Name = 1",
    "an attribute of a class": "class A:\n    Name = 1",
    "a use": "print(Name)",
    "a method __getattr__": "class A:\n    def __getattr__(self, name): ...",
}
UNKNOWN = {
    "globals": "globals()['x'] = 1",
    "sys.modules": "import sys\nsys.modules[__name__] = f()",
    "exec": "exec(text)",
    "__getattr__": "def __getattr__(name):\n    return f(name)",
    "a lazy loader": "__getattr__, __dir__, __all__ = attach(__name__)",
    "setattr on itself": "def add(x):\n    import model\n    setattr(model, x, 1)",
    "a star from elsewhere": "from elsewhere import *",
}


@pytest.mark.parametrize("text", BOUND.values(), ids=BOUND)
def test_names_at_the_top_level_are_offered(text: str, tmp_path: Path) -> None:
    """However they are bound."""
    project = project_of(tmp_path, {"model.py": text})
    assert offers(project, module_of(project, "model.py"), "Name") is True


@pytest.mark.parametrize("text", NOT_BOUND.values(), ids=NOT_BOUND)
def test_other_names_are_not_offered(text: str, tmp_path: Path) -> None:
    """A name must be bound, and at the top level."""
    project = project_of(tmp_path, {"model.py": text})
    assert offers(project, module_of(project, "model.py"), "Name") is False


@pytest.mark.parametrize("text", UNKNOWN.values(), ids=UNKNOWN)
def test_what_binds_by_other_means_is_not_known(text: str, tmp_path: Path) -> None:
    """The text cannot tell."""
    project = project_of(tmp_path, {"model.py": text})
    assert offers(project, module_of(project, "model.py"), "Name") is None


def test_stars_are_followed(tmp_path: Path) -> None:
    """Through modules of the project."""
    texts = {"a.py": "from b import *", "b.py": "from c import *", "c.py": "Name = 1"}
    project = project_of(tmp_path, texts)
    module = module_of(project, "a.py")
    assert (offers(project, module, "Name"), offers(project, module, "Other")) == (True, False)


def test_circles_of_stars_end(tmp_path: Path) -> None:
    """Two modules that import all of each other."""
    project = project_of(tmp_path, {"a.py": "from b import *", "b.py": "from a import *"})
    assert offers(project, module_of(project, "a.py"), "Name") is None


def test_modules_of_a_package_are_offered(tmp_path: Path) -> None:
    """Files, folders and compiled modules beside `__init__.py`."""
    texts = {"p/__init__.py": "", "p/one.py": "", "p/two/x.py": "", "p/three.cpython-311.so": ""}
    project = project_of(tmp_path, texts)
    module = module_of(project, "p/__init__.py")
    assert [offers(project, module, n) for n in ("one", "two", "three", "four")] == [True] * 3 + [
        False
    ]


def test_definitions_and_imports_are_kept_apart(tmp_path: Path) -> None:
    """Only a definition is the home of a name."""
    project = project_of(tmp_path, {"a.py": "from b import Name\nOther = Name"})
    found = exports(module_of(project, "a.py"))
    assert (set(found.defined), set(found.imported)) == ({"Other"}, {"Name"})

"""What is said of classes, functions and names of files that are not parsed as a whole."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gptdoctor.source.exports import shows
from gptdoctor.source.outer_statements import outer_statements
from gptdoctor.source.outlines import Outline, outline_of
from gptdoctor.source.unparsed import (
    bases_defining,
    bases_saying,
    descends_from,
    home_of_function,
)
from tests.source.projects import module_of, project_of

LIBRARY = '''\
"""A library.

from far import prose
"""
from far import Far
if Far:
    from far import conditional
else:
    def inner(): ...

list_like = make()
other = far.Far


class Root(Far):
    """A root.

    def quoted(self): ...
    """

    def start(self):
        self.kept = 1


class Base(Root):
    def forward(self, x): ...


def helper(x: list = None): ...
'''
MODEL = "from library import Base\n\n\nclass Model(Base): ...\n\n\nclass Other: ...\n"
TEXTS = {"library.py": LIBRARY, "model.py": MODEL, "far.py": "class Far: ...\n"}


def _outline(tmp_path: Path, text: str = LIBRARY) -> Outline:
    (tmp_path / "library.py").write_text(text)
    outline = outline_of(tmp_path / "library.py")
    assert outline is not None
    return outline


def test_bases_are_asked_by_their_lines(tmp_path: Path) -> None:
    """No file is parsed for a base that does not say what is sought."""
    project = project_of(tmp_path, TEXTS)
    classes = project.classes(module_of(project, "model.py"))
    model, other = classes["Model"], classes["Other"]
    assert not list(bases_defining(project, model, "backward"))
    assert not list(bases_saying(project, model, "absent"))
    assert not descends_from(project, model, other)
    assert {file.name for file in project.trees.files} == {"model.py"}
    assert [one.name for one in bases_defining(project, model, "start")] == ["Root"]
    assert [one.name for one in bases_saying(project, model, "kept", "absent")] == ["Root"]
    root = project.classes(module_of(project, "library.py"))["Root"]
    assert descends_from(project, model, root)
    assert not descends_from(project, root, model)


def test_a_file_is_parsed_for_a_function_that_it_defines(tmp_path: Path) -> None:
    """And for no method, class or name of another kind."""
    project = project_of(tmp_path, TEXTS)
    model = module_of(project, "model.py")
    for name in ("start", "Base", "inner", "absent"):
        assert home_of_function(project, "library", model, name) is None
    assert {file.name for file in project.trees.files} == {"model.py"}
    home = home_of_function(project, "library", model, "helper")
    assert home is not None
    assert "helper" in home.functions
    assert home_of_function(project, "nowhere", model, "helper") is None


def test_methods_in_a_text_in_quotes_are_none(tmp_path: Path) -> None:
    """A docstring may show how one is written."""
    outline = _outline(tmp_path)
    assert outline.sketch("Root").methods == {"start"}
    assert outline.sketch("Base").methods == {"forward"}  # and not what stands below the class


def test_names_that_are_no_class_or_function_lead_nowhere(tmp_path: Path) -> None:
    """A variable, one that nothing binds, and a function that only a branch defines."""
    outline = _outline(tmp_path)
    assert all(map(outline.leads_nowhere, ("list_like", "list", "inner", "nothing")))
    assert not any(map(outline.leads_nowhere, ("other", "Far", "Base", "helper", "conditional")))


@pytest.mark.parametrize("line", ["x = 1; name = a.b", "if x: name = a.b", "    name = a.b"])
def test_a_name_may_be_another_for_a_class_wherever_it_is_assigned(
    tmp_path: Path, line: str
) -> None:
    """Behind other statements of a line, too."""
    assert not _outline(tmp_path, f"import a\nif a:\n    pass\n{line}\n").leads_nowhere("name")


def test_the_statements_outside_of_functions_and_classes_are_read() -> None:
    """In their order, those of branches included."""
    found = outer_statements(LIBRARY)
    assert found is not None
    assert [one.__class__ for one in found] == [
        *(ast.Expr, ast.ImportFrom, ast.If, ast.Assign, ast.Assign)
    ]


@pytest.mark.parametrize(
    "text",
    [
        'class A:\n    """A.\n\nimport quoted\n    """\n',
        "class A:\n    x = \\\nimported = 1\n",
        "def f(a,\nb=1):\n    return a\n",
    ],
)
def test_what_may_not_be_cut_out_is_not_read(text: str) -> None:
    """A text in quotes, a joined line and brackets may have lines that begin at the margin."""
    assert outer_statements(text) is None


@pytest.mark.parametrize("name", ["Far", "conditional", "list_like", "Base", "helper", "inner"])
def test_names_are_shown_by_lines(tmp_path: Path, name: str) -> None:
    """Whatever binds them, in branches too."""
    project = project_of(tmp_path, TEXTS)
    assert shows(project, tmp_path / "library.py", name)
    assert not project.trees.files


@pytest.mark.parametrize("name", ["prose", "start", "quoted", "nothing"])
def test_other_names_are_not_shown(tmp_path: Path, name: str) -> None:
    """A parse has to tell whether they are offered."""
    assert not shows(project_of(tmp_path, TEXTS), tmp_path / "library.py", name)


def test_a_file_that_may_bind_any_name_shows_all(tmp_path: Path) -> None:
    """So does a package that has a module of the name."""
    texts = {"open.py": "globals()['x'] = 1\n", "pack/__init__.py": "", "pack/part.py": ""}
    project = project_of(tmp_path, texts)
    assert shows(project, tmp_path / "open.py", "anything")
    assert shows(project, tmp_path / "pack/__init__.py", "part")
    assert not shows(project, tmp_path / "pack/__init__.py", "other")

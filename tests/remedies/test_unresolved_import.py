"""GD501: names are imported from where they are, in the way of the files beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.repairs import Applicability
from tests.remedies.mending import again, declined, dedented, mended, remedy, request, unmarked

MODULE = "imports.unresolved_import"
LAYERS = "class Projector:\n    pass\n\n\nclass Norm:\n    pass\n"


def project(folder: Path, files: dict[str, str]) -> Path:
    """Write files below a root that looks like a project whose interpreter has torch."""
    for name, text in {**files, "installed/torch/__init__.py": ""}.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(dedented(text))
    return folder


# name: (the other files, the file's name, before, after).
CASES = {
    "a script beside the module": (
        {"layers.py": LAYERS},
        "model.py",
        "import os\nfrom old_home.parts import Projector  # HERE\n\nx = Projector()\n",
        "import os\nfrom layers import Projector\n\nx = Projector()\n",
    ),
    "a package": (
        {"net/__init__.py": "", "net/layers.py": LAYERS},
        "net/model.py",
        "from old_home.parts import (\n    Projector as P,  # the vein\n)  # HERE\n",
        "from .layers import (\n    Projector as P,  # the vein\n)\n",
    ),
    "another package of the same tree": (
        {"net/__init__.py": "", "net/parts/__init__.py": "", "net/parts/low.py": LAYERS},
        "net/model.py",
        "from .layers import Projector  # HERE\n",
        "from .parts.low import Projector\n",
    ),
    "up and down again": (
        {
            "net/__init__.py": "",
            "net/a/__init__.py": "",
            "net/b/__init__.py": "",
            "net/b/low.py": LAYERS,
        },
        "net/a/model.py",
        "from .low import Projector  # HERE\n",
        "from ..b.low import Projector\n",
    ),
    "one name of three": (
        {"layers.py": LAYERS, "helpers.py": "def a():\n    pass\n\n\ndef b():\n    pass\n"},
        "model.py",
        "from helpers import a, Projector, b  # HERE\n",
        "from helpers import a, b\nfrom layers import Projector\n",
    ),
    "the last name, over several lines": (
        {"layers.py": LAYERS, "helpers.py": "def a():\n    pass\n"},
        "model.py",
        "from helpers import (\n    a,  # kept\n    Projector,\n)  # HERE\n",
        "from helpers import (\n    a,  # kept\n)\nfrom layers import Projector\n",
    ),
    "files that are run both ways": (
        {
            "net/__init__.py": "",
            "net/layers.py": LAYERS,
            "net/one.py": "from .layers import Norm\n",
            "net/two.py": "from layers import Norm\n",
        },
        "net/model.py",
        "from gone import Projector  # HERE\n\nx = 1\n",
        """
        try:
            from .layers import Projector
        except ImportError:
            from layers import Projector

        x = 1
        """,
    ),
    "a package that names itself": (
        {
            "net/__init__.py": "",
            "net/layers.py": LAYERS,
            "net/one.py": "from net.layers import Norm\n",
        },
        "net/model.py",
        "from gone import Projector  # HERE\n",
        "from net.layers import Projector\n",
    ),
    "a folder of its own": (
        {"parts/low.py": LAYERS},
        "model.py",
        "from gone.low import Projector  # HERE\n",
        "from parts.low import Projector\n",
    ),
    "inside a function": (
        {"layers.py": LAYERS},
        "model.py",
        "def build():\n    from gone import Projector  # HERE\n\n    return Projector()\n",
        "def build():\n    from layers import Projector\n\n    return Projector()\n",
    ),
}


def options(root: Path) -> dict[str, object]:
    """What the remedy is asked with: an interpreter that has torch."""
    return {"search_paths": (root / "installed",)}


@pytest.mark.parametrize("name", CASES)
def test_it_rewrites(name: str, tmp_path: Path) -> None:
    """To the very text, and safely: somebody defines the name."""
    files, file, before, after = CASES[name]
    root = project(tmp_path, files)
    text = dedented(before)
    new = mended(MODULE, text, root, file=file, **options(root))
    assert new == dedented(after)
    assert again(MODULE, text, new, root, file=file, **options(root)) == new
    plain, line = unmarked(text)
    asked = request(plain, line, root, file=file, search_paths=(root / "installed",))
    assert remedy(MODULE).limit(asked) is Applicability.SAFE


# Nobody defines the names: (before, after).
GUARDED = {
    "a class": (
        '''
        import torch.nn as nn
        from gone import Projector  # HERE


        class Block(nn.Module):
            """A block."""

            def __init__(self, dim):
                super().__init__()
                self.project = Projector(dim)
        ''',
        '''
        import torch.nn as nn
        try:
            from gone import Projector
        except ImportError:
            Projector = None


        class Block(nn.Module):
            """A block."""

            def __init__(self, dim):
                if Projector is None:
                    raise ImportError("Block needs Projector from gone, which cannot be imported")
                super().__init__()
                self.project = Projector(dim)
        ''',
    ),
    "a function, and a name that is there": (
        """
        from beside import here, fast  # HERE


        def attend(q, k):
            return fast(q, here(k))
        """,
        """
        from beside import here
        try:
            from beside import fast
        except ImportError:
            fast = None


        def attend(q, k):
            if fast is None:
                raise ImportError("attend needs fast from beside, which cannot be imported")
            return fast(q, here(k))
        """,
    ),
    "a whole module": (
        """
        import fast as kernels  # HERE


        class Block:
            def forward(self, x):
                return kernels.mix(x)
        """,
        """
        try:
            import fast as kernels
        except ImportError:
            kernels = None


        class Block:
            def forward(self, x):
                if kernels is None:
                    raise ImportError("Block needs the module fast, which cannot be imported")
                return kernels.mix(x)
        """,
    ),
}


@pytest.mark.parametrize("name", GUARDED)
def test_what_nobody_defines_is_guarded(name: str, tmp_path: Path) -> None:
    """The file can be imported, what needs the name says so, and it is never a safe fix."""
    root = project(tmp_path, {"beside.py": "def here(x):\n    return x\n"})
    before, after = GUARDED[name]
    text = dedented(before)
    new = mended(MODULE, text, root, **options(root))
    assert new == dedented(after)
    assert again(MODULE, text, new, root, **options(root)) == new
    plain, line = unmarked(text)
    asked = request(plain, line, root, search_paths=(root / "installed",))
    assert remedy(MODULE).limit(asked) is Applicability.UNSAFE


DECLINES: dict[str, tuple[dict[str, str], str, str]] = {
    "an import that works": (
        {"layers.py": LAYERS},
        "from layers import Projector  # HERE\n",
        "finds what it asks for",
    ),
    "two modules that define it": (
        {"a/x.py": LAYERS, "b/x.py": LAYERS},
        "from gone import Projector  # HERE\n",
        "both define Projector",
    ),
    "a circle": (
        {"layers.py": "import model\n\n\n" + LAYERS, "model.py": ""},
        "from gone import Projector  # HERE\n",
        "neither could come first",
    ),
    "everything": ({}, "from gone.parts import *  # HERE\n", "everything is imported"),
    "a base class": (
        {},
        "from gone import Base  # HERE\n\n\nclass Model(Base):\n    pass\n",
        "needed while the file is imported",
    ),
    "guarded already": (
        {},
        "try:\n    from gone import Fast  # HERE\nexcept ImportError:\n    Fast = None\n",
        "guarded already",
    ),
    "asked for late": (
        {},
        "def f():\n    from gone import Fast  # HERE\n\n    return Fast()\n",
        "asked for late",
    ),
    "half of it": (
        {"layers.py": LAYERS},
        "from gone import Projector, Nothing  # HERE\n",
        "others nowhere",
    ),
    "no import": ({}, "x = 1  # HERE\n", "no import stands"),
}


@pytest.mark.parametrize("name", DECLINES)
def test_it_declines(name: str, tmp_path: Path) -> None:
    """Where it is not clear what to import, or not of use, nothing is written."""
    files, text, reason = DECLINES[name]
    root = project(tmp_path, files)
    assert reason in declined(MODULE, text, root, **options(root))


def test_a_measured_failure_outweighs_the_text(tmp_path: Path) -> None:
    """A module that makes its names as it pleases is found out by running it."""
    root = project(
        tmp_path,
        {"open.py": "globals().update(load())\n", "layers.py": LAYERS},
    )
    text = "from open import Projector, Other  # HERE\n"
    assert "finds what it asks for" in declined(MODULE, text, root, **options(root))
    values = {"module": "open", "name": "Projector"}
    new = mended(MODULE, text, root, values=values, **options(root))
    assert new == "from open import Other\nfrom layers import Projector\n"

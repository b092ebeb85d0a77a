"""The build and the call that are printed run in a plain Python process, without gptdoctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Done, check_json, plain_python
from tests.live.reference import GROUP, REFERENCE, copied

pytestmark = pytest.mark.xdist_group(GROUP)

HEAD = "import torch\nfrom torch import nn\n"
NETWORK = """
        self.table = nn.Embedding({vocab}, {width})
        self.out = nn.Linear({width}, {vocab})

    def forward(self, ids{more}):
        return self.out(self.table(ids))
"""
FILES = {
    "keywords.py": HEAD
    + "class Keywords(nn.Module):\n    def __init__(self, vocab_size=50257, d_model=768):\n"
    + "        super().__init__()"
    + NETWORK.format(vocab="vocab_size", width="d_model", more=""),
    "settings.py": "from dataclasses import dataclass\n\n@dataclass\nclass Settings:\n"
    "    vocab_size: int = 50257\n    n_embd: int = 768\n",
    "imported.py": HEAD
    + "import settings\n\nclass Imported(nn.Module):\n"
    + "    def __init__(self, config: 'settings.Settings'):\n        super().__init__()"
    + NETWORK.format(vocab="config.vocab_size", width="config.n_embd", more=""),
    "mapping.py": HEAD
    + "class Mapped(nn.Module):\n    def __init__(self, cfg):\n        super().__init__()"
    + NETWORK.format(vocab='cfg["vocab_size"]', width='cfg["emb_dim"]', more=""),
    "loose.py": HEAD
    + "class Loose(nn.Module):\n    def __init__(self, config):\n        super().__init__()"
    + NETWORK.format(vocab="config.vocab_size", width="config.n_embd", more=""),
    "constants.py": HEAD
    + "vocab_size = 50257\nn_embd = 768\n\nclass Constant(nn.Module):\n"
    + "    def __init__(self):\n        super().__init__()"
    + NETWORK.format(vocab="vocab_size", width="n_embd", more=""),
    "attributes.py": HEAD
    + "class Config:\n    vocab_size = 50257\n    n_embd = 768\n\n"
    + "class Attributes(nn.Module):\n    def __init__(self, config):\n        super().__init__()"
    + NETWORK.format(vocab="config.vocab_size", width="config.n_embd", more=""),
    "nested.py": HEAD
    + "class Nested(nn.Module):\n    class Options:\n"
    + "        def __init__(self, vocab_size=50257, width=768):\n"
    + "            self.vocab_size, self.width = vocab_size, width\n\n"
    + "    def __init__(self, options: 'Nested.Options'):\n        super().__init__()"
    + NETWORK.format(vocab="options.vocab_size", width="options.width", more=""),
    "kept.py": HEAD
    + "class Sizes:\n    vocab = 50257\n\nCFG = {'width': 768}\nLAYERS = 48\n\n"
    + "class Kept(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    + "        self.more = nn.ModuleList(nn.Linear(1, 1) for _ in range(LAYERS))"
    + NETWORK.format(vocab="Sizes.vocab", width="CFG['width']", more=""),
    "shown.py": HEAD
    + "class Shown(nn.Module):\n    def __init__(self, kind, vocab_size=50257, n_embd=768):\n"
    + "        super().__init__()\n        self.kind = {'zip': nn.GELU}[kind]()"
    + NETWORK.format(vocab="vocab_size", width="n_embd", more=", zeal")
    + "\nif __name__ == '__main__':\n    net = Shown('zip')\n"
    + "    net(torch.randint(0, 50257, (2, 16)), zeal=[1])\n",
    "package/__init__.py": "",
    "package/sizes.py": "class SizesConfig:\n    def __init__(self, vocab_size=50257, dim=768):\n"
    "        self.vocab_size, self.dim = vocab_size, dim\n",
    "package/packed.py": HEAD
    + "from .sizes import SizesConfig\n\nclass Packed(nn.Module):\n"
    + "    def __init__(self, sizes: SizesConfig):\n        super().__init__()"
    + NETWORK.format(vocab="sizes.vocab_size", width="sizes.dim", more=", mask, start_pos"),
}


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The project, and what is said of its models by name."""
    root = tmp_path_factory.mktemp("project")
    for path, text in FILES.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    (root / "pyproject.toml").write_text("")
    document = check_json("--fast", ".", cwd=root)
    return root, {model["name"]: model for model in document["models"]}


# Each code in a process of its own where there is fork, of which nothing is shared but that torch
# is loaded already: what it does not import has no name.
PLAIN = """
import json, os, sys
import torch
failed = 0
for code in json.load(sys.stdin):
    child = os.fork() if hasattr(os, "fork") else 0
    if child == 0:
        exec(compile(code, code, "exec"), {"__name__": "__main__"})
        sys.stdout.flush()
        if hasattr(os, "fork"):
            os._exit(0)
    else:
        failed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
        if failed:
            sys.exit("failed: " + code)
"""


def plain(codes: list[str], folder: Path) -> Done:
    """What Python makes of each of these in a folder."""
    return plain_python("-c", PLAIN, cwd=folder, stdin=json.dumps(codes))


def pasted(specimen: dict[str, Any]) -> str:
    """The code as a user would put it together."""
    lines = [*specimen["imports"], f"model = {specimen['build']}", f"out = {specimen['call']}"]
    return "\n".join([*lines, "print(sum(p.numel() for p in model.parameters()), len(out.shape))"])


def test_builds_and_calls_run_where_they_are_pasted(
    examined: tuple[Path, dict[str, Any]],
) -> None:
    """Each in its project, with the imports that are told, and of the size that was examined."""
    root, models = examined
    assert len(models) == 10, models.keys()
    for name, model in models.items():
        assert model["specimen"] is not None, (name, model["reasons"])
    specimens = [model["specimen"] for model in models.values()]
    done = plain([pasted(specimen) for specimen in specimens], root)
    assert done.err == ""
    printed = [line.split() for line in done.out.splitlines()]
    assert printed == [[str(specimen["parameters"]), "3"] for specimen in specimens]


def test_the_reference_models_can_be_pasted_too() -> None:
    """In their own folder."""
    built = [model for model in copied().found["models"] if model["specimen"] is not None]
    assert len(built) >= 2  # the import that one of them lacks is one of its bugs
    codes = [pasted(model["specimen"]).rpartition("\n")[0] for model in built]
    done = plain(codes, REFERENCE)
    assert done.code == 0, done.err

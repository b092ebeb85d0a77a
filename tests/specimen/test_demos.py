"""Models that no rule can build or call, and that their own demonstrations show how to."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.specimen.demos import demos_in
from tests.specimen.making import build

HEAD = """
ACTS = {{"swiglu-2": F.silu, "relu": F.relu}}

@dataclass
class Settings:
    flavour: object
    vocab_size: int = 50257
    n_embd: int = 768

class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.line = nn.Linear(dim, dim)

    def forward(self, x):
        return x + self.line(x)

class Model(nn.Module):
    def __init__(self, {parameters}):
        super().__init__()
{body}

    def run(self, x):
        return self.out(self.e(x))

    def layers(self, vocab_size, n_embd):
        self.e = nn.Embedding(vocab_size, n_embd)
        self.out = nn.Linear(n_embd, vocab_size)

    def forward(self, {inputs}):
{forward}

"""
MAIN = 'if __name__ == "__main__":\n'


def model(
    parameters: str, body: str, inputs: str = "x", forward: str = "return self.run(x)"
) -> str:
    """The text of a model's file."""
    indented = "\n".join(f"        {line}" for line in body.splitlines())
    inside = "\n".join(f"        {line}" for line in forward.splitlines())
    return HEAD.format(parameters=parameters, body=indented, inputs=inputs, forward=inside)


OPTION = model(
    "zing, vocab_size=50257, n_embd=768", "self.act = ACTS[zing]\nself.layers(vocab_size, n_embd)"
)
CASES = {
    "a string option": (
        OPTION + MAIN + '    model = Model("swiglu-2", 50257, n_embd=4096)\n',
        "Model(zing='swiglu-2', vocab_size=97, n_embd=64)",
    ),
    "an option behind names": (
        OPTION + MAIN + '    kind = "relu"\n    args = dict(zing=kind)\n'
        "    model = Model(**args).cuda()\n",
        "Model(zing='relu', vocab_size=97, n_embd=64)",
    ),
    "a factory": (
        OPTION + "def large(**more):\n    return Model('relu', n_embd=8192, **more)\n",
        "Model(zing='relu', vocab_size=97, n_embd=64)",
    ),
    "a nested configuration": (
        model(
            "cfg: Settings",
            "self.act = ACTS[cfg.flavour]\nself.layers(cfg.vocab_size, cfg.n_embd)",
        )
        + MAIN
        + "    cfg = Settings(flavour='relu', n_embd=1024)\n    net = Model(cfg)\n",
        "Model(Settings(flavour='relu', vocab_size=97, n_embd=64))",
    ),
    "a layer of torch's": (
        model(
            "shape, vocab_size=50257, n_embd=768",
            "assert isinstance(shape(), nn.GELU)\nself.layers(vocab_size, n_embd)",
        )
        + MAIN
        + "    Model(nn.GELU, vocab_size=11)\n",
        "Model(shape=nn.GELU, vocab_size=97, n_embd=64)",
    ),
    "a dictionary": (
        model(
            "spec",
            "self.act = ACTS[spec['zing']]\nself.layers(spec['vocab_size'], spec['n_embd'])",
        )
        + MAIN
        + "    Model({'zing': 'relu', 'vocab_size': 32000, 'n_embd': 2048})\n",
        "Model({'zing': 'relu', 'vocab_size': 97, 'n_embd': 64})",
    ),
}


@pytest.mark.parametrize(("text", "code"), CASES.values(), ids=CASES)
def test_a_demonstration_tells_what_no_rule_can_guess(tmp_path: Path, text: str, code: str) -> None:
    """Options and parts are as it shows them, and all sizes are small ones."""
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "built", construction.tried
    assert construction.build == code


@pytest.mark.parametrize(
    "demo",
    [
        '    """\n    >>> net = Model("relu", 50257)\n    """\n',
        '    """Use it.\n\n    ```py\n    net = Model("relu", vocab_size=9)\n    ```\n    """\n',
        '    """Example::\n\n        net = Model("relu")\n        net(x)\n\n    More.\n    """\n',
    ],
    ids=["prompt", "fence", "indented"],
)
def test_examples_in_docstrings_are_read(tmp_path: Path, demo: str) -> None:
    """At Python's prompt, in fences, and indented after two colons."""
    text = OPTION.replace("class Model(nn.Module):\n", "class Model(nn.Module):\n" + demo)
    construction, _ = build(tmp_path, text)
    assert construction.build.startswith("Model(zing='relu'"), construction.tried


@pytest.mark.parametrize("place", ["test_it.py", "tests/test_it.py", "tests/it_test.py"])
def test_tests_beside_the_file_are_read(tmp_path: Path, place: str) -> None:
    """Functions, fixtures and test cases that construct the class; they are part of the result."""
    test = tmp_path / place
    test.parent.mkdir(exist_ok=True)
    test.write_text(
        "import pytest, it\n\n@pytest.fixture\ndef net():\n"
        "    return it.Model('relu', vocab_size=13)\n\nraise SystemExit('never run')\n"
    )
    construction, _ = build(tmp_path, OPTION)
    assert construction.build.startswith("Model(zing='relu'"), construction.tried
    assert place in construction.read


def test_a_demonstration_is_never_run(tmp_path: Path) -> None:
    """Neither its statements nor calls among its arguments."""
    mark = tmp_path / "ran"
    text = OPTION + MAIN + f"    open({str(mark)!r}, 'w')\n"
    text += f"    Model('relu', n_embd=open({str(mark)!r}, 'w').write('x'))\n"
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "built", construction.tried
    assert not mark.exists()


def test_what_rules_can_build_is_built_by_rules(tmp_path: Path) -> None:
    """A demonstration at odd sizes changes nothing for a model that needs none."""
    plain = model("vocab_size=50257, n_embd=768", "self.layers(vocab_size, n_embd)")
    construction, _ = build(tmp_path, plain + MAIN + "    Model(vocab_size=4, n_embd=3)\n")
    assert construction.build == "Model(vocab_size=97, n_embd=64)"
    assert construction.read == ()


CALLS = {
    "a memory": (
        "x, zeal",
        "return self.run(x) + zeal.view(*x.shape, 64).sum(-1, keepdim=True)",
        "    x = torch.randint(0, 50257, (2, 16), device='cuda')\n"
        "    model(x, torch.randn(2, 16, 768).cuda())\n",
        "model(ids, torch.randn((B, T, 64)))",
    ),
    "a switch that must be given": (
        "x, mode",
        "assert mode == 'fast'\nreturn self.run(x)",
        "    model(torch.zeros(4, 8, dtype=torch.long), mode='fast')\n",
        "model(ids, mode='fast')",
    ),
}


@pytest.mark.parametrize(("inputs", "forward", "demo", "call"), CALLS.values(), ids=CALLS)
def test_a_demonstration_tells_how_it_is_called(
    tmp_path: Path, inputs: str, forward: str, demo: str, call: str
) -> None:
    """With B, T and small sizes in the place of its own."""
    body = "self.layers(vocab_size, n_embd)"
    text = model("vocab_size=50257, n_embd=768", body, inputs, forward)
    text += MAIN + "    model = Model(vocab_size=50257, n_embd=768)\n" + demo
    construction, made = build(tmp_path, text)
    assert construction.outcome == "built", construction.tried
    assert construction.expression == call
    assert made is not None
    assert made.only_at == ""


def test_broken_texts_teach_nothing() -> None:
    """A file that cannot be parsed, an example that is none, a class of another name."""
    assert demos_in("def (", "Model") == []
    assert demos_in('"""\n>>> x = \n>>> Model(\n"""', "Model") == []
    assert demos_in("Other(3)\n", "Model") == []


def test_odd_arguments_are_read_as_well() -> None:
    """Stars, slices, a name that stands for itself, a call of the call."""
    text = (
        "x = x\nkeys = [1, 2]\nmodel = Model(*keys, **more, a=keys[0:1])\n"
        "model(*keys, x[0:1])\nmodel = model(3)\nmodel(4)(5)\n"
    )
    [demo] = demos_in(text, "Model")
    assert len(demo.calls) >= 2


def test_wrong_guesses_are_not_held_against_a_model_that_is_shown(tmp_path: Path) -> None:
    """The crash of an option that nobody asked for is no crash at sane sizes."""
    construction, _ = build(tmp_path, OPTION + MAIN + "    Model('relu')\n")
    assert construction.outcome == "built"
    assert construction.failures == ()

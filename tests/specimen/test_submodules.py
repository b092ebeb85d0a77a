"""Modules that want other modules, in the ways that packages write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specimen.making import build

PARTS = """\
class Layers(nn.Module):
    def __init__(self, dim, depth, heads=8, causal=False):
        super().__init__()
        self.dim, self.causal = dim, causal
        self.layers = nn.ModuleList([nn.Linear(dim, dim) for _ in range(depth)])

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x)
        return x

class Encoder(Layers):
    pass

class Decoder(Layers):
    def __init__(self, **kwargs):
        super().__init__(**kwargs, causal=True)

class GPT(nn.Module):
    def __init__(self, num_tokens, layers: Layers):
        super().__init__()
        assert layers.causal
        self.e = nn.Embedding(num_tokens, layers.dim)
        self.layers = layers
        self.out = nn.Linear(layers.dim, num_tokens)

    def forward(self, x):
        return self.out(self.layers(self.e(x)))

"""
START = "class Model(nn.Module):\n    def __init__(self, {}):\n        super().__init__()\n"
FORWARD = "\n\n    def forward(self, ids):\n        return "
STYLES = {
    "a-base-of-which-one-child-decodes": PARTS.replace("class GPT", "class Model"),
    "net": PARTS
    + START.format("net, pad_value=0")
    + "        self.net, self.limit = net, net.layers.dim"
    + FORWARD
    + "self.net(ids)",
    "any-module-by-a-word-of-its-name": PARTS
    + START.format("n_vocab: int, d_model: int, decoder: nn.Module")
    + "        self.e, self.decoder = nn.Embedding(n_vocab, d_model), decoder\n"
    "        self.out = nn.Linear(d_model, n_vocab)"
    + FORWARD
    + "self.out(self.decoder(self.e(ids)))",
    "a-table-that-others-share": START.format("d_model: int, embed_tokens=None")
    + "        self.embed_tokens = embed_tokens\n"
    "        self.out = nn.Linear(d_model, 97 if embed_tokens is None else "
    "embed_tokens.num_embeddings)" + FORWARD + "self.out(self.embed_tokens(ids))",
    "a-part-by-how-it-is-called": PARTS
    + "class Gated(nn.Module):\n    def __init__(self, dim: int):\n        super().__init__()\n"
    "        self.gate = nn.Linear(dim, dim)\n"
    "    def forward(self, x, *, mask):\n        return x + self.gate(x) * mask\n\n"
    "class Idle(nn.Module):\n    pass\n\n"
    + START.format("n_vocab: int, d_model: int, layer: nn.Module, layers: int = 6")
    + "        self.e, self.out = nn.Embedding(n_vocab, d_model), nn.Linear(d_model, n_vocab)\n"
    "        self.layers = nn.ModuleList(layer for _ in range(layers))\n"
    "\n    def forward(self, ids):\n        x = self.e(ids)\n"
    "        for layer in self.layers:\n            x = layer(x, mask=0.5)\n"
    "        return self.out(x)",
    "layers-of-torch-by-name": START.format(
        "n_vocab: int, d_model: int, norm_f: nn.Module, out_proj: nn.Module, act_fn: nn.Module"
    )
    + "        self.e, self.norm, self.act = nn.Embedding(n_vocab, d_model), norm_f, act_fn\n"
    "        self.proj, self.out = out_proj, nn.Linear(d_model, n_vocab)"
    + FORWARD
    + "self.out(self.act(self.proj(self.norm(self.e(ids)))))",
    "layers-of-torch": START.format("table: nn.Embedding, norm: nn.LayerNorm, head: nn.Linear")
    + "        self.table, self.norm = table, norm\n"
    "        self.head = nn.Linear(norm.normalized_shape[0], table.num_embeddings)"
    + FORWARD
    + "self.head(self.norm(self.table(ids)))",
}


@pytest.mark.parametrize("style", STYLES)
def test_a_part_is_made_where_a_module_is_wanted(tmp_path: Path, style: str) -> None:
    """Of the class that is meant, with sizes that belong to those of the whole."""
    construction, _ = build(tmp_path, STYLES[style])
    assert construction.outcome == "built", construction.tried
    assert (construction.vocabulary, construction.returns) == (97, "logits")


def test_a_part_that_was_guessed_wrong_is_not_held_against_the_model(tmp_path: Path) -> None:
    """What it is called with may be right for the part that was meant."""
    text = (
        PARTS
        + START.format("n_vocab: int, d_model: int, decoder: nn.Module")
        + "        self.e, self.decoder = nn.Embedding(n_vocab, d_model), decoder"
        + FORWARD
        + "self.decoder(self.e(ids), None, None)"
    )
    construction, _ = build(tmp_path, text)
    assert (construction.outcome, construction.crash) == ("not-built", None)


def test_a_part_that_a_function_of_the_file_imports_is_found(tmp_path: Path) -> None:
    """As a file of experiments chooses its parts by options."""
    (tmp_path / "parts_of_its_own.py").write_text("from torch import nn\n" + PARTS)
    text = (
        "import sys\nsys.path.insert(0, str(__import__('pathlib').Path(__file__).parent))\n"
        + "def option():\n    from parts_of_its_own import Decoder as D\n    return D\n\n"
        + START.format("n_vocab: int, d_model: int, mixer: nn.Module")
        + "        self.e, self.mixer = nn.Embedding(n_vocab, d_model), mixer\n"
        + "        self.out = nn.Linear(d_model, n_vocab)"
        + FORWARD
        + "self.out(self.mixer(self.e(ids)))"
    )
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "built", construction.tried
    assert "Decoder(" in construction.build


BOTH_WAYS = (
    PARTS.split("class Encoder", maxsplit=1)[0]
    + """
class Net(nn.Module):
    def __init__(self, num_tokens, dim, depth, causal=False):
        super().__init__()
        self.e, self.layers = nn.Embedding(num_tokens, dim), Layers(dim, depth, causal=causal)
        self.out = nn.Linear(dim, num_tokens)

    def forward(self, x):
        return self.out(self.layers(self.e(x)))

class Model(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, ids):
        return self.net(ids)
"""
)


@pytest.mark.parametrize("typed", ["net", "net: Net"])
def test_a_wrapper_that_generates_is_given_a_causal_network(tmp_path: Path, typed: str) -> None:
    """A default of the network's own is no choice of who wraps it; other wrappers leave it."""
    plain = BOTH_WAYS.replace("self, net)", f"self, {typed})")
    writes = plain + "\n    def generate(self, ids, steps):\n        return self(ids)\n"
    assert "causal=True" in build(tmp_path, writes)[0].build
    construction, _ = build(tmp_path, plain)
    assert construction.outcome == "built"
    assert "causal" not in construction.build


CONFIGS = """
class Base:
    def __init__(self, hidden_width=4096, vocab_size=50000, layers=48):
        self.hidden_width, self.vocab_size, self.layers = hidden_width, vocab_size, layers

class Child(Base):
    def __init__(self, *args, flavour="sweet", layers=48, **kwargs):
        super().__init__(*args, layers=2, **kwargs)

class Model(nn.Module):
    {}
        super().__init__()
        assert isinstance(config, Base), "a Base, please"
        self.e = nn.Embedding(config.vocab_size, config.hidden_width)
        self.out = nn.Linear(config.hidden_width, config.vocab_size)

    def forward(self, ids):
        return self.out(self.e(ids))
"""


@pytest.mark.parametrize(
    "head",
    [
        "def __init__(self, config: Child):",
        "config_class = Child\n\n    def __init__(self, config):",
        "def __init__(self, config: 'Child | Base'):",
    ],
    ids=["handed-on-to-its-base", "told-by-the-model", "one-of-two"],
)
def test_the_configuration_that_is_meant_is_made(tmp_path: Path, head: str) -> None:
    """Small, also where its sizes are those of a base that takes the rest of its arguments."""
    text = CONFIGS.format(head).replace("Child", "ChildConfig").replace("Base", "BaseConfig")
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "built", construction.tried
    assert construction.parameters < 50_000


def test_a_configuration_that_sets_what_it_pops_is_recognised(tmp_path: Path) -> None:
    """By the names of the attributes that its constructor sets; -1 is no vocabulary."""
    text = """
class ToyConfig:
    def __init__(self, **kwargs):
        self.width = kwargs.pop("width", 768)
        self.vocab_size = kwargs.pop("vocab_size", -1)
        self.activation_fn = kwargs.pop("activation_fn", "swish")

class Model(nn.Module):
    def __init__(self, args, **kwargs):
        super().__init__(**kwargs)
        if args.activation_fn != "swish":
            raise NotImplementedError
        self.e = nn.Embedding(args.vocab_size, args.width)
        self.out = nn.Linear(args.width, args.vocab_size)

    def forward(self, ids):
        return self.out(self.e(ids))
"""
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "built", construction.tried
    assert "ToyConfig" in construction.build


def test_a_class_that_a_check_named_is_not_held_to_be_complete(tmp_path: Path) -> None:
    """A bare base satisfies the check, and lacks what the model reads: by our fault."""
    text = """
class Base:
    pass

class Model(nn.Module):
    def __init__(self, thing):
        super().__init__()
        assert isinstance(thing, Base)
        self.e = nn.Embedding(thing.vocabulary, 8)

    def forward(self, ids):
        return self.e(ids)
"""
    construction, _ = build(tmp_path, text)
    assert (construction.outcome, construction.crash) == ("not-built", None)


def test_a_part_that_may_be_left_out_and_is_wanted_all_the_same_is_our_omission(
    tmp_path: Path,
) -> None:
    """Whoever builds the model is to give it; that we did not is no crash of the model's."""
    text = (
        START.format("n_vocab: int, d_model: int, mixer=None")
        + "        self.e, self.mixer = nn.Embedding(n_vocab, d_model), mixer"
        + FORWARD
        + "self.mixer(self.e(ids))"
    )
    construction, _ = build(tmp_path, text)
    assert (construction.outcome, construction.crash) == ("not-built", None)

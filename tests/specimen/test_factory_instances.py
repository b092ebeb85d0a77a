"""Models that are made by a function, or by a method of their class."""

from __future__ import annotations

from pathlib import Path

from tests.specimen.making import build

DECODER = """
class Decoder(nn.Module):
    def __init__(self, emb: nn.Module, layers: list, head: nn.Module):
        super().__init__()
        self.emb, self.layers, self.head = emb, nn.ModuleList(layers), head

    @classmethod
    def from_sizes(cls, vocab_size: int = 50000, dim: int = 4096, depth: int = 48):
        return cls(nn.Embedding(vocab_size, dim), [nn.Linear(dim, dim)] * depth,
                   nn.Linear(dim, vocab_size))

    def forward(self, ids):
        x = self.emb(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)
"""


def test_a_function_is_called_with_small_sizes(tmp_path: Path) -> None:
    """Whatever class it makes the model of."""
    text = (
        "def create(vocab_size, dim=4096):\n"
        "    return nn.Sequential(nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size))\n"
    )
    construction, made = build(tmp_path, text, name="create")
    assert made is not None
    assert construction.build == "create(vocab_size=97, dim=64)"
    assert (construction.outcome, construction.vocabulary) == ("built", 97)


def test_a_class_method_makes_what_the_constructor_cannot(tmp_path: Path) -> None:
    """Its code names the class."""
    construction, made = build(tmp_path, DECODER, name="Decoder.from_sizes")
    assert made is not None
    assert construction.build == "Decoder.from_sizes(vocab_size=97, dim=64, depth=2)"


def test_a_function_that_reads_a_dictionary_is_given_one(tmp_path: Path) -> None:
    """The keys are those that it reads."""
    text = (
        "def create(cfg):\n    v, d = cfg['vocab_size'], cfg['emb_dim']\n"
        "    return nn.Sequential(nn.Embedding(v, d), nn.Linear(d, v))\n"
    )
    construction, made = build(tmp_path, text, name="create")
    assert made is not None
    assert construction.build == "create({'emb_dim': 64, 'vocab_size': 97})"


def test_a_function_that_makes_no_module_is_said_to_be_so(tmp_path: Path) -> None:
    """It may make something else for small sizes, or nothing at all."""
    construction, made = build(tmp_path, "def create(vocab_size): pass\n", name="create")
    assert made is None
    assert construction.outcome == "not-built"
    assert "no torch.nn.Module" in construction.tried[0]

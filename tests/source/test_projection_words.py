"""What the words of a class say of a projection to a vocabulary."""

from __future__ import annotations

import pytest

from gptdoctor.source.projection_words import fit, layers_of, words_of


@pytest.mark.parametrize(
    "text",
    [
        "self.head = nn.Linear(dim, vocab_size)",
        "self.head = nn.Linear(\n    dim,  # (wide\n    n_words,\n)",
        "self.head = nn.Conv1d(dim, config.num_tokens, 1)",
        "self.head = (MyLinear)(dim, out_features=sizes[vocab])",
        "return x @ self.wte.weight.T",
        "self.head.weight = self.embed_tokens.weight",
    ],
)
def test_layers_of_counts_and_weights_of_tables_project(text: str) -> None:
    """Whatever tables there are."""
    assert words_of(text).projects


@pytest.mark.parametrize(
    "text",
    [
        "vocab_size = 1\nself.up = nn.Linear(dim, 4 * dim)",
        "if isinstance(module, nn.Linear): return vocab_size",
        "self.wte = nn.Embedding(vocab_size, dim)",
        'tied = {"head.weight": "model.embed_tokens.weight"}',
    ],
)
def test_half_of_it_projects_nothing(text: str) -> None:
    """A layer alone, a count alone, a question, and a key."""
    assert not words_of(text).projects


@pytest.mark.parametrize(
    ("table", "layer", "fits"),
    [
        ("nn.Embedding(size, dim)", "nn.Linear(dim, size)", True),
        ("nn.Embedding(config.size, dim)", "nn.Linear(dim, self.size)", True),
        ("nn.Embedding(sizes[0], dim)", "nn.Linear(dim, size)", True),
        ("nn.Embedding(100, dim)", "nn.Linear(dim, 100)", True),
        ("nn.Embedding(50000, dim)", "nn.Linear(dim, 50_000)", True),
        ("nn.Embedding(size, dim)", "nn.Linear(dim, 'size')", True),
        ("VocabParallelEmbedding(size, dim)", "nn.Linear(dim, size)", True),
        ("nn.Embedding(size, dim)", "nn.Linear(dim, dim)", False),
        ("nn.Embedding(max_pos, dim)", "nn.Linear(dim, max_pos)", False),
        ("nn.Embedding(size + 1, dim)", "nn.Linear(dim, size)", False),
        ("PatchEmbedding(size, dim)", "nn.Linear(dim, size)", False),
    ],
)
def test_a_layer_of_the_size_of_a_table_fits(table: str, layer: str, fits: bool) -> None:
    """As far as its words tell: what they do not say plainly fits."""
    assert fit(words_of(table).tables, layers_of(layer)) is fits

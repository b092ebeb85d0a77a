"""What is given for the parameters of an entry that must be given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specimen.making import specimen

HEAD = """
class Mask:
    def __init__(self, mask: torch.Tensor):
        assert mask.dtype == torch.bool
        self.mask = mask

class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.segments = nn.Embedding(3, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab_size)
"""
STATE = """
    def init_hidden(self, batch_size):
        return torch.zeros(1, batch_size, self.mix.hidden_size)

    def forward(self, ids, hidden):
        x, hidden = self.mix(self.e(ids), hidden + 0)
        return self.out(x), hidden
"""
SEGMENTS = """
    def forward(self, ids, segment_info):
        return self.out(self.e(ids) + self.segments(segment_info))
"""
TYPED_MASK = """
    def forward(self, ids, attention_mask: Mask):
        return self.out(self.e(ids) * attention_mask.mask[..., None])
"""
NUMBERS = """
    def forward(self, ids, x_num):
        return self.out(self.e(ids) * x_num.softmax(-1)[..., None])
"""
LENGTHS = """
    def forward(self, ids, seq_lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.e(ids), seq_lengths, batch_first=True, enforce_sorted=False
        )
        states = nn.utils.rnn.pad_packed_sequence(self.mix(packed)[0], batch_first=True)[0]
        return self.out(states)
"""
LABELS = """
    def forward(self, ids, labels=None):
        if labels is None:
            raise ValueError("labels, please")
        return F.cross_entropy(self.out(self.e(ids)).flatten(0, 1), labels.flatten())
"""
SWITCH = """
    def forward(self, ids, return_loss=False):
        logits = self.out(self.e(ids))
        return F.cross_entropy(logits.flatten(0, 1), ids.flatten()) if return_loss else logits
"""


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (STATE, "hidden=model.init_hidden(batch_size=3)"),
        (SEGMENTS, "segment_info=torch.randint(3, (3, 7))"),
        (TYPED_MASK, "attention_mask=Mask(torch.ones((3, 7), dtype=torch.bool))"),
        (NUMBERS, "x_num=torch.randn(3, 7)"),
        (LENGTHS, "seq_lengths=torch.full((3,), 7)"),
    ],
    ids=["state", "segments", "mask-of-a-class", "numbers", "lengths"],
)
def test_what_must_be_given_is_found(tmp_path: Path, text: str, written: str) -> None:
    """And written as code; the probes can run it at other sizes."""
    made = specimen(tmp_path, HEAD + text)
    assert written in made.construction.call
    assert made.call(made.copy(), made.make_inputs(2, 5, 1)).logits.shape == (2, 5, 97)


@pytest.mark.parametrize("text", [LABELS, SWITCH], ids=["labels", "switch"])
def test_a_loss_that_must_be_asked_for_is_the_models_own(tmp_path: Path, text: str) -> None:
    """Labels that a refusal asks for, or a switch that makes the entry return its loss."""
    made = specimen(tmp_path, HEAD + text)
    assert made.objective == "own loss"
    assert made.loss(made.copy(), made.inputs()).requires_grad


def test_numbers_beside_one_token_a_row_are_one_a_row(tmp_path: Path) -> None:
    """As of a graph: one entity, one relation and another entity in each row."""
    text = """
    def forward(self, head, relation, tail):
        return (self.e(head) * self.segments(relation) * self.e(tail)).sum(-1)
"""
    head = HEAD.replace("nn.Embedding(3, dim)", "nn.Parameter(torch.randn(2, dim, dim))")
    text = text.replace("self.segments(relation)", "self.segments[relation].sum(-1)")
    text = text.replace("return (", "assert head.dim() == 1\n        return (")
    made = specimen(tmp_path, head + text)
    assert "relation=torch.randint(2, (3,))" in made.construction.call

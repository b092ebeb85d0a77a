"""GD817: what tells that the batch comes first."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import math
from collections import defaultdict

import torch
import torch.nn.functional as F
from torch import nn


"""
CASES = {
    "comments, states, docstrings, results": (
        "GD817",
        """
        class A(nn.Module):
            def __init__(self, v, e, h, c, layers=2):
                super().__init__()
                self.layers, self.h = layers, h
                self.embedding = nn.Embedding(v, e)
                self.lstm = nn.LSTM(e, h, layers)  # here
                self.fc = nn.Linear(h, c)
            def forward(self, x):
                emb = self.embedding(x)  # (batch, seq_len, e)
                out, (hn, cn) = self.lstm(emb)
                return self.fc(hn[-1])

        class B(nn.Module):
            def __init__(self, e, h, c, layers=2):
                super().__init__()
                self.layers, self.h = layers, h
                self.gru = nn.GRU(e, h, layers)  # here
                self.fc = nn.Linear(h, c)
            def forward(self, x):
                h0 = torch.zeros(self.layers, x.size(0), self.h).to(x.device)
                out, hn = self.gru(x, h0)
                return self.fc(hn[-1])

        class C(nn.Module):
            def __init__(self, v, d, c):
                super().__init__()
                self.embed = nn.Embedding(v, d)
                layer = nn.TransformerEncoderLayer(d_model=d, nhead=4)  # here
                self.encoder = nn.TransformerEncoder(layer, num_layers=2)
                self.fc = nn.Linear(d, c)
            def forward(self, x):
                '''
                Args:
                    x: (batch, seq_len)
                '''
                x = self.embed(x)
                x = self.encoder(x)
                return self.fc(x[-1])

        class D(nn.Module):
            def __init__(self, v, d, c):
                super().__init__()
                self.embed = nn.Embedding(v, d)
                self.pos = PositionalEncoding(d)
                self.attn = nn.MultiheadAttention(d, 4)  # here
                self.norm = nn.LayerNorm(d)
                self.fc = nn.Linear(d, c)
            def forward(self, x):
                x = self.pos(self.embed(x))
                a, _ = self.attn(x, x, x)
                x = self.norm(a)
                return self.fc(x.mean(dim=1))

        class H1(nn.Module):
            def __init__(self, d, c):
                super().__init__()
                self.lstm = nn.LSTM(d, d)
                self.fc = nn.Linear(d, c)
            def forward(self, x):
                # x: (batch, seq, d)
                x = x.transpose(0, 1)
                out, _ = self.lstm(x)
                return self.fc(out[-1])

        class H2(nn.Module):
            def __init__(self, d, c):
                super().__init__()
                self.lstm = nn.LSTM(d, d)
                self.fc = nn.Linear(d, c)
            def forward(self, sentence):
                e = self.embed(sentence)
                out, _ = self.lstm(e.view(len(sentence), 1, -1))
                return self.fc(out[:, -1])

        class H3(nn.Module):
            def __init__(self, d, c):
                super().__init__()
                self.lstm = nn.LSTM(d, d)
            def forward(self, x):
                # (seq, batch, d)
                out, _ = self.lstm(x)
                return out[-1]
        """,
    ),
    "time first by a comment": (
        "GD817",
        """
        class Sent(nn.Module):
            def __init__(self, v, d, c):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.lstm = nn.LSTM(d, d)
                self.o = nn.Linear(d, c)
            def forward(self, text, lengths):
                # text: [seq_len, batch]
                e = self.e(text)
                packed = nn.utils.rnn.pack_padded_sequence(e, lengths)
                out, (h, _) = self.lstm(packed)
                return self.o(h[-1])
        """,
    ),
    "turned before and behind": (
        "GD817",
        """
        class Sent(nn.Module):
            def __init__(self, v, d, c):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.lstm = nn.LSTM(d, d)
                self.o = nn.Linear(d, c)
            def forward(self, x):
                # x: (batch, seq)
                x = self.e(x).permute(1, 0, 2)
                out, _ = self.lstm(x)
                out = out.permute(1, 0, 2)
                return self.o(out[:, -1, :])
        """,
    ),
}


@pytest.mark.parametrize(("code", "body"), CASES.values(), ids=CASES)
def test_the_marked_lines_and_no_others(code: str, body: str) -> None:
    """Healthy texts have no mark."""
    text = HEAD + plain(body)
    assert lines_of(code, text) == marked(text)

"""GD801 and GD806: what lets a position see later ones, and what a mask hides."""

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
    "a convolution, a list of layers, a mean": (
        "GD801",
        """
        class SmallLM(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.embed = nn.Embedding(v, d)
                self.pos = nn.Embedding(128, d)
                made = [nn.TransformerEncoderLayer(d, 4, batch_first=True) for _ in range(3)]
                self.layers = nn.ModuleList(made)
                self.head = nn.Linear(d, v)
            def forward(self, x):
                h = self.embed(x) + self.pos(torch.arange(x.size(1), device=x.device)[None])
                for layer in self.layers:
                    h = layer(h)  # here
                return self.head(h)

        class CausalConv(nn.Module):
            def __init__(self, d, k):
                super().__init__()
                self.conv = nn.Conv1d(d, d, k, padding="same")  # here
            def forward(self, x):
                return self.conv(x)

        class Mix(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.embed = nn.Embedding(v, d)
                self.gate = nn.Linear(d, d)
            def forward(self, x):
                x = self.embed(x)
                ctx = x.mean(1)  # here
                g = torch.sigmoid(self.gate(ctx))
                return x * g.unsqueeze(1)

        def train(model, loader, opt):
            for batch in loader:
                x, y = batch[:, :-1], batch[:, 1:]
                logits = model(x)
                loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), y.reshape(-1))
                loss.backward()
        """,
    ),
    "both ways": (
        "GD801",
        """
        class WordLM(nn.Module):
            '''Predicts the next word.'''
            def __init__(self, vocab, dim=64):
                super().__init__()
                self.emb = nn.Embedding(vocab, dim)
                self.lstm = nn.LSTM(dim, dim, batch_first=True, bidirectional=True)  # here
                self.out = nn.Linear(dim * 2, vocab)
            def forward(self, x):
                h, _ = self.lstm(self.emb(x))
                return self.out(h)
        def train(model, data, opt):
            criterion = nn.CrossEntropyLoss()
            for batch in data:
                inp, tgt = batch[:, :-1], batch[:, 1:]
                out = model(inp)
                loss = criterion(out.reshape(-1, out.size(-1)), tgt.reshape(-1))
                opt.zero_grad(); loss.backward(); opt.step()
        """,
    ),
    "an encoder of torch": (
        "GD801",
        """
        class MiniGPT(nn.Module):
            def __init__(self, vocab_size, d_model=64, nhead=4, num_layers=2, max_len=128):
                super().__init__()
                self.token_emb = nn.Embedding(vocab_size, d_model)
                self.pos_emb = nn.Parameter(torch.zeros(1, max_len, d_model))
                encoder_layer = nn.TransformerEncoderLayer(d_model, nhead, batch_first=True)
                self.transformer = nn.TransformerEncoder(encoder_layer, num_layers=num_layers)
                self.head = nn.Linear(d_model, vocab_size)
            def forward(self, idx, targets=None):
                b, t = idx.shape
                x = self.token_emb(idx) + self.pos_emb[:, :t]
                x = self.transformer(x)  # here
                logits = self.head(x)
                loss = None
                if targets is not None:
                    loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
                return logits, loss
            @torch.no_grad()
            def generate(self, idx, n):
                for _ in range(n):
                    logits, _ = self(idx)
                    probs = F.softmax(logits[:, -1, :], dim=-1)
                    idx = torch.cat((idx, torch.multinomial(probs, 1)), dim=1)
                return idx
        """,
    ),
    "told not to be causal": (
        "GD801",
        """
        class Att(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.h = h
                self.qkv = nn.Linear(d, 3 * d)
                self.proj = nn.Linear(d, d)
            def forward(self, x):
                B, T, C = x.shape
                q, k, v = self.qkv(x).view(B, T, 3, self.h, C // self.h).permute(2, 0, 3, 1, 4)
                y = F.scaled_dot_product_attention(q, k, v, is_causal=False)  # here
                return self.proj(y.transpose(1, 2).reshape(B, T, C))
        class GPT(nn.Module):
            def __init__(self, vocab, d=64, n=2):
                super().__init__()
                self.wte = nn.Embedding(vocab, d)
                self.blocks = nn.ModuleList([Att(d, 4) for _ in range(n)])
                self.head = nn.Linear(d, vocab)
            def forward(self, idx):
                x = self.wte(idx)
                for b in self.blocks:
                    x = x + b(x)
                return self.head(x)
        def step(model, ids, opt):
            logits = model(ids)[:, :-1]
            loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
            loss.backward()
        """,
    ),
    "shifted back": (
        "GD801",
        """
        class TokenShift(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.mix = nn.Parameter(torch.full((d,), 0.5))
                self.fc = nn.Linear(d, d)
            def forward(self, x):
                shifted = torch.cat([x[:, 1:], x[:, -1:]], dim=1)  # here
                return self.fc(x * self.mix + shifted * (1 - self.mix))
        class RWKVish(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.t = TokenShift(d)
                self.h = nn.Linear(d, v)
            def forward(self, ids):
                return self.h(self.t(self.e(ids)))
            def loss(self, ids):
                logits = self(ids[:, :-1])
                return F.cross_entropy(logits.transpose(1, 2), ids[:, 1:])
        """,
    ),
    "a convolution that is cut": (
        "GD801",
        """
        class ConvLM(nn.Module):
            def __init__(self, v, d, k=3):
                super().__init__()
                self.k = k
                self.e = nn.Embedding(v, d)
                self.conv = nn.Conv1d(d, d, k, padding=k - 1)
                self.o = nn.Linear(d, v)
            def forward(self, x):
                h = self.conv(self.e(x).transpose(1, 2))[:, :, :x.size(1)]
                return self.o(h.transpose(1, 2))
            def loss(self, x):
                return F.cross_entropy(self(x[:, :-1]).transpose(1, 2), x[:, 1:])
        """,
    ),
    "a mask, and a classifier beside it": (
        "GD801",
        """
        class SmallGPT(nn.Module):
            '''A GPT.'''
            def __init__(self, v, d):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.pos = nn.Embedding(64, d)
                layer = nn.TransformerEncoderLayer(d, 4, batch_first=True)
                self.enc = nn.TransformerEncoder(layer, 2)
                self.o = nn.Linear(d, v)
            def forward(self, x, targets=None):
                n = x.size(1)
                m = nn.Transformer.generate_square_subsequent_mask(n, device=x.device)
                h = self.e(x) + self.pos(torch.arange(n, device=x.device))
                logits = self.o(self.enc(h, m, is_causal=True))
                if targets is None:
                    return logits
                return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        class Scorer(nn.Module):
            def __init__(self, v, d, num_classes):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.rnn = nn.GRU(d, d, batch_first=True, bidirectional=True)
                self.o = nn.Linear(2 * d, num_classes)
            def forward(self, x):
                h = self.rnn(self.e(x))[0]
                return self.o(h.mean(dim=1))
        """,
    ),
    "one way, and a mean of channels": (
        "GD801",
        """
        class LSTMLM(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.rnn = nn.LSTM(d, d, batch_first=True)
                self.norm = nn.LayerNorm(d)
                self.o = nn.Linear(d, v)
            def forward(self, x, state=None):
                h, state = self.rnn(self.e(x), state)
                h = h - h.mean(dim=-1, keepdim=True)
                return self.o(self.norm(h)), state
            def loss(self, x):
                logits, _ = self(x[:, :-1])
                return F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten())
            @torch.no_grad()
            def generate(self, x, n):
                state = None
                inp = x
                for _ in range(n):
                    logits, state = self(inp, state)
                    inp = torch.multinomial(logits[:, -1].softmax(-1), 1)
                    x = torch.cat([x, inp], dim=1)
                return x
        """,
    ),
    "masks that nobody gives": (
        "GD801",
        """
        class Block(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
                self.attn = nn.MultiheadAttention(d, h, batch_first=True)
                self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
            def forward(self, x, mask=None):
                h = self.ln1(x)
                x = x + self.attn(h, h, h, attn_mask=mask, need_weights=False)[0]  # here
                return x + self.mlp(self.ln2(x))
        class ByHand(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
            def forward(self, x, mask=None):
                s = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(x.size(-1))
                if mask is not None:
                    s = s.masked_fill(mask == 0, float("-inf"))
                return F.softmax(s, dim=-1) @ self.v(x)  # here
        class GPT(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.blocks = nn.ModuleList([Block(d, 4) for _ in range(2)])
                self.last = ByHand(d)
                self.o = nn.Linear(d, v)
            def forward(self, ids):
                x = self.e(ids)
                for block in self.blocks:
                    x = block(x)
                return self.o(self.last(x))
        def train(model, ids):
            logits = model(ids[:, :-1])
            return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        """,
    ),
    "masks that somebody gives": (
        "GD801",
        """
        class Block(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
                self.attn = nn.MultiheadAttention(d, h, batch_first=True)
                self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
            def forward(self, x, mask=None):
                h = self.ln1(x)
                x = x + self.attn(h, h, h, attn_mask=mask, need_weights=False)[0]
                return x + self.mlp(self.ln2(x))
        class ByHand(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
            def forward(self, x, mask=None):
                s = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(x.size(-1))
                if mask is not None:
                    s = s.masked_fill(mask == 0, float("-inf"))
                return F.softmax(s, dim=-1) @ self.v(x)
        class GPT(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.blocks = nn.ModuleList([Block(d, 4) for _ in range(2)])
                self.last = ByHand(d)
                self.o = nn.Linear(d, v)
            def forward(self, ids):
                x = self.e(ids)
                for block in self.blocks:
                    x = block(x, self.mask(ids))
                return self.o(self.last(x, self.mask(ids)))
        def train(model, ids):
            logits = model(ids[:, :-1])
            return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        """,
    ),
    "the diagonal as well": (
        "GD806",
        """
        class A(nn.Module):
            def __init__(self, d, T):
                super().__init__()
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
                self.register_buffer("mask", torch.triu(torch.ones(T, T)).bool())  # here
            def forward(self, x):
                T = x.size(1)
                s = self.q(x) @ self.k(x).transpose(-2, -1) / x.size(-1) ** 0.5
                s = s.masked_fill(self.mask[:T, :T], float("-inf"))
                return F.softmax(s, dim=-1) @ self.v(x)
        """,
    ),
    "a helper, given by the caller": (
        "GD806",
        """
        def subsequent_mask(size):
            return torch.tril(torch.ones(1, size, size), diagonal=-1) == 1  # here
        class Attn(nn.Module):
            def forward(self, q, k, v, mask=None):
                s = torch.matmul(q, k.transpose(-2, -1)) / q.size(-1) ** 0.5
                if mask is not None:
                    s = s.masked_fill(mask == 0, -1e9)
                return torch.matmul(s.softmax(-1), v)
        class Dec(nn.Module):
            def __init__(self, d, v):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.q = nn.Linear(d, d)
                self.attn = Attn()
            def forward(self, ids):
                x = self.e(ids)
                mask = subsequent_mask(ids.size(1))
                return self.attn(self.q(x), x, x, mask)
        """,
    ),
    "a helper that is right": (
        "GD806",
        """
        def later(n, device=None):
            i = torch.arange(n, device=device)
            return i[:, None] < i[None, :]
        class LM(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.e = nn.Embedding(v, d)
                made = (nn.TransformerEncoderLayer(d, 4, batch_first=True) for _ in range(2))
                self.layers = nn.ModuleList(made)
                self.o = nn.Linear(d, v)
            def forward(self, ids):
                m = later(ids.size(1), ids.device)
                pad = ids.eq(0)
                x = self.e(ids)
                for layer in self.layers:
                    x = layer(x, src_mask=m, src_key_padding_mask=pad)
                return self.o(x)
        """,
    ),
}


@pytest.mark.parametrize(("code", "body"), CASES.values(), ids=CASES)
def test_the_marked_lines_and_no_others(code: str, body: str) -> None:
    """Healthy texts have no mark."""
    text = HEAD + plain(body)
    assert lines_of(code, text) == marked(text)

"""GD811 to GD816: masks of padding, masks of helpers, and masks that nobody reads."""

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
    "added to scores": (
        "GD811",
        """
        class CausalSelfAttention(nn.Module):
            def __init__(self, d, h, T):
                super().__init__()
                self.h = h
                self.c_attn = nn.Linear(d, 3 * d)
                self.register_buffer("bias", torch.tril(torch.ones(T, T)).view(1, 1, T, T))
            def forward(self, x):
                B, T, C = x.size()
                q, k, v = self.c_attn(x).split(C, dim=2)
                q = q.view(B, T, self.h, -1).transpose(1, 2)
                k = k.view(B, T, self.h, -1).transpose(1, 2)
                v = v.view(B, T, self.h, -1).transpose(1, 2)
                att = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
                att = att + self.bias[:, :, :T, :T]  # here
                return F.softmax(att, dim=-1) @ v
        """,
    ),
    "of padding, as numbers": (
        "GD811",
        """
        class Enc(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.e = nn.Embedding(v, d)
                self.attn = nn.MultiheadAttention(d, 4, batch_first=True)
            def forward(self, input_ids, attention_mask):
                x = self.e(input_ids)
                y, _ = self.attn(x, x, x, key_padding_mask=attention_mask.float())  # here
                return y
        """,
    ),
    "of a method": (
        "GD811",
        """
        class LM(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.e = nn.Embedding(v, d)
                layer = nn.TransformerEncoderLayer(d, 4, batch_first=True)
                self.enc = nn.TransformerEncoder(layer, 2)
                self.o = nn.Linear(d, v)
            def make_mask(self, n):
                return torch.triu(torch.ones(n, n), diagonal=1)
            def forward(self, ids):
                mask = self.make_mask(ids.size(1)).to(ids.device)
                return self.o(self.enc(self.e(ids), mask=mask))  # here
        """,
    ),
    "padding, both ways round": (
        "GD812",
        """
        class A(nn.Module):
            def __init__(self, v, d):
                super().__init__()
                self.embed = nn.Embedding(v, d, padding_idx=0)
                self.attn = nn.MultiheadAttention(d, 4, batch_first=True)
                layer = nn.TransformerEncoderLayer(d, 4, batch_first=True)
                self.enc = nn.TransformerEncoder(layer, 2)
            def one(self, input_ids, attention_mask):
                x = self.embed(input_ids)
                return self.enc(x, src_key_padding_mask=attention_mask.bool())  # here
            def two(self, input_ids, attention_mask):
                x = self.embed(input_ids)
                return self.attn(x, x, x, key_padding_mask=attention_mask == 1)  # here
            def three(self, x, lengths):
                mask = torch.arange(x.size(1), device=x.device)[None, :] < lengths[:, None]
                return self.attn(x, x, x, key_padding_mask=mask)  # here
            def four(self, q, k, v, ids):
                pad = (ids == self.pad_id)[:, None, None, :]
                return F.scaled_dot_product_attention(q, k, v, attn_mask=pad)  # here
            def make(self, ids):
                return (ids != 0)
            def five(self, ids, q, k, v):
                m = self.make(ids)
                s = q @ k.transpose(-2, -1) / 8
                s = s.masked_fill(m.unsqueeze(1), float("-inf"))  # here
                return s.softmax(-1) @ v
            def h1(self, input_ids, attention_mask):
                x = self.embed(input_ids)
                return self.enc(x, src_key_padding_mask=attention_mask == 0)
            def h2(self, input_ids, attention_mask):
                x = self.embed(input_ids)
                return self.enc(x, src_key_padding_mask=~attention_mask.bool())
            def h3(self, x, lengths):
                mask = torch.arange(x.size(1), device=x.device)[None, :] >= lengths[:, None]
                return self.attn(x, x, x, key_padding_mask=mask)
            def h4(self, q, k, v, ids):
                keep = (ids != self.pad_id)[:, None, None, :]
                return F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
            def h5(self, ids, q, k, v):
                m = self.make(ids)
                s = q @ k.transpose(-2, -1) / 8
                s = s.masked_fill(~m.unsqueeze(1), float("-inf"))
                return s.softmax(-1) @ v
            def h6(self, x, src_key_padding_mask=None):
                return self.enc(x, src_key_padding_mask=src_key_padding_mask)
            def h7(self, input_ids, attention_mask):
                x = self.embed(input_ids)
                return self.enc(x, src_key_padding_mask=(1 - attention_mask).bool())
            def h8(self, input_ids, attention_mask):
                x = self.embed(input_ids)
                return self.enc(x, src_key_padding_mask=attention_mask.logical_not())
            def h9(self, ids, q, k, v):
                s = q @ k.transpose(-2, -1) / 8
                s = torch.where((ids != 0)[:, None], s, float("-inf"))
                return s.softmax(-1) @ v
        """,
    ),
    "in a loop over layers": (
        "GD812",
        """
        class Enc(nn.Module):
            def __init__(self, v, d, pad_id=0):
                super().__init__()
                self.pad_id = pad_id
                self.e = nn.Embedding(v, d)
                made = (nn.TransformerEncoderLayer(d, 4, batch_first=True) for _ in range(2))
                self.layers = nn.ModuleList(made)
            def forward(self, ids):
                keep = ids != self.pad_id
                x = self.e(ids)
                for layer in self.layers:
                    x = layer(x, src_key_padding_mask=keep)  # here
                return x
        """,
    ),
    "of a function": (
        "GD812",
        """
        def make_causal(n, device=None):
            return torch.triu(torch.ones(n, n, dtype=torch.bool, device=device), diagonal=1)
        class Attn(nn.Module):
            def __init__(self, d, h):
                super().__init__()
                self.h = h
                self.qkv = nn.Linear(d, 3 * d)
            def forward(self, x):
                b, n, d = x.shape
                q, k, v = self.qkv(x).reshape(b, n, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
                return F.scaled_dot_product_attention(q, k, v, attn_mask=make_causal(n))  # here
        """,
    ),
    "of a buffer": (
        "GD812",
        """
        class Enc(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.attn = nn.MultiheadAttention(d, 4, batch_first=True)
                self.register_buffer("mask", torch.tril(torch.ones(64, 64)).bool())
            def forward(self, x):
                n = x.size(1)
                return self.attn(x, x, x, attn_mask=self.mask[:n, :n])[0]  # here
        """,
    ),
    "minus infinity behind": (
        "GD813",
        """
        class Attn(nn.Module):
            def __init__(self, d, T):
                super().__init__()
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
                self.register_buffer("mask", torch.tril(torch.ones(T, T)))
            def forward(self, x):
                T = x.size(1)
                w = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(x.size(-1))
                w = torch.softmax(w, dim=-1)
                w = w.masked_fill(self.mask[:T, :T] == 0, float("-inf"))  # here
                return w @ self.v(x)
        """,
    ),
    "a pooling": (
        "GD813",
        """
        class Pool(nn.Module):
            def __init__(self, d, pad=0):
                super().__init__()
                self.e = nn.Embedding(100, d)
                self.s = nn.Linear(d, 1)
                self.pad = pad
            def forward(self, ids):
                x = self.e(ids)
                a = torch.softmax(self.s(x).squeeze(-1), dim=1)
                a = a * (ids != self.pad).float()  # here
                return (a.unsqueeze(-1) * x).sum(1)
        """,
    ),
    "hidden before, or summed again": (
        "GD813",
        """
        class A(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
            def forward(self, x, ids):
                pad = ids == 0
                s = self.q(x) @ self.k(x).transpose(1, 2) / 8
                s = s.masked_fill(pad[:, None, :], float("-inf"))
                w = s.softmax(-1).masked_fill(pad[:, :, None], 0.0)
                return w @ self.v(x)
        class B(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.s = nn.Linear(d, 1)
            def forward(self, x, lengths):
                valid = torch.arange(x.size(1), device=x.device)[None] < lengths[:, None]
                w = torch.softmax(self.s(x).squeeze(-1), 1) * valid
                w = w / w.sum(1, keepdim=True).clamp(min=1e-6)
                return (w[..., None] * x).sum(1)
        """,
    ),
    "a product of scores": (
        "GD814",
        """
        class Attn(nn.Module):
            def __init__(self, d, T):
                super().__init__()
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
                self.register_buffer("mask", torch.tril(torch.ones(T, T)))
            def forward(self, x):
                T = x.size(1)
                s = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(x.size(-1))
                s = s * self.mask[:T, :T]  # here
                return F.softmax(s, dim=-1) @ self.v(x)
        """,
    ),
    "a number kept in self": (
        "GD814",
        """
        class Attn(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
                self.fill = -1.0
            def forward(self, x, mask):
                s = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(x.size(-1))
                s = s.masked_fill(mask.unsqueeze(1) == 0, self.fill)  # here
                return F.softmax(s, dim=-1) @ self.v(x)
        """,
    ),
    "zero in a pooling": (
        "GD814",
        """
        class Pool(nn.Module):
            def __init__(self, d):
                super().__init__()
                self.s = nn.Linear(d, 1)
            def forward(self, x, lengths):
                valid = torch.arange(x.size(1), device=x.device)[None] < lengths[:, None]
                e = self.s(x).squeeze(-1)
                e = e.masked_fill(~valid, 0.0)  # here
                w = torch.softmax(e, dim=1)
                return (w.unsqueeze(-1) * x).sum(1)
        """,
    ),
    "helpers, comparisons, buffers": (
        "GD815",
        """
        def causal_mask(n, device):
            return torch.triu(torch.ones(n, n, device=device, dtype=torch.bool), diagonal=1)

        class A(nn.Module):
            def __init__(self, d, T):
                super().__init__()
                self.q = nn.Linear(d, 3 * d)
                self.register_buffer("tri", torch.tril(torch.ones(T, T)))  # here
            def forward(self, x):
                q, k, v = self.q(x).chunk(3, -1)
                w = F.softmax(q @ k.transpose(-2, -1) / 8, dim=-1)
                return w @ v

        class B(nn.Module):
            def __init__(self, d, T):
                super().__init__()
                self.enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(d, 4), 2)
            def forward(self, x):
                m = causal_mask(x.size(1), x.device)  # here
                m = m.to(x.device)
                return self.enc(x)
            def other(self, x):
                i = torch.arange(x.size(1))
                seen = i[:, None] >= i[None, :]  # here
                return self.enc(x)

        class H(nn.Module):
            def __init__(self, d, T):
                super().__init__()
                self.q = nn.Linear(d, 3 * d)
                self.register_buffer("lower", torch.tril(torch.ones(T, T)))
            def forward(self, x):
                q, k, v = self.q(x).chunk(3, -1)
                w = q @ k.transpose(-2, -1) / 8
                w = w.masked_fill(self.lower[:8, :8] == 0, -1e9)
                m = causal_mask(x.size(1), x.device)
                return F.softmax(w + m, dim=-1) @ v
        """,
    ),
    "a buffer of another name": (
        "GD815",
        """
        class Attn(nn.Module):
            def __init__(self, d, h, T=128):
                super().__init__()
                self.h = h
                self.qkv = nn.Linear(d, 3 * d)
                self.register_buffer("causal_mask", torch.ones(T, T).bool().tril())  # here
            def forward(self, x):
                b, n, d = x.shape
                q, k, v = self.qkv(x).reshape(b, n, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
                att = (q @ k.transpose(-2, -1)) * (d // self.h) ** -0.5
                att = F.softmax(att, dim=-1)
                return (att @ v).transpose(1, 2).reshape(b, n, d)
        """,
    ),
    "causal by another way": (
        "GD815",
        """
        class A(nn.Module):
            def __init__(self, d, T):
                super().__init__()
                self.qkv = nn.Linear(d, 3 * d)
                self.register_buffer("tri", torch.tril(torch.ones(T, T)))
            def forward(self, x):
                q, k, v = self.qkv(x).chunk(3, -1)
                return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        """,
    ),
    "a name that is true": (
        "GD816",
        """
        class Attn(nn.Module):
            def __init__(self, d, h, causal=True):
                super().__init__()
                self.h = h
                self.qkv = nn.Linear(d, 3 * d)
            def forward(self, x, attention_mask=None):
                b, n, d = x.shape
                q, k, v = self.qkv(x).reshape(b, n, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
                mask = torch.ones(n, n, dtype=torch.bool, device=x.device).tril()
                if attention_mask is not None:
                    mask = mask & attention_mask[:, None, None, :].bool()
                causal = True
                return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)  # here
        """,
    ),
}


@pytest.mark.parametrize(("code", "body"), CASES.values(), ids=CASES)
def test_the_marked_lines_and_no_others(code: str, body: str) -> None:
    """Healthy texts have no mark."""
    text = HEAD + plain(body)
    assert lines_of(code, text) == marked(text)

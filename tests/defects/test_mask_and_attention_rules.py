"""The rules of masks, attention and shapes: what the text shows, and what it leaves alone."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Mixing(nn.Module):
    def __init__(self, width, heads, longest, rate=0.1):
        super().__init__()
        self.heads = heads
        self.rate = rate
        self.inward = nn.Linear(width, 3 * width)
        self.dropout = nn.Dropout(rate)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.register_buffer("seen", torch.tril(torch.ones(longest, longest)))

    def forward(self, x, given=None, attention_mask=None, keys=None, values=None):
        B, T, C = x.shape
        q, k, v = self.inward(x).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
"""


def model(body: str) -> str:
    """A module whose forward ends with `body`."""
    lines = plain(body).splitlines()
    return HEAD + "\n".join(f"        {line}" for line in lines) + "\n"


def both(code: str, snippet: str) -> None:
    """The marked lines of a body are reported, and no others."""
    text = model(snippet)
    assert lines_of(code, text) == marked(text)


MASKS = {
    "inverted by a name": (
        "GD806",
        """
        hide = torch.ones(T, T, dtype=torch.bool).tril()
        scores.masked_fill_(hide, float("-inf"))  # here
        weights = torch.where(hide, -1e9, scores).softmax(-1)  # here
        return weights @ v
        """,
    ),
    "inverted buffer": (
        "GD806",
        """
        scores = scores.masked_fill(self.seen[:T, :T] == 1, float("-inf"))  # here
        return self.dropout(F.softmax(scores, dim=-1)) @ v
        """,
    ),
    "the right buffer": (
        "GD806",
        """
        scores = scores.masked_fill(self.seen[:T, :T] == 0, float("-inf"))
        return self.dropout(F.softmax(scores, dim=-1)) @ v
        """,
    ),
    "hides itself": (
        "GD806",
        """
        ranks = torch.arange(T)
        scores = scores.masked_fill(ranks[:, None] <= ranks[None, :], -torch.inf)  # here
        return scores.softmax(-1) @ v
        """,
    ),
    "numpy, one behind": (
        "GD806",
        """
        later = torch.from_numpy(np.triu(np.ones((1, T, T)), k=1).astype("uint8")) == 0
        return scores.masked_fill(later == 0, -1e9).softmax(-1) @ v
        """,
    ),
    "a window": (
        "GD806",
        """
        far = torch.ones(T, T, dtype=torch.bool).tril(-8)
        return scores.masked_fill(far, -torch.inf).softmax(-1) @ v
        """,
    ),
    "keys in rows, queries in columns": (
        "GD806",
        """
        scores = k @ q.mT / math.sqrt(q.size(-1))
        scores = scores.masked_fill(self.seen[:T, :T] == 1, -math.inf)
        return scores.softmax(dim=-2).mT @ v
        """,
    ),
    "ahead": (
        "GD801",
        """
        seen = torch.ones(T, T).tril(diagonal=1).bool()  # here
        return scores.masked_fill(~seen, -math.inf).softmax(-1) @ v
        """,
    ),
    "one more key than queries": (
        "GD801",
        """
        seen = torch.ones(T, T + 1).tril(diagonal=1).bool()
        return scores.masked_fill(~seen, -math.inf).softmax(-1) @ v
        """,
    ),
    "float for boolean": (
        "GD811",
        """
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.seen[:T, :T])  # here
        return y
        """,
    ),
    "float to a layer": (
        "GD811",
        """
        y, _ = self.attention(x, x, x, attn_mask=torch.triu(torch.ones(T, T), 1))  # here
        return y
        """,
    ),
    "float to masked_fill": (
        "GD811",
        """
        scores = scores.masked_fill(torch.triu(torch.ones(T, T), diagonal=1), -1e9)  # here
        return scores.softmax(-1) @ v
        """,
    ),
    "minus infinity is added": (
        "GD811",
        """
        hidden = torch.zeros(T, T).masked_fill(self.seen[:T, :T] == 0, float("-inf"))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=hidden)
        """,
    ),
    "inverted for torch": (
        "GD812",
        """
        hidden = self.seen[:T, :T] == 0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=hidden)  # here
        return y
        """,
    ),
    "inverted for a layer": (
        "GD812",
        """
        y, _ = self.attention(x, x, x, attn_mask=self.seen[:T, :T].bool())  # here
        return y
        """,
    ),
    "right for both": (
        "GD812",
        """
        seen = self.seen[:T, :T].bool()
        y, _ = self.attention(x, x, x, attn_mask=~seen)
        return y + F.scaled_dot_product_attention(q, k, v, attn_mask=seen).sum()
        """,
    ),
    "after the softmax": (
        "GD813",
        """
        weights = F.softmax(scores, dim=-1)
        weights = weights.masked_fill(given, float("-inf"))  # here
        return weights @ v
        """,
    ),
    "multiplied after the softmax": (
        "GD813",
        """
        weights = F.softmax(scores, dim=-1) * self.seen[:T, :T]  # here
        return torch.matmul(weights, v)
        """,
    ),
    "multiplied and divided": (
        "GD813",
        """
        weights = F.softmax(scores, dim=-1) * self.seen[:T, :T]
        weights = weights / weights.sum(-1, keepdim=True)
        return torch.matmul(weights, v)
        """,
    ),
    "a mask added after the softmax": (
        "GD813",
        """
        weights = F.softmax(scores, dim=-1).to(q.dtype)
        if attention_mask is not None:
            weights += attention_mask[..., :T]  # here
        return self.dropout(weights) @ v
        """,
    ),
    "what is no mask added after the softmax": (
        "GD813",
        """
        weights = F.softmax(scores + attention_mask, dim=-1)
        return (weights + given) @ v
        """,
    ),
    "a mask added before one of two ways": (
        "GD813",
        """
        weights = scores + attention_mask
        weights = weights.relu() if given is None else weights.softmax(dim=-1)
        return weights @ v
        """,
    ),
    "empty rows made zero": (
        "GD813",
        """
        weights = F.softmax(scores.masked_fill(given, -torch.inf), dim=-1)
        return weights.masked_fill(given, 0.0) @ v
        """,
    ),
    "filled over a sum": (
        "GD814",
        """
        scores = scores + given
        weights = F.softmax(scores.masked_fill(attention_mask, 1e-9), dim=-1)  # here
        return weights @ v
        """,
    ),
    "a sum over what is filled": (
        "GD814",
        """
        scores = scores.masked_fill(attention_mask, 1e-9)
        weights = F.softmax(scores + given, dim=-1)
        return weights @ v
        """,
    ),
    "filled with a small number": (
        "GD814",
        """
        scores = scores.masked_fill(self.seen[:T, :T] == 0, 1e-9)  # here
        return F.softmax(scores, dim=-1) @ v
        """,
    ),
    "filled with minus ten": (
        "GD814",
        """
        return F.softmax(torch.where(given, scores, -10.0), dim=-1) @ v  # here
        """,
    ),
    "multiplied before the softmax": (
        "GD814",
        """
        scores = scores * self.seen[:T, :T]  # here
        return F.softmax(scores, dim=-1) @ v
        """,
    ),
    "multiplied, and the rest taken down": (
        "GD814",
        """
        scores = scores * self.seen[:T, :T] - 1e4 * (1 - self.seen[:T, :T])
        return F.softmax(scores, dim=-1) @ v
        """,
    ),
    "minus a hundred": (
        "GD814",
        """
        return scores.masked_fill(given, -100.0).softmax(-1) @ v
        """,
    ),
    "never used": (
        "GD815",
        """
        mask = torch.triu(torch.full((T, T), float("-inf")), 1)  # here
        return scores.softmax(-1) @ v
        """,
    ),
    "used by an inner function": (
        "GD815",
        """
        mask = torch.ones(T, T, dtype=torch.bool).triu(1)
        hide = lambda s: s.masked_fill(mask, -torch.inf)
        return hide(scores).softmax(-1) @ v
        """,
    ),
    "a mask and is_causal": (
        "GD816",
        """
        bias = scores.mean(1, keepdim=True)
        y = F.scaled_dot_product_attention(q, k, v, bias, 0.0, True)  # here
        return y
        """,
    ),
    "one of both": (
        "GD816",
        """
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=given, is_causal=given is None)
        return y + F.scaled_dot_product_attention(q, k, v, attn_mask=given, is_causal=True)
        """,
    ),
    "the heads": (
        "GD818",
        """
        return F.softmax(scores, dim=1) @ v  # here
        """,
    ),
    "the heads, by a transpose of dimensions 2 and 3": (
        "GD818",
        """
        keys = given.transpose(2, 3)
        scores = torch.matmul(given, keys) * 0.5 + self.seen
        shares = F.softmax(scores, dim=1, dtype=torch.float)  # here
        return torch.matmul(self.dropout(shares.to(q.dtype)), v)
        """,
    ),
    "the queries": (
        "GD818",
        """
        return scores.softmax(-2) @ v  # here
        """,
    ),
    "no dimension": (
        "GD818",
        """
        return torch.matmul(F.softmax(scores), v)  # here
        """,
    ),
    "the last of four": (
        "GD818",
        """
        return torch.einsum("bhij,bhjd->bhid", F.softmax(scores, dim=3), v)
        """,
    ),
    "the keys come first": (
        "GD818",
        """
        return torch.einsum("bhji,bhjd->bhid", F.softmax(scores.float(), dim=-2), v)
        """,
    ),
    "experts": (
        "GD818",
        """
        return (x @ self.inward.weight.t()).softmax(dim=1)
        """,
    ),
    "slots": (
        "GD818",
        """
        shares = scores.softmax(dim=-2)
        shares = shares / shares.sum(dim=-1, keepdim=True)
        return shares @ v
        """,
    ),
}


@pytest.mark.parametrize(("code", "body"), MASKS.values(), ids=MASKS)
def test_masks_and_weights(code: str, body: str) -> None:
    """What is marked is reported, and nothing else."""
    both(code, body)


SHAPES = {
    "view": (
        "GD310",
        """
        y = scores.softmax(-1) @ v
        return y.transpose(1, 2).view(B, T, C)  # here
        """,
    ),
    "permuted": (
        "GD310",
        """
        y = torch.matmul(scores.softmax(-1), v).permute(0, 2, 1, 3)
        return y.view(B, T, -1)  # here
        """,
    ),
    "flat": (
        "GD310",
        """
        return self.inward(x).view(B, T, C, 3).transpose(2, 3).view(-1)  # here
        """,
    ),
    "contiguous": (
        "GD310",
        """
        y = (scores.softmax(-1) @ v).transpose(1, 2).contiguous()
        return y.view(B, T, C)
        """,
    ),
    "split": (
        "GD310",
        """
        return self.inward(x).view(B, T, 3, C).transpose(1, 2).view(B, 3, T, self.heads, -1)
        """,
    ),
    "still together": (
        "GD310",
        """
        return self.inward(x).view(B, T, 3, C).permute(1, 2, 3, 0).view(T, -1, B)
        """,
    ),
    "a kernel's own order": (
        "GD310",
        """
        y = F.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).view(B, T, C)
        """,
    ),
    "T of four": (
        "GD311",
        """
        keys = k.reshape(B, self.heads, T, -1)
        return q @ keys.T  # here
        """,
    ),
    "t of three": (
        "GD311",
        """
        flat = self.dropout(torch.bmm(q.flatten(0, 1), k.flatten(0, 1)))
        return flat.t()  # here
        """,
    ),
    "keys as the values are": (
        "GD311",
        """
        weights = (q @ keys.T).softmax(dim=-1)  # here
        y = weights @ values
        return y.transpose(1, 2)
        """,
    ),
    "keys of who knows how many": (
        "GD311",
        """
        weights = (q @ keys.T).softmax(dim=-1)
        y = weights @ values
        return y.transpose(-2, -1)
        """,
    ),
    "values of the class's own": (
        "GD311",
        """
        weights = (q @ keys.T).softmax(dim=-1)
        y = weights @ self.seen
        return y.transpose(1, 2)
        """,
    ),
    "keys that are turned elsewhere": (
        "GD311",
        """
        turned = self.inward(keys).transpose(1, 2)
        return q @ turned.T  # here
        """,
    ),
    "a matrix": (
        "GD311",
        """
        return x.reshape(B * T, C) @ self.inward.weight.T @ x.view(-1, C).t()
        """,
    ),
}


@pytest.mark.parametrize(("code", "body"), SHAPES.values(), ids=SHAPES)
def test_shapes(code: str, body: str) -> None:
    """What is marked is reported, and nothing else."""
    both(code, body)


DROPS = {
    "functional": "return F.dropout(x, 0.1)  # here",
    "by an attribute": "return F.dropout(x, p=self.rate)  # here",
    "by default": "return nn.functional.dropout2d(x)  # here",
    "in torch's attention": """
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate)  # here
        return y
    """,
    "told": "return F.dropout(x, 0.1, self.training)",
    "told by name": "return F.dropout(x, 0.1, training=self.training)",
    "by a test": """
        if self.training:
            x = F.dropout(x, 0.1)
        return x
    """,
    "by what left before": """
        if not self.training:
            return x
        return F.dropout(x, 0.1)
    """,
    "left before for another reason": """
        if x.numel() == 0:
            return x
        return F.dropout(x, 0.1)  # here
    """,
    "by the rate": """
        rate = self.rate if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, dropout_p=rate)
    """,
    "none": "return F.dropout(x, 0.0)",
    "given": "return F.dropout(x, given)",
    "meant": "return F.dropout(x, 0.1, training=True)",
}


@pytest.mark.parametrize("body", DROPS.values(), ids=DROPS)
def test_dropouts_that_stay_on(body: str) -> None:
    """What nothing tells of the mode is reported."""
    both("GD808", body)


ORDERS = {
    "LSTM": """
        import torch
        from torch import nn

        class Reader(nn.Module):
            def __init__(self, vocab, width):
                super().__init__()
                self.words = nn.Embedding(vocab, width)
                self.norm = nn.LayerNorm(width)
                self.rnn = nn.LSTM(width, width)  # here

            def forward(self, ids):
                B, T = ids.shape
                x = self.norm(self.words(ids))
                return self.rnn(x)[0]
    """,
    "a stack": """
        import torch
        from torch import nn

        class Reader(nn.Module):
            def __init__(self, vocab, width):
                super().__init__()
                self.words = nn.Embedding(vocab, width)
                self.places = nn.Embedding(64, width)
                layer = nn.TransformerEncoderLayer(width, 4)  # here
                self.encoder = nn.TransformerEncoder(layer, 2)

            def forward(self, ids):
                x = self.words(ids) + self.places(torch.arange(ids.size(1)))
                return self.encoder(x)
    """,
    "a loop over layers": """
        import torch
        from torch import nn

        class Reader(nn.Module):
            def __init__(self, vocab, width):
                super().__init__()
                self.words = nn.Embedding(vocab, width)
                self.layers = nn.ModuleList(
                    [nn.TransformerEncoderLayer(width, 4) for _ in range(2)]  # here
                )

            def forward(self, ids):
                batch, length = ids.size()
                x = self.words(ids)
                for layer in self.layers:
                    x = layer(x)
                return x
    """,
    "a block": """
        import torch
        from torch import nn

        class Block(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.norm = nn.LayerNorm(width)
                self.mix = nn.MultiheadAttention(width, 4)  # here

            def forward(self, x):
                h = self.norm(x)
                hidden = torch.triu(torch.ones(x.size(1), x.size(1)).bool(), 1)
                return x + self.mix(h, h, h, attn_mask=hidden)[0]
    """,
    "time first throughout": """
        import torch
        from torch import nn

        class Reader(nn.Module):
            def __init__(self, vocab, width):
                super().__init__()
                self.words = nn.Embedding(vocab, width)
                self.rnn = nn.LSTM(width, width)

            def forward(self, ids):
                T, B = ids.shape
                return self.rnn(self.words(ids))[0]
    """,
    "turned on the way": """
        import torch
        from torch import nn

        class Reader(nn.Module):
            def __init__(self, vocab, width):
                super().__init__()
                self.words = nn.Embedding(vocab, width)
                self.rnn = nn.GRU(width, width)

            def forward(self, ids):
                B, T = ids.shape
                x = self.words(ids).transpose(0, 1)
                return self.rnn(x)[0].transpose(0, 1)
    """,
    "nothing said": """
        import torch
        from torch import nn

        class Reader(nn.Module):
            def __init__(self, vocab, width):
                super().__init__()
                self.words = nn.Embedding(vocab, width)
                self.rnn = nn.GRU(width, width)

            def forward(self, ids):
                return self.rnn(self.words(ids))[0]
    """,
}


@pytest.mark.parametrize("snippet", ORDERS.values(), ids=ORDERS)
def test_layers_that_want_time_first(snippet: str) -> None:
    """The layer is reported where its class says that the batch comes first."""
    text = plain(snippet)
    assert lines_of("GD817", text) == marked(text)

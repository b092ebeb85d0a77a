"""GD301, GD306, GD310 and GD311 in other spellings, and what looks like them and is right."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Mixing(nn.Module):
    def __init__(self, width, heads, experts=4):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.pair = nn.Linear(width, 2 * width)
        self.qkv = nn.Linear(width, 3 * width)
        self.gate = nn.Linear(width, experts)
        self.words = nn.Embedding(99, width)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(experts))
        self.seen = nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.MaxPool2d(2))

"""
SICK = {
    "GD301 a gated unit": """
    def forward(self, x):
        up, gate = self.pair(x).chunk(2, dim=-1)
        return up * F.silu(gate).permute(1, 0, 2)  # here
""",
    "GD301 by a name, with one dimension more": """
    def forward(self, x):
        w = self.gate(x).softmax(dim=-1)
        outs = torch.stack([expert(x) for expert in self.experts], dim=-1)
        w = w.transpose(0, 1).unsqueeze(-2)  # here
        return (outs * w).sum(dim=-1)
""",
    "GD301 by letters": """
    def forward(self, x):
        w = self.gate(x).softmax(dim=-1)
        outs = torch.stack([expert(x) for expert in self.experts], dim=2)
        return torch.einsum("bte,bted->btd", w.permute(1, 0, 2), outs)  # here
""",
    "GD306 layers in a comprehension": """
    def forward(self, x):
        B, N, C = x.shape
        return [
            layer(x).view(B, self.heads, N, self.size)  # here
            for layer in (self.q, self.k)
        ]
""",
    "GD306 heads of another text": """
    def forward(self, x, image):
        bsz, length, width = x.size()
        q = self.q(x).unflatten(-1, (self.heads, self.size)).transpose(1, 2)
        k = self.k(image).unflatten(-1, (self.heads, self.size)).transpose(1, 2)
        y = (q @ k.transpose(-2, -1)).softmax(dim=-1) @ k
        return y.reshape(bsz, length, width)  # here
""",
    "GD306 what is left for -1": """
    def forward(self, x):
        B, T, C = x.size()
        parts = self.qkv(x).reshape(B, T, 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)
        return y.contiguous().view(B, -1, self.heads * self.size)  # here
""",
    "GD306 sizes one by one": """
    def forward(self, x):
        batch = x.size(0)
        length = x.size(1)
        return self.q(x).view(batch, self.heads, -1, self.size), length  # here
""",
    "GD306 four sizes": """
    def combine(self, x):
        batch_size, _, seq_length, size = x.size()
        return x.contiguous().view(batch_size, seq_length, self.heads * size)  # here
""",
    "GD306 behind what turns by positions": """
    def forward(self, x, cos, sin):
        bsz, seq_len, _ = x.shape
        q = self.q(x).view(bsz, seq_len, self.heads, self.size).transpose(1, 2)
        k = self.k(x).view(bsz, seq_len, self.heads, self.size).transpose(1, 2)
        q, k = apply_rotary(q, k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, k)
        return y.reshape(bsz, seq_len, -1)  # here
""",
    "GD306 sizes that are spread": """
    def forward(self, x):
        B, T, C = x.size()
        shape = (B, self.heads, T, C // self.heads)
        return self.q(x).view(*shape)  # here
""",
    "GD306 products by letters": """
    def forward(self, x):
        b, n, _ = x.shape
        q, k = [t.view(b, n, self.heads, -1).transpose(1, 2) for t in self.pair(x).chunk(2, -1)]
        w = torch.einsum("bhid,bhjd->bhij", q, k).softmax(-1)
        y = torch.einsum("bhij,bhjd->bhid", w, k)
        return y.reshape(b, n, -1)  # here
""",
    "GD306 heads beside the batch": """
    def forward(self, x):
        bsz, seq_len, dim = x.shape
        y = self.q(x).reshape(bsz * self.heads, seq_len, dim // self.heads)  # here
        return torch.bmm(y, y.mT)
""",
    "GD306 a helper": """
    def split(self, x):
        b, t, _ = x.shape
        return x.view(b, t, self.heads, self.size).transpose(1, 2)

    def forward(self, x):
        b, t, c = x.shape
        y = F.scaled_dot_product_attention(self.split(x), self.split(x), self.split(x))
        return y.reshape(b, t, c)  # here
""",
    "GD310 what a forward pass gives": """
    def forward(self, image):
        return self.seen(image)

    def training_step(self, batch):
        scores = self(batch).permute(0, 2, 3, 1)
        return scores.view(-1, 9)  # here
""",
    "GD311 a function": """
    def forward(self, ids):
        b, t = ids.shape
        x = self.words(ids)
        return self.q(x) @ torch.t(self.k(x))  # here
""",
    "GD311 in a product of batches": """
    def forward(self, q, k):
        return torch.bmm(q, k.T)  # here
""",
    "GD311 as its author says": '''
    def forward(self, x):
        """x: [batch, time, width]"""
        return self.q(x) @ self.k(x).T  # here
''',
    "GD311 by sizes that are asked for": """
    def forward(self, x):
        scale = x.size(2) ** -0.5
        k = self.k(x)
        return self.q(x) @ k.T * scale  # here
""",
    "GD311 through a norm": """
    def forward(self, x):
        b, t, c = x.shape
        k = F.normalize(self.k(x), dim=-1)
        return self.q(x) @ k.t()  # here
""",
}
HEALTHY = {
    "GD301 both are turned": """
    def forward(self, x):
        up, gate = self.pair(x).chunk(2, dim=-1)
        return up.transpose(0, 1) * F.silu(gate).transpose(0, 1)
""",
    "GD301 of another input": """
    def forward(self, x, memory):
        return self.q(memory) * torch.sigmoid(self.k(x)).transpose(0, 1)
""",
    "GD301 experts in front of both": """
    def forward(self, x):
        w = self.gate(x).softmax(dim=-1).transpose(0, 1).unsqueeze(-1)
        return (torch.stack([expert(x) for expert in self.experts]) * w).sum(dim=0)
""",
    "GD301 letters that are turned": """
    def forward(self, x):
        w = self.gate(x).softmax(dim=-1)
        outs = torch.stack([expert(x) for expert in self.experts], dim=2)
        return torch.einsum("tbe,bted->btd", w.permute(1, 0, 2), outs)
""",
    "GD301 a symmetric product": """
    def forward(self, x):
        near = torch.sigmoid(self.q(x))
        return near * near.transpose(0, 1)
""",
    "GD306 turned first": """
    def forward(self, x):
        B, N, C = x.shape
        q = self.q(x).view(B, N, self.heads, self.size).transpose(1, 2)
        return q.transpose(1, 2).reshape(B, -1, self.heads * self.size)
""",
    "GD306 channels that attend": """
    def forward(self, x):
        B, N, C = x.shape
        parts = self.qkv(x).reshape(B, N, 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        y = ((k.transpose(-1, -2) @ v).softmax(-1) @ q.transpose(-1, -2)).transpose(-1, -2)
        return y.transpose(1, 2).reshape(B, N, C)
""",
    "GD306 heads beside the batch, turned first": """
    def forward(self, x):
        bsz, seq_len, dim = x.shape
        y = self.q(x).view(bsz, seq_len, self.heads, -1).transpose(1, 2)
        y = y.reshape(bsz * self.heads, seq_len, dim // self.heads)
        y = torch.bmm(torch.bmm(y, y.mT), y).view(bsz, self.heads, seq_len, -1)
        return y.transpose(1, 2).reshape(bsz, seq_len, dim)
""",
    "GD306 four sizes, turned": """
    def combine(self, x):
        batch_size, _, seq_length, size = x.size()
        return x.transpose(1, 2).reshape(batch_size, seq_length, self.heads * size)
""",
    "GD306 four sizes, one of which may be one": """
    def expand(self, x):
        batch_size, _, seq_length, _ = x.shape
        return self.q(x).view(batch_size, seq_length, -1, 2 * self.size).transpose(1, 2)
""",
    "GD306 four sizes of another order": """
    def combine(self, x):
        batch_size, seq_length, _, size = x.size()
        return x.reshape(batch_size, seq_length, -1)
""",
    "GD306 letters that turn": """
    def forward(self, x):
        b, n, c = x.shape
        q = self.q(x).view(b, n, self.heads, -1).transpose(1, 2)
        w = torch.einsum("bhid,bhjd->bhij", q, q).softmax(-1)
        return torch.einsum("bhij,bhjd->bihd", w, q).reshape(b, n, c)
""",
    "GD306 a picture of positions": """
    def forward(self, x):
        b, n, c = x.shape
        h = int(n**0.5)
        return self.q(x).permute(0, 2, 1).reshape(b, -1, h, h)
""",
    "GD306 heads and positions in one": """
    def forward(self, x):
        B, T, C = x.shape
        q = self.q(x).view(B, T, self.heads, self.size).transpose(1, 2)
        return q.reshape(B, -1, self.size)
""",
    "GD310 a copy": """
    def forward(self, image):
        return self.seen(image).permute(0, 2, 3, 1).contiguous().view(-1, 9)
""",
    "GD310 what still lies together": """
    def forward(self, image):
        b, c, h, w = image.shape
        return self.seen(image).permute(0, 2, 3, 1).view(b, h * w, c)
""",
    "GD310 channels that lie last": """
    # memory_format=torch.channels_last
    def forward(self, image):
        return self.seen(image).permute(0, 2, 3, 1).view(-1, 9)
""",
    "GD311 a matrix, as its author says": '''
    def forward(self, x):
        """x (torch.Tensor, optional, maybe): of shape (rows, width)"""
        return self.q(x) @ self.k(x).T
''',
    "GD311 a matrix": """
    def forward(self, ids):
        return self.q(ids) @ torch.t(self.k.weight)
""",
}


@pytest.mark.parametrize(("name", "text"), SICK.items(), ids=SICK)
def test_a_spelling_is_seen(name: str, text: str) -> None:
    """On its line, and only there."""
    text = f"{HEAD}{text}"
    assert lines_of(name[:5], text) == marked(text)


@pytest.mark.parametrize(("name", "text"), HEALTHY.items(), ids=HEALTHY)
def test_what_looks_like_it_is_left_alone(name: str, text: str) -> None:
    """Each does the same operations, and rightly."""
    assert lines_of(name[:5], f"{HEAD}{text}") == []

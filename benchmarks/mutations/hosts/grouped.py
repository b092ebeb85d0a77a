"""A decoder with grouped-query attention, rotary positions and a pre-allocated cache.

    net = Decoder(DecoderSpec(n_tokens=32_000))
    loss = net.loss(batch)
    text = net.generate(prompt, 200, temperature=0.8, top_p=0.95)
"""

import math
from dataclasses import dataclass, field
from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAD = -100


@dataclass
class DecoderSpec:
    n_tokens: int = 32_000
    width: int = 512
    depth: int = 8
    q_heads: int = 8
    kv_heads: int = 2
    max_positions: int = 1024
    hidden_factor: float = 8 / 3
    dropout: float = 0.0
    rope_theta: float = 10_000.0
    head_size: int = field(init=False)
    hidden: int = field(init=False)

    def __post_init__(self):
        self.head_size = self.width // self.q_heads
        self.hidden = 8 * math.ceil(self.hidden_factor * self.width / 8)


class KVCache:
    """Room for the keys and values of all layers; `filled` positions of it are in use."""

    def __init__(self, spec: DecoderSpec, rows: int, like: Tensor):
        shape = (spec.depth, rows, spec.kv_heads, spec.max_positions, spec.head_size)
        self.keys = like.new_zeros(shape)
        self.values = like.new_zeros(shape)
        self.filled = 0

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        end = self.filled + keys.shape[2]
        self.keys[layer, :, :, self.filled:end] = keys
        self.values[layer, :, :, self.filled:end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


def rotations(positions: Tensor, size: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each [T, size / 2]."""
    frequencies = theta ** (-torch.arange(0, size, 2, device=positions.device) / size)
    angles = positions[:, None].float() * frequencies
    return angles.cos(), angles.sin()


def apply_rotary(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    def turn(x: Tensor) -> Tensor:
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)

    return turn(q), turn(k)


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt((x * x).mean(-1, keepdim=True) + self.eps)
        return self.weight * (x * scale)


class GroupedAttention(nn.Module):
    def __init__(self, spec: DecoderSpec, layer: int):
        super().__init__()
        self.layer = layer
        self.q_heads, self.kv_heads, self.head_size = spec.q_heads, spec.kv_heads, spec.head_size
        self.to_q = nn.Linear(spec.width, spec.q_heads * spec.head_size, bias=False)
        self.to_kv = nn.Linear(spec.width, 2 * spec.kv_heads * spec.head_size, bias=False)
        self.to_out = nn.Linear(spec.q_heads * spec.head_size, spec.width, bias=False)
        self.drop = nn.Dropout(spec.dropout)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: Optional[KVCache]) -> Tensor:
        rows, length, _ = x.shape
        q = self.to_q(x).view(rows, length, self.q_heads, self.head_size).transpose(1, 2)
        k, v = self.to_kv(x).chunk(2, dim=-1)
        k = k.view(rows, length, self.kv_heads, self.head_size).transpose(1, 2)
        v = v.view(rows, length, self.kv_heads, self.head_size).transpose(1, 2)
        q, k = apply_rotary(q, k, cos, sin)
        if cache is not None:
            k, v = cache.put(self.layer, k, v)

        total = k.shape[2]
        k = k.repeat_interleave(self.q_heads // self.kv_heads, dim=1)
        v = v.repeat_interleave(self.q_heads // self.kv_heads, dim=1)
        scores = q @ k.mT / math.sqrt(self.head_size)
        seen = torch.ones(length, total, dtype=torch.bool, device=x.device).tril(diagonal=total - length)
        scores = scores.masked_fill(~seen, -math.inf)
        weights = self.drop(F.softmax(scores, dim=-1))
        mixed = (weights @ v).transpose(1, 2).reshape(rows, length, -1)
        return self.to_out(mixed)


class GatedUnit(nn.Module):
    def __init__(self, spec: DecoderSpec):
        super().__init__()
        self.gate = nn.Linear(spec.width, spec.hidden, bias=False)
        self.up = nn.Linear(spec.width, spec.hidden, bias=False)
        self.down = nn.Linear(spec.hidden, spec.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Layer(nn.Module):
    def __init__(self, spec: DecoderSpec, index: int):
        super().__init__()
        self.attention_norm = RMSNorm(spec.width)
        self.attention = GroupedAttention(spec, index)
        self.unit_norm = RMSNorm(spec.width)
        self.unit = GatedUnit(spec)

    def forward(self, x, cos, sin, cache):
        x = x + self.attention(self.attention_norm(x), cos, sin, cache)
        x = x + self.unit(self.unit_norm(x))
        return x


class Decoder(nn.Module):
    def __init__(self, spec: DecoderSpec):
        super().__init__()
        self.spec = spec
        self.embedding = nn.Embedding(spec.n_tokens, spec.width)
        self.stack = nn.ModuleList([Layer(spec, index) for index in range(spec.depth)])
        self.norm = RMSNorm(spec.width)
        self.head = nn.Linear(spec.width, spec.n_tokens, bias=False)
        self.head.weight = self.embedding.weight
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                shrink = math.sqrt(2 * spec.depth) if name.endswith(("to_out.weight", "down.weight")) else 1.0
                nn.init.normal_(weight, mean=0.0, std=0.02 / shrink)

    def forward(self, tokens: Tensor, cache: Optional[KVCache] = None) -> Tensor:
        """Logits [B, T, V] of tokens [B, T], which come after what the cache holds."""
        length = tokens.shape[1]
        start = cache.filled if cache is not None else 0
        if length == 0:
            raise ValueError("there are no tokens")
        if start + length > self.spec.max_positions:
            raise ValueError(f"{start + length} positions, but at most {self.spec.max_positions}")
        positions = torch.arange(start, start + length, device=tokens.device)
        cos, sin = rotations(positions, self.spec.head_size, self.spec.rope_theta)
        x = self.embedding(tokens)
        for layer in self.stack:
            x = layer(x, cos, sin, cache)
        if cache is not None:
            cache.filled += length
        return self.head(self.norm(x))

    def loss(self, tokens: Tensor, labels: Optional[Tensor] = None) -> Tensor:
        """Mean cross-entropy of the next tokens; labels [B, T] are the tokens where not given."""
        labels = tokens if labels is None else labels
        logits = self(tokens)
        return F.cross_entropy(
            logits[:, :-1].reshape(-1, self.spec.n_tokens), labels[:, 1:].reshape(-1), ignore_index=PAD
        )

    @torch.no_grad()
    def generate(
        self,
        prompt: Tensor,
        count: int,
        temperature: float = 1.0,
        top_k: Optional[int] = None,
        top_p: Optional[float] = None,
        end: Optional[int] = None,
    ) -> Tensor:
        was_training = self.training
        self.eval()
        tokens = prompt
        cache = KVCache(self.spec, prompt.shape[0], self.embedding.weight)
        unread = prompt[:, -self.spec.max_positions:]
        eos_seen = torch.zeros(prompt.shape[0], dtype=torch.bool, device=prompt.device)
        for _ in range(count):
            if cache.filled + unread.shape[1] > self.spec.max_positions:  # start again with the newer half
                cache = KVCache(self.spec, prompt.shape[0], self.embedding.weight)
                unread = tokens[:, -(self.spec.max_positions // 2):]
            logits = self(unread, cache)[:, -1]
            unread = self.sample(logits, temperature, top_k, top_p)
            tokens = torch.cat([tokens, unread], dim=1)
            if end is not None:
                eos_seen |= unread[:, 0] == end
            if eos_seen.all():
                break
        self.train(was_training)
        return tokens

    @staticmethod
    def sample(logits, temperature=1.0, top_k=None, top_p=None):
        """Draws ids [B, 1] from logits [B, V]; at temperature 0 they are the likeliest."""
        if temperature == 0.0:
            return logits.argmax(dim=-1, keepdim=True)
        logits = logits / temperature
        if top_k is not None:
            threshold = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
            logits = logits.masked_fill(logits < threshold, -math.inf)
        probs = F.softmax(logits, dim=-1)
        if top_p is not None:
            ordered, order = probs.sort(dim=-1, descending=True)
            outside = ordered.cumsum(dim=-1) - ordered > top_p
            ordered = ordered.masked_fill(outside, 0.0)
            probs = torch.zeros_like(probs).scatter(1, order, ordered)
        return torch.multinomial(probs, num_samples=1)

"""Decoder with a key/value cache and a complete generation loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn as nn
import torch.nn.functional as F


class KVCache(NamedTuple):
    """Keys and values of the positions seen so far, each [B, H, S, D]."""

    k: torch.Tensor
    v: torch.Tensor


@dataclass(frozen=True)
class ModelArgs:
    vocab_size: int = 32_000
    dim: int = 1024
    n_layers: int = 16
    n_heads: int = 16
    max_seq_len: int = 1024
    dropout: float = 0.1
    pad_id: int = -100


class Attention(nn.Module):
    def __init__(self, args: ModelArgs) -> None:
        super().__init__()
        self.n_heads = args.n_heads
        self.head_dim = args.dim // args.n_heads
        self.wqkv = nn.Linear(args.dim, 3 * args.dim, bias=False)
        self.wo = nn.Linear(args.dim, args.dim, bias=False)
        self.scale = self.head_dim**-0.5

    def forward(self, x: torch.Tensor, cache: KVCache | None = None) -> tuple[torch.Tensor, KVCache]:
        b, t, d = x.shape
        qkv = self.wqkv(x).reshape(b, t, 3, self.n_heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if cache is not None:
            k = torch.cat([cache.k, k], dim=2)
            v = torch.cat([cache.v, v], dim=2)
        s = k.shape[2]
        scores = q @ k.transpose(-1, -2) * self.scale
        visible = torch.ones(t, s, dtype=torch.bool, device=x.device).tril(diagonal=s - t)
        scores = scores.masked_fill(~visible, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        out = (weights @ v).transpose(1, 2).reshape(b, t, d)
        return self.wo(out), KVCache(k, v)


class FeedForward(nn.Module):
    def __init__(self, args: ModelArgs) -> None:
        super().__init__()
        self.w1 = nn.Linear(args.dim, 4 * args.dim, bias=False)
        self.w2 = nn.Linear(4 * args.dim, args.dim, bias=False)
        self.drop = nn.Dropout(args.dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(self.w2(F.gelu(self.w1(x))))


class DecoderBlock(nn.Module):
    def __init__(self, args: ModelArgs) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(args.dim)
        self.attention = Attention(args)
        self.ffn_norm = nn.LayerNorm(args.dim)
        self.ffn = FeedForward(args)

    def forward(self, x: torch.Tensor, cache: KVCache | None = None) -> tuple[torch.Tensor, KVCache]:
        attended, cache = self.attention(self.attention_norm(x), cache)
        x = x + attended
        x = x + self.ffn(self.ffn_norm(x))
        return x, cache


class CachedDecoder(nn.Module):
    def __init__(self, args: ModelArgs) -> None:
        super().__init__()
        self.args = args
        self.tok_embeddings = nn.Embedding(args.vocab_size, args.dim)
        self.pos_embeddings = nn.Embedding(args.max_seq_len, args.dim)
        self.dropout = nn.Dropout(args.dropout)
        self.layers = nn.ModuleList(DecoderBlock(args) for _ in range(args.n_layers))
        self.norm = nn.LayerNorm(args.dim)
        self.output = nn.Linear(args.dim, args.vocab_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, tokens: torch.Tensor, past: list[KVCache] | None = None):
        """Logits [B, T, V] of `tokens`, which follow what `past` holds, and the new cache."""
        if tokens.shape[1] == 0:
            raise ValueError("no tokens were given")
        start = 0 if past is None else past[0].k.shape[2]
        positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        h = self.dropout(self.tok_embeddings(tokens) + self.pos_embeddings(positions))
        present = []
        for i, layer in enumerate(self.layers):
            h, cache = layer(h, None if past is None else past[i])
            present.append(cache)
        return self.output(self.norm(h)), present

    def compute_loss(self, tokens: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        logits, _ = self(tokens)
        nll = F.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none", ignore_index=self.args.pad_id)
        counted = (labels[:, 1:] != self.args.pad_id).float()
        return (nll.flatten() * counted.flatten()).sum() / counted.sum().clamp(min=1)

    @torch.no_grad()
    def generate(
        self,
        prompt: torch.Tensor,
        max_new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        eos_id: int | None = None,
    ) -> torch.Tensor:
        was_training = self.training
        self.eval()
        tokens, past = prompt, None
        finished = torch.zeros(prompt.shape[0], dtype=torch.bool, device=prompt.device)
        for _ in range(max_new_tokens):
            if tokens.shape[1] > self.args.max_seq_len:
                logits, _ = self(tokens[:, -self.args.max_seq_len :])
            else:
                logits, past = self(tokens if past is None else tokens[:, -1:], past)
            choice = self.sample(logits[:, -1], temperature, top_k, top_p)
            if eos_id is not None:
                choice = torch.where(finished[:, None], torch.full_like(choice, eos_id), choice)
                finished = finished | (choice[:, 0] == eos_id)
            tokens = torch.cat([tokens, choice], dim=1)
            if finished.all():
                break
        self.train(was_training)
        return tokens

    @staticmethod
    def sample(logits: torch.Tensor, temperature: float, top_k: int, top_p: float) -> torch.Tensor:
        if temperature == 0.0:
            return torch.argmax(logits, dim=-1, keepdim=True)
        logits = logits / temperature
        if top_k > 0:
            threshold = torch.topk(logits, min(top_k, logits.shape[-1])).values[:, -1:]
            logits = torch.where(logits < threshold, torch.full_like(logits, float("-inf")), logits)
        if top_p < 1.0:
            ordered, order = torch.sort(logits, descending=True)
            cumulative = torch.cumsum(torch.softmax(ordered, dim=-1), dim=-1)
            remove = cumulative > top_p
            remove[:, 1:] = remove[:, :-1].clone()
            remove[:, 0] = False
            logits = logits.masked_fill(remove.scatter(1, order, remove), float("-inf"))
        return torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)

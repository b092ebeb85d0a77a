from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class MoEOutput:
    logits: torch.Tensor
    aux_loss: torch.Tensor
    loss: Optional[torch.Tensor] = None


class MoE(nn.Module):
    def __init__(self, dim: int, num_experts: int, top_k: int):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(dim, num_experts, bias=False)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim)) for _ in range(num_experts))

    def forward(self, x):
        shape = x.shape
        x = x.reshape(-1, shape[-1])
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.top_k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            tok, slot = (idx == e).nonzero(as_tuple=True)
            if tok.numel() > 0:
                out = out.index_add(0, tok, expert(x[tok]) * w[tok, slot].unsqueeze(-1))
        frac = F.one_hot(idx[:, 0], probs.size(-1)).float().mean(0)
        return out.view(shape), probs.size(-1) * (frac * probs.mean(0)).sum()


class MoETransformerLM(nn.Module):
    def __init__(self, vocab_size: int, dim: int = 64, depth: int = 2, heads: int = 4, num_experts: int = 4, top_k: int = 2, max_len: int = 256):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, dim)
        self.pos = nn.Parameter(torch.randn(max_len, dim) * 0.02)
        self.attn = nn.ModuleList(nn.MultiheadAttention(dim, heads, batch_first=True) for _ in range(depth))
        self.moe = nn.ModuleList(MoE(dim, num_experts, top_k) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2 * depth))
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids: torch.Tensor, labels: Optional[torch.Tensor] = None) -> MoEOutput:
        T = input_ids.size(1)
        mask = torch.ones(T, T, dtype=torch.bool, device=input_ids.device).triu(1)
        x, aux = self.tok(input_ids) + self.pos[:T], 0.0
        for i, (attn, moe) in enumerate(zip(self.attn, self.moe)):
            h = self.norms[2 * i](x)
            x = x + attn(h, h, h, attn_mask=mask, need_weights=False)[0]
            h, a = moe(self.norms[2 * i + 1](x))
            x, aux = x + h, aux + a
        logits = self.head(x)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].reshape(-1, logits.size(-1)), labels[:, 1:].reshape(-1)) + 0.01 * aux
        return MoEOutput(logits, aux, loss)

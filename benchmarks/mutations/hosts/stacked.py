# A transformer as functions over stacked weights; einsum does the work.
import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import einsum


def default(value, fallback):
    return fallback if value is None else value


def rms_norm(x, scale, eps=1e-6):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * scale


def alibi_bias(n_heads, T, device):
    slopes = 2.0 ** (-8.0 * torch.arange(1, n_heads + 1, device=device) / n_heads)
    pos = torch.arange(T, device=device)
    distance = pos[None, :] - pos[:, None]                     # [i, j] = j - i
    bias = slopes[:, None, None] * distance                    # (H, T, T)
    return bias.masked_fill(distance > 0, -torch.inf)


def attend(x, wq, wk, wv, wo):
    """x: (B, T, D); wq, wk, wv: (D, H, K); wo: (H, K, D)"""
    q = einsum('b t d, d h k -> b h t k', x, wq)
    k = einsum('b t d, d h k -> b h t k', x, wk)
    v = einsum('b t d, d h k -> b h t k', x, wv)
    scores = einsum('b h i k, b h j k -> b h i j', q, k) / math.sqrt(q.shape[-1])
    scores = scores + alibi_bias(wq.shape[1], x.shape[1], x.device)
    probs = scores.softmax(-1)
    mixed = einsum('b h i j, b h j k -> b h i k', probs, v)
    return einsum('b h t k, h k d -> b t d', mixed, wo)


def route(x, w_router, k):
    """Dense (B, T, E) weights with k of E above zero."""
    logits = einsum('b t d, d e -> b t e', x, w_router)
    top, idx = logits.topk(k, dim=-1)
    gates = F.softmax(top, dim=-1)
    return torch.zeros_like(logits).scatter(-1, idx, gates)


def moe(x, w_router, w_in, w_out, k):
    """w_in: (E, D, F); w_out: (E, F, D)"""
    gates = route(x, w_router, k)
    hidden = F.gelu(einsum('b t d, e d f -> b t e f', x, w_in))
    out = einsum('b t e f, e f d -> b t e d', hidden, w_out)
    return einsum('b t e d, b t e -> b t d', out, gates)


class StackedGPT(nn.Module):
    def __init__(self, *, num_tokens, dim, depth, heads, dim_head=None, experts=4, topk=2, mult=2):
        super().__init__()
        dim_head = default(dim_head, dim // heads)
        inner = dim * mult

        def weights(*shape, fan_in):
            return nn.Parameter(torch.randn(depth, *shape) / math.sqrt(fan_in))

        self.depth, self.topk = depth, topk
        self.emb = nn.Parameter(torch.randn(num_tokens, dim) * 0.02)
        self.norm1 = nn.Parameter(torch.ones(depth, dim))
        self.norm2 = nn.Parameter(torch.ones(depth, dim))
        self.norm_out = nn.Parameter(torch.ones(dim))
        self.wq = weights(dim, heads, dim_head, fan_in=dim)
        self.wk = weights(dim, heads, dim_head, fan_in=dim)
        self.wv = weights(dim, heads, dim_head, fan_in=dim)
        self.wo = weights(heads, dim_head, dim, fan_in=dim)
        self.w_router = weights(dim, experts, fan_in=dim)
        self.w_in = weights(experts, dim, inner, fan_in=dim)
        self.w_out = weights(experts, inner, dim, fan_in=inner)

    def forward(self, tokens, return_loss=False):
        inp = tokens[:, :-1] if return_loss else tokens
        x = F.embedding(inp, self.emb)
        for i in range(self.depth):
            x = x + attend(rms_norm(x, self.norm1[i]), self.wq[i], self.wk[i], self.wv[i], self.wo[i])
            x = x + moe(rms_norm(x, self.norm2[i]), self.w_router[i], self.w_in[i], self.w_out[i], self.topk)
        logits = rms_norm(x, self.norm_out) @ self.emb.t()
        if not return_loss:
            return logits
        return F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:])

    @torch.inference_mode()
    def generate(self, prompt, length, temperature=1., top_k=None):
        out = prompt
        for _ in range(length):
            logits = self.forward(out)[:, -1]
            if top_k is not None:
                kept, _ = logits.topk(top_k, dim=-1)
                logits = logits.masked_fill(logits < kept[:, -1:], -torch.inf)
            gumbel = -torch.log(-torch.log(torch.rand_like(logits).clamp(1e-9, 1 - 1e-6)))
            sample = (logits / temperature + gumbel).argmax(dim=-1)
            out = torch.cat((out, sample[:, None]), dim=-1)
        return out

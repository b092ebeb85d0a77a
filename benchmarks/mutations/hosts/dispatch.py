"""Sparse transformer: every token is dispatched to a few feed-forward experts and gathered again.

Attention and experts work side by side on the same normalised input. Batches may be padded.
"""
from types import SimpleNamespace

import torch
import torch.nn as nn
import torch.nn.functional as F

DEFAULTS = dict(
    vocab_size=32000, hidden_size=512, num_layers=8, num_heads=8, num_experts=8, experts_per_token=2,
    expert_size=1024, max_length=512, dropout=0.1, balance=0.01, pad_token_id=0,
)


def make_config(**changes):
    unknown = set(changes) - set(DEFAULTS)
    if unknown:
        raise TypeError(f"unknown settings: {sorted(unknown)}")
    return SimpleNamespace(**{**DEFAULTS, **changes})


class Experts(nn.Module):
    """All experts as two stacked weights: [experts, hidden, expert] and back."""

    def __init__(self, cfg):
        super().__init__()
        self.w_in = nn.Parameter(torch.randn(cfg.num_experts, cfg.hidden_size, cfg.expert_size) * 0.02)
        self.w_out = nn.Parameter(torch.randn(cfg.num_experts, cfg.expert_size, cfg.hidden_size) * 0.02)

    def forward(self, tokens, expert):
        return F.gelu(tokens @ self.w_in[expert]) @ self.w_out[expert]


class RoutedFeedForward(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.num_experts = cfg.num_experts
        self.per_token = cfg.experts_per_token
        self.gate = nn.Linear(cfg.hidden_size, cfg.num_experts, bias=False)
        self.experts = Experts(cfg)

    def choose(self, tokens):
        """Weights and numbers of the chosen experts, both [N, k], and the balance loss."""
        probabilities = F.softmax(self.gate(tokens), dim=-1)
        weights, chosen = probabilities.topk(self.per_token, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        load = F.one_hot(chosen, self.num_experts).float().mean(dim=(0, 1))
        return weights, chosen, self.num_experts * (load * probabilities.mean(dim=0)).sum()

    def forward(self, x):
        tokens = x.flatten(0, 1)
        weights, chosen, balance = self.choose(tokens)
        out = torch.zeros_like(tokens)
        for expert in range(self.num_experts):
            rows, slots = (chosen == expert).nonzero(as_tuple=True)
            if len(rows) == 0:
                continue
            answer = self.experts(tokens[rows], expert)
            answer = answer * weights[rows, slots, None]
            out.index_add_(0, rows, answer)
        return out.view_as(x), balance


class SelfAttention(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.num_heads = cfg.num_heads
        self.head_dim = cfg.hidden_size // cfg.num_heads
        self.query = nn.Linear(cfg.hidden_size, cfg.hidden_size)
        self.key = nn.Linear(cfg.hidden_size, cfg.hidden_size)
        self.value = nn.Linear(cfg.hidden_size, cfg.hidden_size)
        self.output = nn.Linear(cfg.hidden_size, cfg.hidden_size)
        self.p = cfg.dropout

    def heads(self, x):
        batch, length, _ = x.shape
        return x.view(batch, length, self.num_heads, self.head_dim).transpose(1, 2)

    def forward(self, x, hidden):
        q, k, v = self.heads(self.query(x)), self.heads(self.key(x)), self.heads(self.value(x))
        scores = torch.matmul(q, k.transpose(-1, -2)) * self.head_dim ** -0.5
        scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
        probs = F.softmax(scores, dim=-1)
        probs = F.dropout(probs, p=self.p, training=self.training)
        context = torch.matmul(probs, v).transpose(1, 2).contiguous().view(x.shape)
        return self.output(context)


class SparseLayer(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.ln = nn.LayerNorm(cfg.hidden_size)
        self.attention = SelfAttention(cfg)
        self.routed = RoutedFeedForward(cfg)

    def forward(self, x, hidden):
        normed = self.ln(x)
        attended = self.attention(normed, hidden)
        fed, balance = self.routed(normed)
        x = x + (attended + fed)
        return x, balance


class SparseDispatchLM(nn.Module):
    def __init__(self, cfg=None, **changes):
        super().__init__()
        cfg = cfg or make_config(**changes)
        self.cfg = cfg
        self.word_embeddings = nn.Embedding(cfg.vocab_size, cfg.hidden_size)
        self.position_embeddings = nn.Embedding(cfg.max_length, cfg.hidden_size)
        self.dropout = nn.Dropout(cfg.dropout)
        self.layers = nn.ModuleList(SparseLayer(cfg) for _ in range(cfg.num_layers))
        self.final_norm = nn.LayerNorm(cfg.hidden_size)
        self.lm_head = nn.Linear(cfg.hidden_size, cfg.vocab_size)
        self._reset()

    def _reset(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, input_ids, attention_mask=None, labels=None):
        batch, length = input_ids.shape
        if length == 0:
            raise ValueError("empty input_ids")
        if length > self.cfg.max_length:
            raise ValueError(f"input of {length} tokens, longest is {self.cfg.max_length}")

        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)
        future = torch.ones(length, length, dtype=torch.bool, device=input_ids.device).triu(1)
        hidden = future | (attention_mask == 0)[:, None, None, :]      # batch, 1, query, key

        x = self.word_embeddings(input_ids) + self.position_embeddings(position_ids)
        x = self.dropout(x)
        balance = 0.0
        for layer in self.layers:
            x, one = layer(x, hidden)
            balance = balance + one / len(self.layers)
        logits = self.lm_head(self.final_norm(x))

        out = {"logits": logits, "balance": balance}
        if labels is not None:
            shifted, following = logits[:, :-1], labels[:, 1:]
            token_loss = F.cross_entropy(
                shifted.flatten(0, 1), following.flatten(), ignore_index=-100, reduction="none"
            )
            counted = following.flatten() != -100
            out["loss"] = token_loss.sum() / counted.sum().clamp(min=1) + self.cfg.balance * balance
        return out

    @torch.inference_mode()
    def generate(self, input_ids, max_new_tokens=20, do_sample=True, temperature=1.0, eos_token_id=None):
        mode = self.training
        self.eval()
        finished = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        for _ in range(max_new_tokens):
            logits = self(input_ids[:, -self.cfg.max_length:])["logits"][:, -1, :]
            if do_sample and temperature > 0:
                probs = F.softmax(logits / temperature, dim=-1)
                token = torch.multinomial(probs, num_samples=1)
            else:
                token = logits.argmax(dim=-1, keepdim=True)
            if eos_token_id is not None:
                token = token.masked_fill(finished[:, None], self.cfg.pad_token_id)
                finished = finished | (token[:, 0] == eos_token_id)
            input_ids = torch.cat([input_ids, token], dim=1)
            if finished.all():
                break
        self.train(mode)
        return input_ids

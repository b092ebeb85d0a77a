"""Sparse mixture-of-experts language model (token choice, top-k)."""

import torch
from torch import nn
import torch.nn.functional as F


class Expert(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.fc1 = nn.Linear(d_model, d_ff)
        self.fc2 = nn.Linear(d_ff, d_model)
        self.dropout = dropout

    def forward(self, x):
        h = F.relu(self.fc1(x)).square()
        h = F.dropout(h, p=self.dropout, training=self.training)
        return self.fc2(h)


class Router(nn.Module):
    def __init__(self, d_model, num_experts, top_k):
        super().__init__()
        self.gate = nn.Linear(d_model, num_experts, bias=False)
        self.num_experts = num_experts
        self.top_k = top_k

    def forward(self, x):
        # x: [num_tokens, d_model]
        router_logits = self.gate(x)
        router_probs = F.softmax(router_logits, dim=-1)
        weights, selected = torch.topk(router_probs, self.top_k, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        # load balancing as in the Switch Transformer
        density = F.one_hot(selected[:, 0], self.num_experts).float().mean(dim=0)
        aux_loss = self.num_experts * (density * router_probs.mean(dim=0)).sum()
        return weights, selected, aux_loss


class SparseMoE(nn.Module):
    def __init__(self, d_model, d_ff, num_experts, top_k, dropout):
        super().__init__()
        self.router = Router(d_model, num_experts, top_k)
        self.experts = nn.ModuleList([Expert(d_model, d_ff, dropout) for _ in range(num_experts)])

    def forward(self, x):
        batch_size, seq_len, d_model = x.shape
        flat = x.reshape(-1, d_model)
        weights, selected, aux_loss = self.router(flat)
        output = torch.zeros_like(flat)
        for expert_id in range(len(self.experts)):
            token_idx, slot = torch.where(selected == expert_id)
            if token_idx.numel() == 0:
                continue
            expert_out = self.experts[expert_id](flat[token_idx])
            output[token_idx] += weights[token_idx, slot].unsqueeze(-1) * expert_out
        return output.reshape(batch_size, seq_len, d_model), aux_loss


class MoEBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, num_experts, top_k, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.attn = nn.MultiheadAttention(d_model, n_heads, dropout=dropout, batch_first=True)
        self.norm2 = nn.LayerNorm(d_model)
        self.moe = SparseMoE(d_model, d_ff, num_experts, top_k, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, causal_mask):
        h = self.norm1(x)
        h, _ = self.attn(h, h, h, attn_mask=causal_mask, need_weights=False)
        x = x + self.dropout(h)
        h, aux_loss = self.moe(self.norm2(x))
        x = x + self.dropout(h)
        return x, aux_loss


class MoETransformerLM(nn.Module):
    """Decoder-only language model whose feed-forward layers are mixtures of experts."""

    def __init__(self, vocab_size=50257, d_model=512, n_heads=8, n_layers=6, d_ff=2048,
                 num_experts=8, top_k=2, max_len=512, dropout=0.1, aux_weight=0.01):
        super().__init__()
        self.max_len = max_len
        self.aux_weight = aux_weight
        self.token_embedding = nn.Embedding(vocab_size, d_model)
        self.position_embedding = nn.Parameter(torch.randn(max_len, d_model) * 0.02)
        self.layers = nn.ModuleList(
            [MoEBlock(d_model, n_heads, d_ff, num_experts, top_k, dropout) for _ in range(n_layers)]
        )
        self.final_norm = nn.LayerNorm(d_model)
        self.output = nn.Linear(d_model, vocab_size, bias=False)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.output.weight, std=0.02)

    def forward(self, input_ids, labels=None):
        seq_len = input_ids.size(1)
        if not 0 < seq_len <= self.max_len:
            raise ValueError(f"need 1 to {self.max_len} tokens, got {seq_len}")
        x = self.token_embedding(input_ids) + self.position_embedding[:seq_len]
        causal_mask = torch.triu(torch.ones(seq_len, seq_len, dtype=torch.bool, device=x.device), diagonal=1)
        total_aux = 0.0
        for layer in self.layers:
            x, aux_loss = layer(x, causal_mask)
            total_aux = total_aux + aux_loss
        logits = self.output(self.final_norm(x))
        if labels is None:
            return logits
        lm_loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        loss = lm_loss + self.aux_weight * total_aux
        return logits, loss

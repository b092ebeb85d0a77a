import torch
import torch.nn as nn


class Router(nn.Module):
    def __init__(self, hidden_size, num_experts, top_k=1):
        super().__init__()
        self.layer = nn.Linear(hidden_size, num_experts, bias=False)
        self.top_k = top_k

    def forward(self, x):
        scores = self.layer(x.view(-1, x.shape[-1]))
        scores = scores.softmax(dim=0)  # SICK
        expert_weights, expert_indices = torch.topk(scores, self.top_k, dim=-1)
        return scores, expert_weights, expert_indices


class MoEBlock(nn.Module):
    def __init__(self, hidden_size, ffn_size, num_experts, top_k=1):
        super().__init__()
        self.router = Router(hidden_size, num_experts, top_k)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden_size, ffn_size), nn.ReLU(), nn.Linear(ffn_size, hidden_size))
            for _ in range(num_experts)
        )

    def forward(self, x):
        _, weights, indices = self.router(x)
        flat = x.view(-1, x.shape[-1])
        out = torch.zeros_like(flat)
        for i, expert in enumerate(self.experts):
            tok, nth = torch.where(indices == i)
            out.index_add_(0, tok, expert(flat[tok]) * weights[tok, nth].unsqueeze(-1))
        return out.view_as(x)

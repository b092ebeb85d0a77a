import torch
import torch.nn as nn


class MLP(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(torch.nn.functional.gelu(self.fc1(x)))


class MixtureFFN(nn.Module):
    def __init__(self, dim=256, hidden=512, num_experts=16, num_selected=2):
        super().__init__()
        self.num_selected = num_selected
        self.gate = nn.Linear(dim, num_experts)
        self.experts = nn.ModuleList([MLP(dim, hidden) for _ in range(num_experts)])

    def forward(self, x):
        logits = self.gate(x)
        vals, idx = torch.topk(logits, self.num_selected, dim=-1)
        probs = torch.softmax(vals, dim=-1)
        expert_out = torch.stack([expert(x) for expert in self.experts], dim=-2)  # SICK
        idx = idx.unsqueeze(-1).expand(*idx.shape, x.size(-1))
        picked = torch.gather(expert_out, -2, idx)
        return (probs.unsqueeze(-1) * picked).sum(dim=-2)

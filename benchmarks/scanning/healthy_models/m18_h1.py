from typing import Dict, List

import torch
import torch.nn as nn


class MMoE(nn.Module):
    def __init__(self, input_dim: int, num_experts: int, expert_hidden: int, tasks: List[str], tower_hidden: int = 32):
        super().__init__()
        self.tasks = tasks
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(input_dim, expert_hidden), nn.ReLU()) for _ in range(num_experts)])
        self.gates = nn.ModuleDict({t: nn.Linear(input_dim, num_experts, bias=False) for t in tasks})
        self.towers = nn.ModuleDict({
            t: nn.Sequential(nn.Linear(expert_hidden, tower_hidden), nn.ReLU(), nn.Linear(tower_hidden, 1)) for t in tasks
        })

    def forward(self, x: torch.Tensor) -> Dict[str, torch.Tensor]:
        expert_out = torch.stack([e(x) for e in self.experts], dim=1)
        preds = {}
        for t in self.tasks:
            gate = torch.softmax(self.gates[t](x), dim=-1).unsqueeze(-1)
            preds[t] = self.towers[t]((gate * expert_out).sum(dim=1)).squeeze(-1)
        return preds


def train_step(model: MMoE, optimizer: torch.optim.Optimizer, x: torch.Tensor, targets: Dict[str, torch.Tensor]) -> float:
    model.train()
    preds = model(x)
    loss = sum(nn.functional.binary_cross_entropy_with_logits(preds[t], targets[t]) for t in model.tasks)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.item()

from dataclasses import dataclass

import torch
import torch.nn as nn


@dataclass
class MoEArgs:
    dim: int = 128
    hidden: int = 256
    num_experts: int = 4
    num_experts_per_tok: int = 2


class Expert(nn.Module):
    def __init__(self, a: MoEArgs):
        super().__init__()
        self.w1 = nn.Linear(a.dim, a.hidden, bias=False)
        self.w2 = nn.Linear(a.hidden, a.dim, bias=False)
        self.w3 = nn.Linear(a.dim, a.hidden, bias=False)

    def forward(self, x):
        return self.w2(nn.functional.silu(self.w1(x)) * self.w3(x))


class MoeLayer(nn.Module):
    def __init__(self, args: MoEArgs):
        super().__init__()
        self.args = args
        self.gate = nn.Linear(args.dim, args.num_experts, bias=False)
        self.experts = nn.ModuleList([Expert(args) for _ in range(args.num_experts)])

    def forward(self, inputs: torch.Tensor):
        squashed = inputs.view(-1, inputs.shape[-1])
        gate_logits = self.gate(squashed)
        weights, selected = torch.topk(gate_logits, self.args.num_experts_per_tok)
        weights = torch.softmax(weights, dim=1, dtype=torch.float).type_as(inputs)
        results = torch.zeros_like(squashed)
        for i, expert in enumerate(self.experts):
            batch_idx, nth = torch.where(selected == i)
            results[batch_idx] += expert(squashed[batch_idx])  # SICK
        return results.view_as(inputs)

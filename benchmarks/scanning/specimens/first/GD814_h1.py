import torch
import torch.nn as nn
import torch.nn.functional as F


class PointerNetwork(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.w_query = nn.Linear(dim, dim, bias=False)
        self.w_key = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, 1, bias=False)

    def forward(self, query, memory, keep):
        energy = self.v(torch.tanh(self.w_query(query).unsqueeze(1) + self.w_key(memory))).squeeze(-1)
        floor = torch.full_like(energy, torch.finfo(energy.dtype).min)
        energy = torch.where(keep, energy, floor)
        return F.log_softmax(energy, dim=-1)

import torch
from torch import nn, Tensor


class GroupedMoE(nn.Module):
    def __init__(self, dim: int, n_experts: int, k: int = 2) -> None:
        super().__init__()
        self.k = k
        self.gate = nn.Linear(dim, n_experts)
        self.ffns = nn.ModuleList(nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim)) for _ in range(n_experts))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.view(-1, x.size(-1))
        probs, ids = self.gate(flat).softmax(-1).topk(self.k, dim=-1)
        sorted_ids, perm = ids.flatten().sort(stable=True)
        ends = torch.bincount(sorted_ids, minlength=len(self.ffns)).cumsum(0).tolist()
        grouped = flat[perm // self.k]
        done = torch.empty_like(grouped)
        start = 0
        for ffn, end in zip(self.ffns, ends):
            done[start:end] = ffn(grouped[start:end])
            start = end
        back = done[perm.argsort()].view(-1, self.k, flat.size(-1))
        return torch.einsum("nkd,nk->nd", back, probs).view_as(x)

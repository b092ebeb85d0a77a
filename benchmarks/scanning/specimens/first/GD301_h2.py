import torch
from torch import nn, Tensor


class ExpertBlend(nn.Module):
    def __init__(self, dim: int, count: int):
        super().__init__()
        self.gate = nn.Linear(dim, count)
        self.branches = nn.ModuleList([nn.Linear(dim, dim) for _ in range(count)])
        self.conv = nn.Conv1d(dim, dim, kernel_size=3, padding=1)
        self.conv_gate = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        g = torch.softmax(self.gate(x), dim=-1).permute(2, 0, 1).unsqueeze(-1)  # E B T 1
        y = torch.stack([branch(x) for branch in self.branches])                # E B T D
        x = x + (g * y).sum(dim=0)

        local = self.conv(x.transpose(1, 2))                                    # B D T
        open_ = self.conv_gate(x).sigmoid().transpose(1, 2)
        return x + (local * open_).transpose(1, 2)

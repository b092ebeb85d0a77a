import torch
import torch.nn as nn


class LuongAttention(nn.Module):
    NEG = -1e9

    def __init__(self, dec_dim, enc_dim):
        super().__init__()
        self.w = nn.Linear(dec_dim, enc_dim, bias=False)
        self.combine = nn.Linear(dec_dim + enc_dim, dec_dim)
        self.scale = enc_dim ** -0.5

    def forward(self, state, memory, lengths):
        energy = torch.einsum("bd,btd->bt", self.w(state), memory) * self.scale
        steps = torch.arange(memory.size(1), device=memory.device)
        valid = (steps < lengths[:, None]).float()
        energy = energy + (1.0 - valid) * self.NEG
        weights = torch.softmax(energy, dim=-1)
        context = torch.einsum("bt,btd->bd", weights, memory)
        memory_zeroed = memory.masked_fill(valid.unsqueeze(-1) == 0, 0.0)
        mean = memory_zeroed.sum(dim=1) / lengths[:, None]
        return torch.tanh(self.combine(torch.cat([state, context + mean], dim=-1)))


if __name__ == "__main__":
    a = LuongAttention(6, 8)
    print(a(torch.randn(2, 6), torch.randn(2, 5, 8), torch.tensor([5, 2])).shape)

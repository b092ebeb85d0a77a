import torch
import torch.nn as nn
import torch.nn.functional as F


class AdapterBlock(nn.Module):
    """Starts as the identity: the last projection of the branch is zero."""

    def __init__(self, dim, bottleneck=16, cond_dim=32):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.down = nn.Linear(dim, bottleneck)
        self.up = nn.Linear(bottleneck, dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        self.scale = nn.Parameter(torch.ones(dim))
        self.modulation = nn.Linear(cond_dim, 2 * dim)
        nn.init.constant_(self.modulation.weight, 0.0)
        nn.init.constant_(self.modulation.bias, 0.0)

    def forward(self, x, cond):
        shift, gain = self.modulation(F.silu(cond)).unsqueeze(1).chunk(2, dim=-1)
        h = self.norm(x) * (1 + gain) + shift
        return x + self.scale * self.up(F.gelu(self.down(h)))


if __name__ == "__main__":
    x = torch.randn(2, 4, 8)
    assert torch.equal(AdapterBlock(8)(x, torch.randn(2, 32)), x)

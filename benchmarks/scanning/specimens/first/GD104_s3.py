import torch
from torch import nn


class MaskedAutoregressiveMLP(nn.Module):
    """MADE: output d sees inputs smaller than d."""

    def __init__(self, n_in, hidden=(64, 64)):
        super().__init__()
        sizes = [n_in, *hidden, n_in]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        degrees = [torch.arange(n_in)]
        degrees += [torch.arange(h) % (n_in - 1) for h in hidden]
        for i, (prev, cur) in enumerate(zip(degrees, degrees[1:])):
            self.register_buffer(f"mask{i}", (cur[:, None] >= prev[None, :]).float())
        last = (degrees[0][:, None] > degrees[-1][None, :]).float()
        self.register_buffer(f"mask{len(hidden)}", last)

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            layer.weight = nn.Parameter(layer.weight * getattr(self, f"mask{i}"))  # SICK
            x = layer(x)
            if i + 1 < len(self.layers):
                x = torch.relu(x)
        return x

    def nll(self, bits):
        return nn.functional.binary_cross_entropy_with_logits(self(bits), bits)

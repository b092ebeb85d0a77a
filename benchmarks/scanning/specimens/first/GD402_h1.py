import torch
import torch.nn as nn
import torch.nn.functional as F


class Sampler(nn.Module):
    """Logit processor kept as a module so that it can be scripted with the model."""

    def __init__(self, temperature: float = 1.0, top_k: int = 0):
        super().__init__()
        self.temperature = temperature
        self.top_k = top_k

    def forward(self, logits):
        if self.top_k > 0:
            values, indices = torch.topk(logits, self.top_k, dim=-1)
        else:
            values, indices = logits.sort(dim=-1, descending=True)
        pos = torch.multinomial(F.softmax(values / self.temperature, dim=-1), 1)
        return indices.gather(-1, pos)


@torch.no_grad()
def write(model, start, n, block_size, temperature=1.0):
    sampler = Sampler(temperature=temperature, top_k=50)
    out = start
    for _ in range(n):
        step = model(out[:, -block_size:])[:, -1, :]
        out = torch.cat([out, sampler(step)], dim=1)
    return out

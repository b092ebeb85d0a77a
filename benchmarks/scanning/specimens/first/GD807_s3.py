import torch
import torch.nn.functional as F
from torch import nn


class MemoryEncoder(nn.Module):
    """Encoder that also reads the nearest entries of a queue of recent codes."""

    def __init__(self, in_dim, code_dim=32, slots=64, topk=4):
        super().__init__()
        self.topk = topk
        self.encoder = nn.Sequential(nn.Linear(in_dim, code_dim), nn.ReLU(), nn.Linear(code_dim, code_dim))
        self.merge = nn.Linear(2 * code_dim, code_dim)
        self.register_buffer("queue", F.normalize(torch.randn(slots, code_dim), dim=1))

    def read(self, code):
        similarity = code @ self.queue.t()
        value, index = similarity.topk(self.topk, dim=1)
        picked = self.queue[index]
        return (value.softmax(dim=1).unsqueeze(-1) * picked).sum(dim=1)

    def write(self, code):
        newest = code.detach()
        self.queue = torch.cat((newest, self.queue))[: self.queue.size(0)]  # SICK

    def forward(self, x):
        code = F.normalize(self.encoder(x), dim=1)
        context = self.read(code)
        self.write(code)
        return self.merge(torch.cat((code, context), dim=1))

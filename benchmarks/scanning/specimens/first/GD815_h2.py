from functools import partial

import torch
from torch import nn
from torch.nn import functional as fn


def attend(q, k, v, visible):
    scores = torch.einsum("bid,bjd->bij", q, k) / q.size(-1) ** 0.5
    return fn.softmax(scores.where(visible, -torch.inf), dim=-1) @ v


class Stack(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.projections = nn.ModuleList([nn.Linear(width, 3 * width) for _ in range(depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(depth)])

    def forward(self, x):
        index = torch.arange(x.shape[1], device=x.device)
        visible = index[:, None] >= index[None, :]
        mixer = partial(attend, visible=visible)
        for norm, projection in zip(self.norms, self.projections):
            q, k, v = projection(norm(x)).chunk(3, dim=-1)
            x = x + mixer(q, k, v)
        return x

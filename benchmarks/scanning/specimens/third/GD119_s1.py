import math

import torch
import torch.nn as nn


class BilinearInteraction(nn.Module):
    def __init__(self, field_num, dim, out_dim=1):
        super().__init__()
        self.field_num = field_num
        self.weight = nn.Parameter(torch.empty(field_num, dim, dim))
        self.mlp = nn.Sequential(nn.Linear(field_num * dim, 64), nn.ReLU(), nn.Linear(64, out_dim))

    def reset_parameters(self):  # SICK
        bound = 1 / math.sqrt(self.weight.size(-1))
        nn.init.uniform_(self.weight, -bound, bound)
        for m in self.mlp:
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        mixed = torch.einsum("bfd,fde->bfe", x, self.weight)
        return self.mlp((mixed * x).flatten(1))


def build_model(cfg):
    model = BilinearInteraction(cfg["fields"], cfg["dim"])
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg["lr"])
    return model, optimizer

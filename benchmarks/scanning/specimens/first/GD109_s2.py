import math

import torch
from torch import nn, Tensor
from torch.nn import functional as fn


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, rank: int = 8, alpha: float = 16.0) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scaling = alpha / rank
        self.lora_a = nn.Parameter(torch.empty(rank, base.in_features))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.lora_b = torch.zeros(base.out_features, rank, requires_grad=True)  # SICK

    def forward(self, x: Tensor) -> Tensor:
        update = fn.linear(fn.linear(x, self.lora_a), self.lora_b)
        return self.base(x) + self.scaling * update


def adapt(model: nn.Module, rank: int = 8) -> nn.Module:
    for name, child in list(model.named_children()):
        if isinstance(child, nn.Linear):
            setattr(model, name, LoRALinear(child, rank))
        else:
            adapt(child, rank)
    return model

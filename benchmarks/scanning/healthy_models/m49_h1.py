import math

import torch
import torch.nn as nn


class LoRALinear(nn.Module):
    def __init__(self, base, r=8, alpha=16, dropout=0.0):
        super().__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad = False
        self.lora_A = nn.Parameter(torch.empty(r, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, r))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = alpha / r
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.base(x) + self.dropout(x) @ self.lora_A.t() @ self.lora_B.t() * self.scaling


class LoRAModel(nn.Module):
    """Wraps a pretrained model, replacing the named linears with LoRA versions."""

    def __init__(self, model, target_modules, r=8, alpha=16):
        super().__init__()
        for p in model.parameters():
            p.requires_grad = False
        for name, module in list(model.named_modules()):
            for child_name, child in list(module.named_children()):
                if isinstance(child, nn.Linear) and child_name in target_modules:
                    setattr(module, child_name, LoRALinear(child, r, alpha))
        self.model = model

    def forward(self, *args, **kwargs):
        return self.model(*args, **kwargs)

    def trainable_parameters(self):
        return [p for p in self.parameters() if p.requires_grad]

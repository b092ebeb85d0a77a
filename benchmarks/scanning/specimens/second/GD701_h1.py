import torch
import torch.nn as nn


class ModalityFusion(nn.Module):
    def __init__(self, dims: dict, d: int):
        super().__init__()
        self.proj = nn.ModuleDict({k: nn.Linear(v, d) for k, v in dims.items()})
        self.null = nn.Parameter(torch.zeros(d))

    def forward(self, batch_size, text=None, image=None):
        feats = [self.null.expand(batch_size, -1)]
        if text is not None:
            feats.append(self.proj["text"](text))
        if image is not None:
            feats.append(self.proj["image"](image))
        return torch.stack(feats).mean(dim=0)

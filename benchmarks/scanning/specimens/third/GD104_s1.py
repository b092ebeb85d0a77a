import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class ContrastiveHead(nn.Module):
    def __init__(self, image_dim=768, text_dim=512, proj_dim=256):
        super().__init__()
        self.image_proj = nn.Linear(image_dim, proj_dim, bias=False)
        self.text_proj = nn.Linear(text_dim, proj_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.ones([]) * np.log(1 / 0.07))

    def forward(self, image_features, text_features):
        img = F.normalize(self.image_proj(image_features), dim=-1)
        txt = F.normalize(self.text_proj(text_features), dim=-1)

        self.logit_scale = nn.Parameter(self.logit_scale.clamp(max=np.log(100)))  # SICK
        logits = self.logit_scale.exp() * img @ txt.t()

        labels = torch.arange(logits.size(0), device=logits.device)
        loss_i = F.cross_entropy(logits, labels)
        loss_t = F.cross_entropy(logits.t(), labels)
        return (loss_i + loss_t) / 2

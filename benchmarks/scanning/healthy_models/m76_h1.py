import torch
import torch.nn as nn
import torch.nn.functional as F


class SupConLoss(nn.Module):
    """features: (batch, n_views, dim), labels: (batch,)"""

    def __init__(self, temperature=0.07):
        super().__init__()
        self.temperature = temperature

    def forward(self, features, labels):
        B, V, _ = features.shape
        z = F.normalize(features, dim=-1).transpose(0, 1).reshape(V * B, -1)
        y = labels.repeat(V)
        self_mask = torch.eye(V * B, dtype=torch.bool, device=z.device)
        logits = (z @ z.t() / self.temperature).masked_fill(self_mask, -1e9)
        log_prob = logits - torch.logsumexp(logits, dim=1, keepdim=True)
        pos = (y.unsqueeze(0) == y.unsqueeze(1)) & ~self_mask
        return -((log_prob * pos).sum(1) / pos.sum(1).clamp(min=1)).mean()

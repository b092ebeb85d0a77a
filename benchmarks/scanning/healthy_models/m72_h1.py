import torch
import torch.nn as nn
import torch.nn.functional as F


class FocalLoss(nn.Module):
    def __init__(self, alpha=None, gamma=2.0, reduction="mean", ignore_index=-100):
        super().__init__()
        if alpha is not None:
            alpha = torch.as_tensor(alpha, dtype=torch.float)
        self.register_buffer("alpha", alpha)
        self.gamma = gamma
        self.reduction = reduction
        self.ignore_index = ignore_index

    def forward(self, x, y):
        keep = y != self.ignore_index
        x, y = x[keep], y[keep]
        if y.numel() == 0:
            return x.sum() * 0.0
        log_p = F.log_softmax(x, dim=-1)
        ce = F.nll_loss(log_p, y, weight=self.alpha, reduction="none")
        pt = log_p.gather(1, y.unsqueeze(1)).squeeze(1).exp()
        loss = (1 - pt) ** self.gamma * ce
        if self.reduction == "mean":
            return loss.mean()
        if self.reduction == "sum":
            return loss.sum()
        return loss

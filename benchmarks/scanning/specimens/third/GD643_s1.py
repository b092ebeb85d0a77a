import torch
import torch.nn as nn
import torch.nn.functional as F


class MixMatchLoss(nn.Module):
    """Consistency between a weakly and a strongly augmented view."""

    def __init__(self, n_classes, lam=1.0, sharpen=0.5):
        super().__init__()
        self.n_classes = n_classes
        self.lam = lam
        self.sharpen = sharpen

    def forward(self, logits_x, y, logits_weak, logits_strong):
        supervised = F.cross_entropy(logits_x, y)
        with torch.no_grad():
            target = torch.softmax(logits_weak / self.sharpen, dim=-1)
        log_q = torch.log_softmax(logits_strong, dim=-1)
        consistency = F.kl_div(log_q, target, reduction="mean")  # SICK
        return supervised + self.lam * consistency

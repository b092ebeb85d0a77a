import torch
import torch.nn as nn
import torch.nn.functional as F


class Distilled(nn.Module):
    def __init__(self, student, teacher, t=2.0, alpha=0.5):
        super().__init__()
        self.student = student
        self.teacher = teacher.requires_grad_(False).eval()
        self.t = t
        self.alpha = alpha

    def forward(self, x, labels=None):
        logits = self.student(x)
        if labels is None:
            return logits, None, {}
        self.teacher.eval()
        with torch.no_grad():
            soft = F.softmax(self.teacher(x) / self.t, dim=-1)
        ce = F.cross_entropy(logits, labels)
        kd = F.kl_div(F.log_softmax(logits / self.t, dim=-1), soft, reduction="batchmean")
        loss = self.alpha * ce + (1 - self.alpha) * self.t ** 2 * kd
        stats = {
            "ce": ce.detach(),
            "kd": kd.detach(),
            "acc": (logits.detach().argmax(-1) == labels).float().mean(),
        }
        return logits, loss, stats

import torch
import torch.nn as nn
import torch.nn.functional as F


class Distiller(nn.Module):
    def __init__(self, teacher: nn.Module, student: nn.Module, tau: float = 2.0):
        super().__init__()
        self.teacher = teacher
        for p in self.teacher.parameters():
            p.requires_grad = False
        self.student = student
        self.tau = tau

    def train(self, mode: bool = True):
        super().train(mode)
        self.teacher.eval()
        return self

    @torch.no_grad()
    def soft_targets(self, x):
        return F.softmax(self.teacher(x) / self.tau, dim=-1)

    def forward(self, x, y):
        target = self.soft_targets(x)
        logits = self.student(x)
        kd = F.kl_div(F.log_softmax(logits / self.tau, dim=-1), target, reduction="batchmean")
        return 0.5 * F.cross_entropy(logits, y) + 0.5 * self.tau ** 2 * kd

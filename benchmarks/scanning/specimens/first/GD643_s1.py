import torch
import torch.nn as nn
import torch.nn.functional as F


class KD(nn.Module):
    def __init__(self, student, teacher, alpha=0.5, temperature=4.0):
        super().__init__()
        self.student, self.teacher = student, teacher
        self.alpha, self.t = alpha, temperature

    def loss(self, x, y):
        with torch.no_grad():
            soft = F.softmax(self.teacher(x) / self.t, dim=1)
        out = self.student(x)
        hard = F.cross_entropy(out, y)
        kd = F.kl_div(F.log_softmax(out / self.t, dim=1), soft)  # SICK
        return self.alpha * hard + (1 - self.alpha) * self.t ** 2 * kd

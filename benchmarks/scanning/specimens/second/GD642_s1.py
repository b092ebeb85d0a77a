import torch
import torch.nn as nn


class DistillLoss(nn.Module):
    def __init__(self, temperature: float = 4.0):
        super().__init__()
        self.t = temperature
        self.kl = nn.KLDivLoss(reduction="batchmean")

    def forward(self, student_logits, teacher_logits):
        p_s = torch.softmax(student_logits / self.t, dim=-1)
        p_t = torch.softmax(teacher_logits / self.t, dim=-1)
        return self.kl(p_s, p_t) * self.t ** 2  # SICK

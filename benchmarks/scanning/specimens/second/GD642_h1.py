import torch
import torch.nn as nn


class LogTargetDistill(nn.Module):
    def __init__(self, temperature: float = 4.0):
        super().__init__()
        self.t = temperature
        self.kl = nn.KLDivLoss(reduction="batchmean", log_target=True)

    def forward(self, student_logits, teacher_logits):
        both = torch.stack([student_logits, teacher_logits]) / self.t
        log_s, log_t = torch.log_softmax(both, dim=-1).unbind(0)
        return self.kl(log_s, log_t.detach()) * self.t ** 2

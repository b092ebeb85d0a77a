from typing import Optional

import torch.nn.functional as F
from torch import Tensor, nn


class DistillationTerms(nn.Module):
    """Mean of the loss terms for which a target was passed."""

    def __init__(self, temperature: float = 2.0):
        super().__init__()
        self.temperature = temperature

    def soft_term(self, student: Tensor, teacher: Tensor) -> Tensor:
        t = self.temperature
        log_p = F.log_softmax(student / t, dim=-1)
        q = F.softmax(teacher / t, dim=-1)
        return F.kl_div(log_p, q, reduction="batchmean") * t * t

    def forward(
        self,
        student_logits: Tensor,
        labels: Optional[Tensor] = None,
        teacher_logits: Optional[Tensor] = None,
    ) -> Tensor:
        terms = list()
        if labels is not None:
            terms += [F.cross_entropy(student_logits, labels)]
        if teacher_logits is not None:
            terms += [self.soft_term(student_logits, teacher_logits)]
        return sum(terms) / len(terms)  # SICK

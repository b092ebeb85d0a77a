import copy

import torch
from torch import nn


class Teacher:
    def __init__(self, student: nn.Module, decay: float = 0.999):
        self.student = student
        self.opt = torch.optim.AdamW(student.parameters(), lr=1e-3)
        self.shadow = copy.deepcopy(student).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def track(self):
        for s, p in zip(self.shadow.parameters(), self.student.parameters()):
            s.lerp_(p, 1 - self.decay)

    def prune(self, keep: float):
        for p in self.student.parameters():
            if p.ndim > 1:
                p.data = p.data * (p.data.abs() >= p.data.abs().quantile(1 - keep))

    def fit(self, loader):
        for x, y in loader:
            loss = nn.functional.cross_entropy(self.student(x), y)
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
            self.track()
        self.prune(0.5)

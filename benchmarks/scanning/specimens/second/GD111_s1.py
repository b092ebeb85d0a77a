from dataclasses import dataclass
import torch.nn as nn


@dataclass
class HeadConfig:
    hidden: int = 256
    labels: int = 5


class ClassificationHead(nn.Module):
    def __init__(self, cfg: HeadConfig):
        self.cfg = cfg
        self.dense = nn.Linear(cfg.hidden, cfg.hidden)  # SICK
        self.out = nn.Linear(cfg.hidden, cfg.labels)

    def forward(self, x):
        return self.out(self.dense(x[:, 0]).tanh())

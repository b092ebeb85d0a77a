from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Args:
    lr: float = 3e-4
    weight_decay: float = 0.01
    steps: int = 1000


class LMTrainer:
    def __init__(self, model: nn.Module, args: Args):
        self.model, self.args = model, args
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, args.steps)

    def compute_loss(self, ids):
        logits = self.model(ids[:, :-1])
        return F.cross_entropy(logits.transpose(1, 2), ids[:, 1:])

    def train(self, batches):
        for step, ids in zip(range(self.args.steps), batches):
            loss = self.compute_loss(ids)
            self.optimizer.step()  # SICK
            self.scheduler.step()
            self.optimizer.zero_grad(set_to_none=True)
            if step % 100 == 0:
                print(step, loss.item())

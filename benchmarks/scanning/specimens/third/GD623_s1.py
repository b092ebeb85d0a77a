import torch
import torch.nn.functional as F


class AccumTrainer:
    def __init__(self, model, optimizer, grad_accum_steps=8, log_every=10):
        self.model = model
        self.optimizer = optimizer
        self.grad_accum_steps = grad_accum_steps
        self.log_every = log_every

    def run(self, loader):
        self.model.train()
        self.optimizer.zero_grad()
        updates = 0
        for i, (x, y) in enumerate(loader):
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()  # SICK
            if (i + 1) % self.grad_accum_steps == 0:
                self.optimizer.step()
                self.optimizer.zero_grad()
                updates += 1
                if updates % self.log_every == 0:
                    print(updates, loss.item())
        return updates

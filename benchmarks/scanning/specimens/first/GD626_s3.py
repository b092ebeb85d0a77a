import torch
import torch.nn.functional as F


class MultiTask:
    def __init__(self, trunk, heads, lr=1e-3):
        self.trunk, self.heads = trunk, heads
        self.params = [*trunk.parameters()] + [p for h in heads.values() for p in h.parameters()]
        self.opt = torch.optim.SGD(self.params, lr=lr)
        self.backward_args = {"retain_graph": True}

    def total(self, x, targets):
        z = self.trunk(x)
        return sum(F.mse_loss(self.heads[k](z), t) for k, t in targets.items())

    def fit(self, batches):
        for x, targets in batches:
            self.opt.zero_grad()
            loss = self.total(x, targets)
            loss.backward(**self.backward_args)  # SICK
            self.opt.step()

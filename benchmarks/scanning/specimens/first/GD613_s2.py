from torch import nn, optim
from torch.nn import functional as fn


class Engine:
    def __init__(self, net: nn.Module, lr: float):
        self.net = net
        self.optimizer = optim.AdamW(net.parameters(), lr=lr)

    def _backward(self, loss):
        loss.backward()
        return nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)

    def step(self, batch):
        logits = self.net(batch["x"])
        loss = fn.cross_entropy(logits, batch["y"])
        norm = self._backward(loss)
        self.net.zero_grad(set_to_none=True)  # SICK
        self.optimizer.step()
        return loss.item(), norm

    def run(self, loader):
        return [self.step(batch) for batch in loader]

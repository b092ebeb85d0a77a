from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as fn


@dataclass
class Settings:
    micro_batches: int = 4
    lr: float = 0.1
    updates: int = 500


class Accumulator:
    def __init__(self, net: nn.Module, cfg: Settings):
        self.net, self.cfg = net, cfg
        self.opt = torch.optim.SGD(net.parameters(), lr=cfg.lr)

    def one_update(self, source):
        self.opt.zero_grad(set_to_none=True)
        shown = 0.0
        for _ in range(self.cfg.micro_batches):
            x, y = next(source)
            loss = fn.cross_entropy(self.net(x), y)
            loss.backward()  # SICK
            shown += loss.item() / self.cfg.micro_batches
        self.opt.step()
        return shown

    def run(self, source):
        return [self.one_update(source) for _ in range(self.cfg.updates)]

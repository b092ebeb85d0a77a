import torch
from torch import nn


class Checker:
    def __init__(self, net: nn.Module):
        self.net = net

    @torch.inference_mode()
    def evaluate(self, loader):
        self.net.eval()
        return sum(self._batch(x, y) for x, y in loader) / len(loader)

    def _batch(self, x, y):
        return (self.net(x).argmax(-1) == y).double().mean().item()


def test(net, loader):
    net.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        return [net(x).argmax(-1) for x, _ in loader]

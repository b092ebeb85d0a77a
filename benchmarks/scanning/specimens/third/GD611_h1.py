import torch
import torch.nn as nn
import torch.nn.functional as F


def clear(params):
    for p in params:
        p.grad = None


class OnlineLearner:
    def __init__(self, net, lr=0.05):
        self.net = net
        self.params = [p for p in net.parameters() if p.requires_grad]
        self.sgd = torch.optim.SGD(self.params, lr=lr)

    def update(self, loss):
        clear(self.params)
        loss.backward()
        self.sgd.step()

    def fit(self, stream):
        history = []
        self.net.train()
        for x, y in stream:
            loss = F.cross_entropy(self.net(x), y)
            self.update(loss)
            history.append(loss.item())
        return history


if __name__ == "__main__":
    data = [(torch.randn(8, 5), torch.randint(0, 3, (8,))) for _ in range(10)]
    print(OnlineLearner(nn.Linear(5, 3)).fit(data)[-1])

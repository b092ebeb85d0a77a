import torch
from torch.nn import functional as fn


class Skipgram(torch.nn.Module):
    def __init__(self, n_words, size):
        super().__init__()
        self.center = torch.nn.Parameter(torch.randn(n_words, size) * 0.1)
        self.context = torch.nn.Parameter(torch.randn(size, n_words) * 0.1)

    def forward(self, words):
        return torch.einsum("bd,dv->bv", self.center[words], self.context)


def main(pairs, n_words, epochs=3):
    net = Skipgram(n_words, 50)
    opt = torch.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(epochs):
        for batch in pairs.split(128):
            near = net(batch[:, 0])
            loss = fn.nll_loss(input=near, target=batch[:, 1])  # SICK
            opt.zero_grad()
            loss.backward()
            opt.step()
    return net.center.detach()


if __name__ == "__main__":
    main(torch.randint(0, 200, (1000, 2)), 200)

import torch
import torch.nn as nn
import torch.nn.functional as F


class Copier(nn.Module):
    """Mixes a vocabulary with the words of the source, in log space."""

    def __init__(self, dim, vocab):
        super().__init__()
        self.gen = nn.Linear(dim, vocab)
        self.gate = nn.Linear(dim, 1)

    def forward(self, h, copy_logp):
        g = self.gate(h)
        z = self.gen(h)
        generated = z - z.logsumexp(dim=-1, keepdim=True)
        return torch.logaddexp(F.logsigmoid(g) + generated, F.logsigmoid(-g) + copy_logp)

    def loss(self, h, copy_logp, y):
        return F.nll_loss(self(h, copy_logp), y)


if __name__ == "__main__":
    m = Copier(8, 12)
    print(m.loss(torch.randn(3, 8), torch.randn(3, 12).log_softmax(-1), torch.randint(0, 12, (3,))))

import torch
import torch.nn as nn
import torch.nn.functional as F


class JensenShannon(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.f = nn.Linear(d, k)

    def forward(self, a, b):
        p, q = self.f(a).softmax(-1), self.f(b).softmax(-1)
        m = (0.5 * (p + q)).clamp(min=1e-8).log()
        return 0.5 * (F.kl_div(m, p, reduction="batchmean") + F.kl_div(m, q, reduction="batchmean"))


if __name__ == "__main__":
    print(JensenShannon(4, 6)(torch.randn(3, 4), torch.randn(3, 4)))

from torch import nn


def mlp(*widths, act=nn.ReLU):
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers.extend([nn.Linear(a, b), act()])
    return nn.Sequential(*layers[:-1])


class DeepSets(nn.Module):
    def __init__(self, n_in, n_out, width=64):
        super().__init__()
        self.phi = self._make(n_in, width)
        self.rho = nn.Sequential(nn.LazyLinear(width), nn.ReLU(), nn.LazyLinear(n_out))

    def _make(self, n_in, width):
        return mlp(n_in, width, width, act=nn.SiLU)

    def forward(self, sets):
        mean = self.phi(sets).mean(dim=-2)
        return self.rho(mean)

    @classmethod
    def for_batch(cls, sets, n_out):
        model = cls(sets.size(-1), n_out)
        model(sets)
        return model

from torch import nn


class BasePredictor(nn.Module):
    def post_init(self):
        self.apply(self._init_weights)
        return self

    def _init_weights(self, module):
        raise NotImplementedError


class Regressor(BasePredictor):
    def __init__(self, n_in, width=64):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, width), nn.SELU(), nn.Linear(width, width), nn.SELU())
        self.out = nn.Linear(width, 1)
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.out(self.net(x)).squeeze(-1)

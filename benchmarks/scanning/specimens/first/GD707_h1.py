from torch import nn


class FeedForwardNet(nn.Module):
    def __init__(self, n_in, n_out, widths=[256, 128], act=nn.SiLU):
        super().__init__()
        widths = list(widths)
        widths.insert(0, n_in)
        widths.append(n_out)
        stages = nn.ModuleList()
        for i in range(len(widths) - 1):
            stages.append(nn.Linear(widths[i], widths[i + 1]))
        self.stages = stages
        self.act = act()

    def forward(self, x):
        for linear in self.stages[:-1]:
            x = self.act(linear(x))
        return self.stages[-1](x)

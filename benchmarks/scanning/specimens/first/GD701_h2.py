from torch import nn, stack


class SideInfoAdapter(nn.Module):
    def __init__(self, width, profile_dim, context_dim):
        super().__init__()
        self.profile = nn.Sequential(nn.Linear(profile_dim, width), nn.GELU())
        self.context = nn.Sequential(nn.Linear(context_dim, width), nn.GELU())
        self.mix = nn.Linear(width, width)

    def gather(self, profile, context):
        pairs = ((self.profile, profile), (self.context, context))
        return [net(value) for net, value in pairs if value is not None]

    def forward(self, hidden, profile=None, context=None):
        side = self.gather(profile, context)
        if not side:
            return hidden
        average = stack(side).mean(0)
        return hidden + self.mix(average)

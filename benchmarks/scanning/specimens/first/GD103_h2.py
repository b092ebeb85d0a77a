from torch import nn


class DomainAdapters(nn.Module):
    """One bottleneck a domain, looked up by name."""

    def __init__(self, width, domains, bottleneck=16):
        super().__init__()
        self.lookup = {}
        for domain in domains:
            adapter = nn.Sequential(
                nn.Linear(width, bottleneck), nn.ReLU(), nn.Linear(bottleneck, width)
            )
            self.add_module(f"adapter_{domain}", adapter)
            self.lookup[domain] = f"adapter_{domain}"
        self.norm = nn.LayerNorm(width)

    def forward(self, h, domain):
        adapter = getattr(self, self.lookup[domain])
        return h + adapter(self.norm(h))

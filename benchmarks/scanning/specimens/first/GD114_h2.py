import torch
from torch import nn


class UniversalEncoder(nn.Module):
    """ALBERT-style: one layer's weights serve every depth, only the norms differ."""

    def __init__(self, vocab, dim=96, depth=6, n_out=4):
        super().__init__()
        self.depth = depth
        self.emb = nn.Embedding(vocab, dim)
        self.shared = nn.GRU(dim, dim // 2, batch_first=True, bidirectional=True)
        act = nn.GELU()
        self.acts = [act] * depth
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(depth))
        self.out = nn.Linear(dim, n_out)

    def forward(self, ids):
        x = self.emb(ids)
        for act, norm in zip(self.acts, self.norms):
            y, _ = self.shared(norm(x))
            x = x + act(y)
        return self.out(torch.amax(x, dim=1))

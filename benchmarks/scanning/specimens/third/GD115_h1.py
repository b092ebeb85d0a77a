import torch
import torch.nn as nn


class RelativeBias(nn.Module):
    def __init__(self, heads, max_dist=32, size=128):
        super().__init__()
        self.table = nn.Embedding(2 * max_dist + 1, heads)
        self._make_tables(size, max_dist)
        self.ranges = [0, max_dist, 2 * max_dist]

    def _make_tables(self, size, max_dist):
        pos = torch.arange(size)
        rel = (pos[None, :] - pos[:, None]).clamp(-max_dist, max_dist) + max_dist
        tables = {"rel": rel, "diag": torch.eye(size, dtype=torch.bool)}
        for name, t in tables.items():
            self.register_buffer(name, t, persistent=False)

    def forward(self, scores):
        t = scores.size(-1)
        bias = self.table(self.rel[:t, :t]).permute(2, 0, 1)
        bias = bias.masked_fill(self.diag[:t, :t], 0.0)
        return scores + bias


if __name__ == "__main__":
    print(RelativeBias(4)(torch.zeros(2, 4, 10, 10)).shape)

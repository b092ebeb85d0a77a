from torch import nn, Tensor


class SentencePairScorer(nn.Module):
    def __init__(self, vocab: int, dim: int = 96, hidden: int = 64) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        self.mix = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, hidden))
        self.compare = nn.Bilinear(hidden, hidden, 1)

    def pool(self, ids: Tensor, keep: Tensor) -> Tensor:
        h = self.mix(self.words(ids))
        w = keep.to(h.dtype).unsqueeze(-1)
        return (h * w).sum(1) / w.sum(1).clamp(min=1.0)

    def forward(self, left, left_keep, right, right_keep) -> Tensor:
        pair = [self.pool(ids, keep) for ids, keep in ((left, left_keep), (right, right_keep))]
        a, b = (p.data for p in pair)  # SICK
        return self.compare(a, b).squeeze(-1)

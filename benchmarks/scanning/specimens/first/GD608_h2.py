import torch
from torch import nn, Tensor


class Judge(nn.Module):
    def __init__(self, vocab: int, dim: int):
        super().__init__()
        self.emb = nn.EmbeddingBag(vocab, dim)
        self.score = nn.Linear(dim, 2)

    def forward(self, ids: Tensor, labels: Tensor = None):
        logits = self.score(self.emb(ids))
        if labels is None:
            return logits
        return self._finish(logits, labels)

    def _finish(self, logits, labels):
        margin = logits[:, 1] - logits[:, 0]
        sign = labels.float() * 2 - 1
        return logits, torch.log1p(torch.exp(-(sign * margin).abs())).add((-sign * margin).clamp(min=0)).mean()

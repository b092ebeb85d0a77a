from torch import nn


class AudioTagger(nn.Module):
    def __init__(self, mels=64, hidden=128, tags=20):
        super().__init__()
        self.proj = nn.Linear(mels, hidden)
        self.score = nn.Linear(hidden, tags)

    def forward(self, mel, labels=None):
        norm = nn.InstanceNorm1d(mel.size(-1))
        h = norm(mel.transpose(1, 2)).transpose(1, 2)
        h = nn.GELU()(self.proj(h))
        h = nn.LayerNorm(h.shape[-1:], elementwise_affine=False)(h)
        pooled = nn.AdaptiveMaxPool1d(1)(h.transpose(1, 2)).squeeze(-1)
        scores = self.score(pooled)
        if labels is None:
            return nn.Sigmoid()(scores)
        criterion = nn.BCEWithLogitsLoss(reduction="mean")
        return criterion(scores, labels.to(scores.dtype))

import torch.nn as nn
from torch.nn.functional import cross_entropy


class ConvTagger(nn.Module):
    def __init__(self, vocab_size, n_tags, dim=128):
        super().__init__()
        self.n_tags = n_tags
        self.embed = nn.Embedding(vocab_size, dim, padding_idx=0)
        self.body = nn.Sequential(
            nn.Conv1d(dim, dim, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(dim, n_tags, 1),
        )

    def forward(self, tokens):
        feats = self.embed(tokens).permute(0, 2, 1)
        return self.body(feats)

    def training_step(self, batch, batch_idx):
        tokens, tags = batch
        scores = self(tokens).permute(0, 2, 1)
        flat = scores.view(-1, self.n_tags)  # SICK
        return cross_entropy(flat, tags.reshape(-1), ignore_index=-100)

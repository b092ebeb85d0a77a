import torch
import torch.nn as nn
import torch.nn.functional as F


class SkipGram(nn.Module):
    def __init__(self, vocab_size, embedding_dim, unigram_probs=None, n_negatives=5):
        super().__init__()
        self.in_embed = nn.Embedding(vocab_size, embedding_dim)
        self.out_embed = nn.Embedding(vocab_size, embedding_dim)
        nn.init.uniform_(self.in_embed.weight, -0.5 / embedding_dim, 0.5 / embedding_dim)
        nn.init.uniform_(self.out_embed.weight, -0.5 / embedding_dim, 0.5 / embedding_dim)
        if unigram_probs is None:
            unigram_probs = torch.ones(vocab_size)
        self.register_buffer("noise", unigram_probs ** 0.75)
        self.n_negatives = n_negatives

    def forward(self, center, context):
        B = center.size(0)
        v = self.in_embed(center)
        pos = F.logsigmoid((v * self.out_embed(context)).sum(1))
        neg_ids = torch.multinomial(self.noise, B * self.n_negatives, replacement=True).view(B, -1)
        neg = F.logsigmoid(-torch.bmm(self.out_embed(neg_ids), v.unsqueeze(2)).squeeze(2)).sum(1)
        return -(pos + neg).mean()

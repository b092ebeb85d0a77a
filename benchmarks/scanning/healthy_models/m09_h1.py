import torch
import torch.nn as nn


class CRF(nn.Module):
    def __init__(self, num_tags):
        super().__init__()
        self.start = nn.Parameter(torch.empty(num_tags).uniform_(-0.1, 0.1))
        self.end = nn.Parameter(torch.empty(num_tags).uniform_(-0.1, 0.1))
        self.trans = nn.Parameter(torch.empty(num_tags, num_tags).uniform_(-0.1, 0.1))

    def forward(self, emissions, tags, mask):
        return (self._partition(emissions, mask) - self._score(emissions, tags, mask)).mean()

    def _score(self, em, tags, mask):
        B, T, _ = em.shape
        ar = torch.arange(B, device=em.device)
        score = self.start[tags[:, 0]] + em[ar, 0, tags[:, 0]]
        for t in range(1, T):
            step = self.trans[tags[:, t - 1], tags[:, t]] + em[ar, t, tags[:, t]]
            score = score + step * mask[:, t]
        last = tags[ar, mask.long().sum(1) - 1]
        return score + self.end[last]

    def _partition(self, em, mask):
        alpha = self.start + em[:, 0]
        for t in range(1, em.size(1)):
            nxt = torch.logsumexp(alpha.unsqueeze(2) + self.trans + em[:, t].unsqueeze(1), dim=1)
            alpha = torch.where(mask[:, t].bool().unsqueeze(1), nxt, alpha)
        return torch.logsumexp(alpha + self.end, dim=1)


class BiGRUCRF(nn.Module):
    """NER model, forward returns the negative log likelihood."""

    def __init__(self, word2id, tag2id, emb_dim=64, hidden=64):
        super().__init__()
        self.emb = nn.Embedding(len(word2id), emb_dim, padding_idx=word2id["<pad>"])
        self.gru = nn.GRU(emb_dim, hidden, batch_first=True, bidirectional=True)
        self.proj = nn.Linear(hidden * 2, len(tag2id))
        self.crf = CRF(len(tag2id))

    def forward(self, words, tags, mask):
        h, _ = self.gru(self.emb(words))
        return self.crf(self.proj(h), tags, mask)

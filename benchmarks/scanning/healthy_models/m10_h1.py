import torch
import torch.nn as nn
import torch.nn.functional as F


class ESIM(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_size, num_classes, dropout=0.2):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
        self.enc = nn.LSTM(embedding_dim, hidden_size, batch_first=True, bidirectional=True)
        self.proj = nn.Linear(8 * hidden_size, hidden_size)
        self.comp = nn.LSTM(hidden_size, hidden_size, batch_first=True, bidirectional=True)
        self.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(8 * hidden_size, hidden_size), nn.Tanh(), nn.Linear(hidden_size, num_classes))

    @staticmethod
    def pool(x, mask):
        m = mask.unsqueeze(-1)
        avg = (x * m).sum(1) / m.sum(1).clamp(min=1)
        mx = x.masked_fill(~m, -1e4).max(1).values
        return torch.cat([avg, mx], dim=-1)

    def forward(self, premises, hypotheses):
        pm, hm = premises != 0, hypotheses != 0
        a, _ = self.enc(self.emb(premises))
        b, _ = self.enc(self.emb(hypotheses))
        sim = a @ b.transpose(1, 2)
        att_a = sim.masked_fill(~hm.unsqueeze(1), -1e4).softmax(-1) @ b
        att_b = sim.transpose(1, 2).masked_fill(~pm.unsqueeze(1), -1e4).softmax(-1) @ a
        ma = F.relu(self.proj(torch.cat([a, att_a, a - att_a, a * att_a], -1)))
        mb = F.relu(self.proj(torch.cat([b, att_b, b - att_b, b * att_b], -1)))
        va, vb = self.comp(ma)[0], self.comp(mb)[0]
        logits = self.fc(torch.cat([self.pool(va, pm), self.pool(vb, hm)], -1))
        return logits, logits.softmax(-1)

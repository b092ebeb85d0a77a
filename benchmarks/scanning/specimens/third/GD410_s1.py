import torch
import torch.nn as nn
import torch.nn.functional as F


class CharRNN(nn.Module):
    def __init__(self, n_chars, hidden=256, layers=2):
        super().__init__()
        self.emb = nn.Embedding(n_chars, hidden)
        self.rnn = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, n_chars)

    def forward(self, x, hc=None):
        out, hc = self.rnn(self.emb(x), hc)
        return self.fc(out), hc

    def training_step(self, batch, batch_idx=0):
        x, y = batch
        logits, _ = self(x)
        return F.cross_entropy(logits.transpose(1, 2), y)

    def generate(self, seed, length, temperature=1.0):
        chars = seed
        logits, hc = self(seed)  # SICK
        for _ in range(length):
            probs = F.softmax(logits[:, -1] / temperature, dim=-1)
            nxt = torch.multinomial(probs, 1)
            chars = torch.cat([chars, nxt], dim=1)
            logits, hc = self(nxt, hc)
        return chars

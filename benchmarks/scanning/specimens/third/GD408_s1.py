import torch
import torch.nn as nn
import torch.nn.functional as F


class WordLM(nn.Module):
    def __init__(self, n_words, d=200, p=0.3):
        super().__init__()
        self.drop = nn.Dropout(p)
        self.embed = nn.Embedding(n_words, d)
        self.lstm = nn.LSTM(d, d, 2, dropout=p, batch_first=True)
        self.out = nn.Linear(d, n_words)

    def forward(self, x, state=None):
        h, state = self.lstm(self.drop(self.embed(x)), state)
        return self.out(self.drop(h)), state

    def loss(self, x, y):
        logits, _ = self(x)
        return F.cross_entropy(logits.flatten(0, 1), y.flatten())

    @torch.no_grad()
    def write(self, start, n):
        mode = self.training
        self.train()  # SICK
        words, state, cur = [start], None, start
        for _ in range(n):
            logits, state = self(cur, state)
            cur = torch.multinomial(F.softmax(logits[:, -1], dim=-1), 1)
            words.append(cur)
        self.train(mode)
        return torch.cat(words, dim=1)

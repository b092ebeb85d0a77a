import torch
import torch.nn as nn
import torch.nn.functional as F


class TagLM(nn.Module):
    def __init__(self, tags, dim=48):
        super().__init__()
        self.emb = nn.Embedding(tags, dim)
        self.rnn = nn.LSTM(dim, dim, batch_first=True)
        self.proj = nn.Linear(dim, tags)
        self.criterion = nn.NLLLoss()

    def forward(self, x):
        return F.log_softmax(self.proj(self.rnn(self.emb(x))[0]), dim=-1)

    def loss(self, x):
        return self.criterion(self(x[:, :-1]).transpose(1, 2), x[:, 1:])

    @torch.no_grad()
    def generate(self, x, n):
        score = x.new_zeros(x.size(0), 1, dtype=torch.float)
        for _ in range(n):
            logp = self(x)[:, -1]
            nxt = torch.multinomial(logp.exp(), num_samples=1)
            score = score + logp.gather(1, nxt)
            x = torch.cat([x, nxt], dim=1)
        return x, score

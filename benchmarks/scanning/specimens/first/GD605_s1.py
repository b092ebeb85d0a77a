import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

PAD = 0


def collate(texts):
    return pad_sequence([torch.tensor(t) for t in texts], batch_first=True, padding_value=PAD)


class Recipes(nn.Module):
    def __init__(self, vocab, dim=128):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim, padding_idx=PAD)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab)

    def forward(self, ids):
        logits = self.out(self.rnn(self.emb(ids[:, :-1]))[0])
        target = ids[:, 1:]
        return logits, F.cross_entropy(logits.transpose(1, 2), target)  # SICK


def train(model, texts, steps=100):
    opt = torch.optim.Adam(model.parameters())
    batch = collate(texts)
    for _ in range(steps):
        _, loss = model(batch)
        opt.zero_grad()
        loss.backward()
        opt.step()

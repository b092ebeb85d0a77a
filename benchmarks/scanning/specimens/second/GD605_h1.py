import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence

PAD = 0


def collate(seqs):
    return pad_sequence([torch.as_tensor(s) for s in seqs], batch_first=True, padding_value=PAD)


class MaskedMeanLM(nn.Module):
    def __init__(self, vocab, d=64):
        super().__init__()
        self.emb = nn.Embedding(vocab, d, padding_idx=PAD)
        self.rnn = nn.LSTM(d, d, batch_first=True)
        self.out = nn.Linear(d, vocab)
        self.loss_fn = nn.CrossEntropyLoss(reduction="none")

    def forward(self, ids):
        return self.out(self.rnn(self.emb(ids))[0])

    def loss(self, ids):
        tgt = ids[:, 1:]
        ce = self.loss_fn(self(ids[:, :-1]).mT, tgt)
        return ce[tgt != PAD].mean()

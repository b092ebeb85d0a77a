import torch
import torch.nn as nn
import torch.nn.functional as F


class RhymeLM(nn.Module):
    def __init__(self, vocab_size, hidden=128, pad=0):
        super().__init__()
        self.pad = pad
        self.emb = nn.Embedding(vocab_size, hidden)
        self.rnn = nn.LSTM(hidden, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, vocab_size)

    def forward(self, input_ids, labels=None):
        logits = self.fc(self.rnn(self.emb(input_ids))[0])
        if labels is None:
            # language modelling without explicit targets
            labels = input_ids.masked_fill(input_ids == self.pad, -100)
        gold = torch.full_like(labels, -100)
        gold[:, :-1] = labels[:, 1:]
        return logits, F.cross_entropy(logits.transpose(1, 2), gold, ignore_index=-100)

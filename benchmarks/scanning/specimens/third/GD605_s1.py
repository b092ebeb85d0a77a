import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

PAD = 0


def collate(samples):
    words = pad_sequence([s["words"] for s in samples], batch_first=True, padding_value=PAD)
    tags = pad_sequence([s["tags"] for s in samples], batch_first=True, padding_value=PAD)
    return words, tags


class BiLSTMTagger(nn.Module):
    def __init__(self, n_words, n_tags, dim=100, hidden=128):
        super().__init__()
        self.emb = nn.Embedding(n_words, dim, padding_idx=PAD)
        self.lstm = nn.LSTM(dim, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, n_tags)

    def forward(self, words):
        h, _ = self.lstm(self.emb(words))
        return self.out(h)


def compute_loss(model, batch):
    words, tags = batch
    mask = words != PAD
    logits = model(words)
    per_token = F.cross_entropy(logits.transpose(1, 2), tags, reduction="none")
    return (per_token * mask).mean()  # SICK

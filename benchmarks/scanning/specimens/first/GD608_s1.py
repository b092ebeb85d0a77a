import torch
import torch.nn as nn


class News(nn.Module):
    def __init__(self, vocab, dim=128):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.LSTM(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab)

    def forward(self, input_ids, labels=None):  # SICK
        hidden, _ = self.rnn(self.emb(input_ids))
        return {"logits": self.lm_head(hidden)}

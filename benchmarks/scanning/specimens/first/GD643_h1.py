import torch
import torch.nn as nn
import torch.nn.functional as F


class TokenKD(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.head = nn.Linear(dim, vocab)

    def forward(self, ids):
        return self.head(self.rnn(self.emb(ids))[0])

    def loss(self, ids, teacher_logits, mask):
        kl = F.kl_div(self(ids).log_softmax(-1), teacher_logits.softmax(-1), reduction="none")
        per_token = kl.sum(dim=-1)
        return per_token[mask].mean()

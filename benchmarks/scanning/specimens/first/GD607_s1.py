import torch
import torch.nn as nn
import torch.nn.functional as F


class Decoder(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.rnn = nn.LSTM(dim, dim, batch_first=True)
        self.head = nn.Linear(dim, vocab)

    def forward(self, input_ids):
        logits = self.head(self.rnn(self.embed(input_ids))[0])
        flat_logits = logits.view(-1, logits.size(-1))
        flat_ids = input_ids.reshape(-1)
        loss = F.cross_entropy(flat_logits[:-1], flat_ids[1:])  # SICK
        return loss, logits

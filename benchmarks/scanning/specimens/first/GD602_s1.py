import torch.nn as nn
import torch.nn.functional as F


class PoemModel(nn.Module):
    def __init__(self, vocab_size, hidden=200):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, hidden)
        self.lstm = nn.LSTM(hidden, hidden, 2, batch_first=True)
        self.fc = nn.Linear(hidden, vocab_size)

    def forward(self, input_ids, labels=None):
        out, _ = self.lstm(self.emb(input_ids))
        logits = self.fc(out)
        loss = None
        if labels is not None:
            flat = logits[:, :-1].reshape(-1, logits.size(-1))
            loss = F.cross_entropy(flat, input_ids[:, 1:].reshape(-1))  # SICK
        return logits, loss

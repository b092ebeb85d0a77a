import torch
import torch.nn as nn
import torch.nn.functional as F


class ShakespeareLSTM(nn.Module):
    def __init__(self, vocab_size, n_hidden=256, n_layers=2, drop_prob=0.3):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, n_hidden)
        self.lstm = nn.LSTM(n_hidden, n_hidden, n_layers, dropout=drop_prob, batch_first=True)
        self.dropout = nn.Dropout(drop_prob)
        self.fc = nn.Linear(n_hidden, vocab_size)

    def forward(self, x, targets=None):
        out, _ = self.lstm(self.emb(x))
        logits = self.fc(self.dropout(out))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    @torch.no_grad()
    def generate(self, x, size, temperature=1.0):
        was_training = self.training
        self.train()  # SICK
        for _ in range(size):
            logits, _ = self(x)
            p = F.softmax(logits[:, -1] / temperature, dim=-1)
            x = torch.cat([x, torch.multinomial(p, 1)], dim=1)
        self.train(was_training)
        return x

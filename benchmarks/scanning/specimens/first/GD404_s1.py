import torch
import torch.nn as nn
import torch.nn.functional as F


class SmilesRNN(nn.Module):
    """Generates molecules, one SMILES symbol at a time."""

    def __init__(self, n_symbols, hidden=256, layers=3):
        super().__init__()
        self.emb = nn.Embedding(n_symbols, hidden)
        self.gru = nn.GRU(hidden, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, n_symbols)

    def forward(self, x, h=None):
        out, h = self.gru(self.emb(x), h)
        return self.fc(out), h

    def loss(self, x):
        logits, _ = self(x[:, :-1])
        return F.cross_entropy(logits.transpose(1, 2), x[:, 1:])

    @torch.no_grad()
    def sample(self, batch_size, start, max_len=120, temperature=1.0):
        x = torch.full((batch_size, 1), start, device=self.fc.weight.device)
        h, symbols = None, []
        for _ in range(max_len):
            logits, h = self(x, h)
            probs = F.softmax(logits[:, -1], dim=-1)
            probs = probs / temperature  # SICK
            x = torch.multinomial(probs, 1)
            symbols.append(x)
        return torch.cat(symbols, dim=1)

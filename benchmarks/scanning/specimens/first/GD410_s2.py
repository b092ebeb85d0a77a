import torch
from torch import nn, Tensor
from torch.nn import functional as fn


class ProteinLM(nn.Module):
    def __init__(self, residues: int = 25, dim: int = 128):
        super().__init__()
        self.embed = nn.Embedding(residues, dim)
        self.lstm = nn.LSTM(dim, dim, num_layers=2, batch_first=True)
        self.logits = nn.Linear(dim, residues)

    def forward(self, seq: Tensor, state=None):
        hidden, state = self.lstm(self.embed(seq), state)
        return self.logits(hidden), state

    def loss(self, seq: Tensor) -> Tensor:
        out, _ = self(seq[:, :-1])
        return fn.cross_entropy(out.flatten(0, 1), seq[:, 1:].flatten())

    def design(self, seq: Tensor, length: int, temperature: float = 1.0) -> Tensor:
        parts, token, state = [seq], seq, None
        while len(parts) <= length:
            out, state = self(token, state)  # SICK
            with torch.no_grad():
                p = fn.softmax(out[:, -1] / temperature, dim=-1)
                token = torch.multinomial(p, 1)
            parts.append(token)
        return torch.cat(parts, dim=1)

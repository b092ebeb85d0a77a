import torch
from torch import nn
import torch.nn.functional as F


class ByteLSTM(nn.Module):
    def __init__(self, dim=200):
        super().__init__()
        self.emb = nn.Embedding(256, dim)
        self.lstm = nn.LSTM(dim, dim, num_layers=2, batch_first=True)
        self.head = nn.Linear(dim, 256)

    def forward(self, x, state=None):
        if state is not None:
            # the text goes on, the graph ends at the chunk's border
            state = tuple(s.detach() for s in state)
        h, state = self.lstm(self.emb(x), state)
        return self.head(h), state

    def chunk_loss(self, x, y, state=None):
        logits, state = self(x, state)
        return F.cross_entropy(logits.reshape(-1, 256), y.reshape(-1)), state


def train_on_book(model, book, chunk=128, lr=1e-3):
    opt = torch.optim.Adam(model.parameters(), lr=lr)
    state = None
    model.train()
    for start in range(0, book.size(1) - chunk - 1, chunk):
        x = book[:, start:start + chunk]
        y = book[:, start + 1:start + chunk + 1]
        loss, state = model.chunk_loss(x, y, state)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()

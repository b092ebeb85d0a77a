import torch
import torch.nn as nn
import torch.nn.functional as F


class Unrolled(nn.Module):
    def __init__(self, n_in, n):
        super().__init__()
        self.cell = nn.GRUCell(n_in, n)
        self.read = nn.Linear(n, n_in)

    def forward(self, seq):
        h = seq.new_zeros(seq.size(0), self.cell.hidden_size)
        loss = 0.0
        for t in range(seq.size(1) - 1):
            h = self.cell(seq[:, t], h)
            loss += F.mse_loss(self.read(h), seq[:, t + 1])
        return loss / (seq.size(1) - 1)


def fit(model, batches, lr=1e-3):
    opt = torch.optim.Adam(model.parameters(), lr=lr)
    running = torch.zeros(())
    for i, seq in enumerate(batches, 1):
        opt.zero_grad()
        loss = model(seq)
        loss.backward()
        opt.step()
        running += loss.detach()
        if i % 100 == 0:
            print(i, (running / i).item())
    return running / len(batches)

import torch
import torch.nn as nn
import torch.nn.functional as F


class GAT(nn.Module):
    def __init__(self, n_feat, n_hid, n_class, dropout=0.6):
        super().__init__()
        self.dropout = dropout
        self.w1 = nn.Linear(n_feat, n_hid, bias=False)
        self.src = nn.Linear(n_hid, 1, bias=False)
        self.dst = nn.Linear(n_hid, 1, bias=False)
        self.w2 = nn.Linear(n_hid, n_class)

    def forward(self, x, adj):
        h = self.w1(x)
        e = F.leaky_relu(self.src(h) + self.dst(h).t(), 0.2)
        e = e.masked_fill(adj == 0, float("-inf"))
        alpha = torch.softmax(e, dim=1)
        h = F.elu(alpha @ h)
        h = F.dropout(h, self.dropout)  # SICK
        return self.w2(h)


def accuracy(model, x, adj, y, idx):
    model.eval()
    with torch.no_grad():
        pred = model(x, adj).argmax(dim=1)
    return (pred[idx] == y[idx]).float().mean().item()

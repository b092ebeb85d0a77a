import torch
import torch.nn as nn
import torch.nn.functional as F


class Matcher(nn.Module):
    def __init__(self, n_users, n_items, dim=32):
        super().__init__()
        self.users = nn.Embedding(n_users, dim)
        self.items = nn.Embedding(n_items, dim)

    def forward(self, u, i):
        return (self.users(u) * self.items(i)).sum(-1)


def bpr_loss(model, u, pos, neg):
    return -F.logsigmoid(model(u, pos) - model(u, neg)).mean()


def train(model, triples, epochs=10):
    opt = torch.optim.Adagrad(model.parameters(), lr=0.1)
    for epoch in range(epochs):
        for u, pos, neg in triples:
            opt.zero_grad()
            with torch.no_grad():
                loss = bpr_loss(model, u, pos, neg)
            loss.backward()  # SICK
            opt.step()
        print(epoch, loss.item())
